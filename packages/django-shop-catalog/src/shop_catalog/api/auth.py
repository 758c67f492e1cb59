"""Who is asking: authentication from settings, resolved at each request, and model permissions for staff."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from ninja.errors import HttpError
from ninja.security.apikey import APIKeyCookie

from shop_catalog.conf import app_settings

Authenticate = Callable[[HttpRequest], Any]


class ConfiguredAuth(Sequence[Any]):
    """The authentication of an operation, as ninja takes it: one live callable, and the schemes for OpenAPI.

    Ninja copies the sequence when a site mounts the router, with settings loaded; the schemes are read then. Which
    credentials are accepted is decided anew at each request.
    """

    def __init__(self, ask: Authenticate, configured: Callable[[], str | list[str]]) -> None:
        self.ask = ask
        self.configured = configured

    def __iter__(self) -> Iterator[Any]:
        yield self.ask
        for auth in _load(self.configured()):
            scheme = getattr(auth, "openapi_security_schema", None)
            if scheme is not None:
                yield type(type(auth).__name__, (_Scheme,), {})(scheme)

    def __getitem__(self, index: Any) -> Any:
        return list(self)[index]

    def __len__(self) -> int:
        return 1


class _Scheme:
    """Shows a security scheme in the OpenAPI document and accepts nobody."""

    def __init__(self, scheme: Any) -> None:
        self.openapi_security_schema = scheme

    def __call__(self, _request: HttpRequest) -> None:
        return None


GUEST = "guest"
"""What ``request.auth`` is for a caller without credentials."""

OPTIONAL: dict[str, Any] = {"security": [{}]}
"""``openapi_extra`` of an operation that guests may use."""


def require(request: HttpRequest, permission: str) -> AbstractBaseUser:
    """Let only staff with a model permission go on; answers who it is.

    Raises:
        HttpError: 403, the user is switched off or has not the permission.
    """
    user = request.user
    if not isinstance(user, AbstractBaseUser) or not user.is_active or not user.has_perm(permission):
        raise HttpError(403, _("You need the permission %(permission)s for this.") % {"permission": permission})
    return user


def is_staff(request: HttpRequest, permission: str) -> bool:
    """Whether the caller, who may be a guest, has a model permission."""
    user = getattr(request, "user", None)
    return bool(user is not None and user.is_active and user.has_perm(permission))


def _customer(request: HttpRequest) -> Any:
    return _ask(request, app_settings.API_AUTH)


def _guest_or_customer(request: HttpRequest) -> Any:
    """A valid credential makes a customer, none a guest, a broken ``Authorization`` header is refused."""
    if not request.COOKIES and "Authorization" not in request.headers:
        return GUEST
    answer = _ask(request, app_settings.API_AUTH)
    if answer or "Authorization" in request.headers:
        return answer
    return GUEST


def _staff(request: HttpRequest) -> Any:
    return _ask(request, app_settings.STAFF_API_AUTH)


def _ask(request: HttpRequest, paths: str | list[str]) -> Any:
    for auth in _load(paths):
        # Without a session cookie, CSRF is not the reason to refuse a caller: that there is no credential is.
        if isinstance(auth, APIKeyCookie) and auth.param_name not in request.COOKIES:
            continue
        answer = auth(request)
        if answer:
            return answer
    return None


def _load(paths: str | list[str]) -> tuple[Any, ...]:
    return _load_all((paths,) if isinstance(paths, str) else tuple(paths))


@lru_cache(maxsize=16)
def _load_all(paths: tuple[str, ...]) -> tuple[Any, ...]:
    loaded: list[Any] = []
    for path in paths:
        value = import_string(path)
        loaded += value if isinstance(value, list | tuple) else [value]
    return tuple(loaded)


required = ConfiguredAuth(_customer, lambda: app_settings.API_AUTH)
optional = ConfiguredAuth(_guest_or_customer, lambda: app_settings.API_AUTH)
staff = ConfiguredAuth(_staff, lambda: app_settings.STAFF_API_AUTH)
