"""Authentication with callables named in a setting, which is read at each request. OpenAPI lists their schemes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.utils.module_loading import import_string
from ninja.security.apikey import APIKeyCookie
from ninja.security.base import AuthBase
from ninja.utils import is_async_callable

from shop_core.conf import BaseSettings
from shop_core.exceptions import NotAuthenticated, PermissionMissing

Auth = Callable[[HttpRequest], Any]

GUEST = "guest"
"""``request.auth`` of a caller without credentials."""

OPTIONAL_SECURITY: dict[str, Any] = {"security": [{}]}
"""``openapi_extra`` of an operation that guests may use: authentication is optional."""


class ConfiguredAuth(Sequence[Auth]):
    """The ``auth`` of an operation: tries the auths in a setting one after the other, and lists their schemes.

    The setting holds a dotted path or a list of them. Each leads to a callable, an auth object or class of ninja, or a
    list of these. With ``guests=True`` a caller without credentials is a ``GUEST``; wrong ones are refused.
    A session counts only without another credential. ``request.user`` is then the user of an auth, or of a ``GUEST``.
    """

    def __init__(self, app_settings: BaseSettings, name: str, *, guests: bool = False) -> None:
        self.app_settings = app_settings
        self.name = name
        self.guests = guests

    def __call__(self, request: HttpRequest) -> Any:
        auths = self.load()
        keys = [auth for auth in auths if not _is_session(auth) and has_credential(request, auth)]
        if keys:  # Otherwise a link with a stranger's key could act for the user of the session.
            return _ask(request, keys, AnonymousUser())
        # Without a session cookie the request must not be refused for a missing CSRF token.
        others = [auth for auth in auths if not isinstance(auth, APIKeyCookie) or has_credential(request, auth)]
        caller = _ask(request, others, getattr(request, "user", AnonymousUser()))
        is_unknown = "Authorization" in request.headers and not _is_for_web_server(request, auths)
        if caller or is_unknown or not self.guests:
            return caller
        request.user = AnonymousUser()  # a session that the setting does not name would count without CSRF
        return GUEST

    def load(self) -> tuple[Auth, ...]:
        """The auth objects that the setting names now; ImproperlyConfigured if one cannot be used."""
        value: str | Sequence[str] = getattr(self.app_settings, self.name)
        return _load(self.app_settings.setting, (value,) if isinstance(value, str) else tuple(value))

    def __iter__(self) -> Iterator[Auth]:
        yield self
        with suppress(ImproperlyConfigured):
            yield from (_scheme_of(auth) for auth in self.load() if hasattr(auth, "openapi_security_schema"))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __getitem__(self, index: Any) -> Any:
        return list(iter(self))[index]


def check_permission(user: Any, permission: str) -> Any:
    """Return the user if they are active (NotAuthenticated) and have the model permission (PermissionMissing)."""
    if user is None or not user.is_active:
        raise NotAuthenticated
    if not user.has_perm(permission):
        raise PermissionMissing(permission)
    return user


def has_credential(request: HttpRequest, auth: Auth) -> bool:
    """Whether the request carries the parameter that this auth declares; other auths of ninja read Authorization."""
    name = getattr(auth, "param_name", "") or getattr(auth, "header", "")
    name = name or ("Authorization" if isinstance(auth, AuthBase) else "")
    attribute = {"cookie": "COOKIES", "query": "GET"}.get(getattr(auth, "openapi_in", ""), "headers")
    is_there = name in getattr(request, attribute)
    return is_there and (name.lower() != "authorization" or not _is_for_web_server(request, [auth]))


def _is_for_web_server(request: HttpRequest, auths: Sequence[Auth]) -> bool:
    """Whether Authorization has the scheme Basic, and none of these auths may read it. Browsers send it everywhere."""
    may_be_ours = (not isinstance(auth, AuthBase) or getattr(auth, "openapi_scheme", "") == "basic" for auth in auths)
    return request.META["HTTP_AUTHORIZATION"][:6].lower() == "basic " and not any(may_be_ours)


def _is_session(auth: Auth) -> bool:
    """Whether this is the session cookie. Guests have one too, so it does not count as an invalid credential."""
    return isinstance(auth, APIKeyCookie) and auth.param_name == settings.SESSION_COOKIE_NAME


def _ask(request: HttpRequest, auths: Sequence[Auth], user: Any) -> Any:
    """The caller whom the first of these auths accepts; ``request.user`` is then theirs. None if all refuse."""
    before = getattr(request, "user", AnonymousUser())
    for auth in auths:
        request.user = user  # not one whom another auth set before it refused
        caller = auth(request)
        if _is_of_users(type(caller)):
            request.user = caller
        elif request.user is user and not _is_session(auth):
            request.user = AnonymousUser()  # the key of a program
        if caller and _may_call(caller, request.user):
            has_cookies = "HTTP_COOKIE" in request.META or "COOKIES" in vars(request)  # parsing none takes long too
            if has_cookies and (user is not before or request.user != before):
                request.COOKIES.pop(settings.SESSION_COOKIE_NAME, None)  # it must not count for another setting either
            return caller
    request.user = before
    return None


_is_of_users: Callable[[type], bool] = cache(lambda kind: issubclass(kind, get_user_model()))


def _may_call(caller: Any, user: Any) -> bool:
    """Whether neither was deactivated. The caller is a user, even an anonymous one, or a key that may have a user."""
    return getattr(caller, "is_active", True) and (user.is_active or not user.is_authenticated)


@cache
def _load(setting: str, paths: tuple[str, ...]) -> tuple[Auth, ...]:
    auths: list[Any] = []
    for path in paths:
        try:
            found = import_string(path)
        except ImportError as error:
            raise ImproperlyConfigured(f"{path!r} in {setting} cannot be imported: {error}") from error
        group: Sequence[Any] = found if isinstance(found, (list, tuple)) else [found]
        auths += [auth() if inspect.isclass(auth) else auth for auth in group]
        if any(is_async_callable(auth) or getattr(auth, "is_async", False) for auth in auths):
            raise ImproperlyConfigured(f"{path!r} in {setting} is asynchronous. Use an auth without async def.")
    return tuple(auths)


def _scheme_of(auth: Auth) -> Auth:
    """An auth that refuses every request. It only adds another auth's scheme to the OpenAPI document."""
    members = {"openapi_security_schema": auth.openapi_security_schema, "__call__": lambda _self, _request: None}  # type: ignore[attr-defined]
    scheme: Auth = type(type(auth).__name__, (), members)()
    return scheme
