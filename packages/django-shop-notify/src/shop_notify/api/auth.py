"""Who calls: the auths of API_AUTH and STAFF_API_AUTH, asked live, and described in the OpenAPI document."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, overload

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from ninja.security.apikey import APIKeyCookie

from shop_notify.conf import app_settings
from shop_notify.exceptions import NotAuthenticated, PermissionMissing

Auth = Callable[[HttpRequest], Any]


class Auths(Sequence[Auth]):
    """What ninja takes as a list of auths: one that asks those of the setting, and their descriptions."""

    def __init__(self, setting: str) -> None:
        self.setting = setting

    def __call__(self, request: HttpRequest) -> Any:
        for auth in configured(getattr(app_settings, self.setting)):
            if isinstance(auth, APIKeyCookie) and auth.param_name not in request.COOKIES:
                continue
            caller = auth(request)
            if caller:
                return caller
        return None

    def __iter__(self) -> Iterator[Auth]:
        yield self
        try:
            auths = configured(getattr(app_settings, self.setting))
        except ImproperlyConfigured:
            return
        yield from (_description(auth) for auth in auths if hasattr(auth, "openapi_security_schema"))

    def __len__(self) -> int:
        return len(list(iter(self)))

    @overload
    def __getitem__(self, index: int) -> Auth: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Auth]: ...

    def __getitem__(self, index: int | slice) -> Auth | Sequence[Auth]:
        return list(iter(self))[index]


required = Auths("API_AUTH")
staff = Auths("STAFF_API_AUTH")


def configured(value: str | Sequence[str]) -> tuple[Auth, ...]:
    """The auth objects of a setting: dotted paths of callables, classes or lists of them."""
    return _configured((value,) if isinstance(value, str) else tuple(value))


def recipient(request: HttpRequest) -> str:
    """The recipient key of whoever calls, by ``REQUEST_RECIPIENT``.

    Raises:
        NotAuthenticated: the credential belongs to nobody who gets messages.
    """
    key: str = import_string(app_settings.REQUEST_RECIPIENT)(request)
    if not key:
        raise NotAuthenticated(_("Log in, or send a valid access token."))
    return key


def check_permission(request: HttpRequest, permission: str) -> None:
    """Let only staff with a model permission go on.

    Raises:
        NotAuthenticated: the credential belongs to no active user.
        PermissionMissing: the user may not do this.
    """
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated or not user.is_active:
        raise NotAuthenticated(_("Log in, or send a valid access token."))
    if not user.has_perm(permission):
        raise PermissionMissing(_("You need the permission %(permission)s for this.") % {"permission": permission})


@cache
def _configured(paths: tuple[str, ...]) -> tuple[Auth, ...]:
    auths: list[Auth] = []
    for path in paths:
        try:
            found = import_string(path)
        except ImportError as error:
            raise ImproperlyConfigured(f"{path!r} in SHOP_NOTIFY cannot be imported: {error}") from error
        group: Sequence[Any] = found if isinstance(found, (list, tuple)) else [found]
        auths.extend(_made(auth) for auth in group)
    return tuple(auths)


def _made(auth: Any) -> Any:
    return auth() if inspect.isclass(auth) else auth


def _description(auth: Auth) -> Auth:
    """An auth that never lets anybody in, and tells the OpenAPI document of another one."""
    members = {"openapi_security_schema": auth.openapi_security_schema, "__call__": lambda _self, _request: None}  # type: ignore[attr-defined]
    described: Auth = type(type(auth).__name__, (), members)()
    return described
