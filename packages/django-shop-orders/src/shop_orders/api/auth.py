"""Who calls: the auths of API_AUTH and STAFF_API_AUTH, asked live, and described in the OpenAPI document."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, overload

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.utils.module_loading import import_string
from ninja.security.apikey import APIKeyCookie

from shop_orders import customers
from shop_orders.conf import app_settings
from shop_orders.exceptions import NotAuthenticated, PermissionMissing
from shop_orders.models import Customer

Auth = Callable[[HttpRequest], Any]
GUEST = "guest"


class Auths(Sequence[Auth]):
    """What ninja takes as a list of auths: one that asks those of the setting, and their descriptions."""

    def __init__(self, setting: str, *, guests: bool = False) -> None:
        self.setting = setting
        self.guests = guests

    def __call__(self, request: HttpRequest) -> Any:
        for auth in configured(getattr(app_settings, self.setting)):
            if isinstance(auth, APIKeyCookie) and auth.param_name not in request.COOKIES:
                continue
            caller = auth(request)
            if caller:
                return caller
        if self.guests and "Authorization" not in request.headers:
            return GUEST
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
optional = Auths("API_AUTH", guests=True)
staff = Auths("STAFF_API_AUTH")

OPTIONAL_SECURITY: dict[str, Any] = {"security": [{}]}
"""For ``openapi_extra``: no credential is one of the alternatives."""


def configured(value: str | Sequence[str]) -> tuple[Auth, ...]:
    """The auth objects of a setting: dotted paths of callables, classes or lists of them."""
    return _configured((value,) if isinstance(value, str) else tuple(value))


def customer(request: HttpRequest) -> Customer:
    """The customer who calls.

    Raises:
        NotAuthenticated: the credential belongs to no user, such as a client-credentials token.
    """
    found = customers.for_request(request)
    if found is None:
        raise NotAuthenticated
    return found


def customer_or_guest(request: HttpRequest) -> Customer | None:
    """The customer who calls, None for a guest."""
    return customers.for_request(request)


def check_permission(request: HttpRequest, permission: str) -> Any:
    """The staff user who calls.

    Raises:
        NotAuthenticated: the credential belongs to no active user.
        PermissionMissing: the user may not do this.
    """
    user = customers.user_of(request)
    if user is None or not user.is_active:
        raise NotAuthenticated
    if not user.has_perm(permission):
        raise PermissionMissing(permission)
    return user


@cache
def _configured(paths: tuple[str, ...]) -> tuple[Auth, ...]:
    auths: list[Auth] = []
    for path in paths:
        try:
            found = import_string(path)
        except ImportError as error:
            raise ImproperlyConfigured(f"{path!r} in SHOP_ORDERS cannot be imported: {error}") from error
        group: Sequence[Any] = found if isinstance(found, (list, tuple)) else [found]
        for auth in group:
            made: Any = auth() if inspect.isclass(auth) else auth
            auths.append(made)
    return tuple(auths)


def _description(auth: Auth) -> Auth:
    """An auth that never lets anybody in, and tells the OpenAPI document of another one."""
    members = {"openapi_security_schema": auth.openapi_security_schema, "__call__": lambda _self, _request: None}  # type: ignore[attr-defined]
    described: Auth = type(type(auth).__name__, (), members)()
    return described
