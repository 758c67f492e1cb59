"""Authentication: a token of a log-in, a scoped token of the OpenID Provider, or the session with CSRF.

    SHOP_ORDERS = {"API_AUTH": "shop_orders.contrib.allauth.auth.orders_auth",
                   "STAFF_API_AUTH": "shop_orders.contrib.allauth.auth.staff_auth", ...}

A token of a log-in and a session have all permissions of their user. A token of the OpenID Provider, where the app
``allauth.idp.oidc`` is installed, has its scopes: ``shop_auth`` asks for ``shop:read`` or ``shop:write``,
``orders_auth`` for ``orders:read`` or ``orders:write``, ``staff_auth`` for ``staff``.
"""

from collections.abc import Callable, Mapping
from typing import Any

from allauth.headless.contrib.ninja.security import JWTTokenAuth
from django.apps import apps
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import NinjaAPI
from ninja.errors import HttpError
from ninja.security import SessionAuth as NinjaSessionAuth

from shop_orders.api.problems import PROBLEMS

Auth = Callable[[HttpRequest], Any]

SCOPES: Mapping[str, str] = {
    "shop:read": "See the products and your reviews",
    "shop:write": "Write reviews in your name",
    "orders:read": "See your cart, orders, profile and message preferences",
    "orders:write": "Fill your cart, place and cancel orders, change your profile",
    "staff": "Do what your staff permissions allow",
}
"""The scopes of the API, each with the text that the consent page shows."""


class BearerAuth(JWTTokenAuth):
    """The access token that ``/auth/customers/login/`` gave. Sets ``request.user``."""

    openapi_type = "http"
    openapi_scheme = "bearer"
    openapi_bearerFormat = "JWT"  # noqa: N815 - the name that OpenAPI has for it
    openapi_description = "The access token that the log-in returns."


class SessionAuth(NinjaSessionAuth):
    """The session of the browser, with CSRF. Returns None instead of a CSRF error if there is no session cookie. A
    request with a bearer token is authenticated by the token only: if it is invalid, the session cookie is not used.
    """

    openapi_description = "The session cookie of the site. Writes need the header X-CSRFToken."

    def __call__(self, request: HttpRequest) -> Any:
        has_token = request.headers.get("Authorization", "")[:7].lower() == "bearer "
        if has_token or settings.SESSION_COOKIE_NAME not in request.COOKIES:
            return None
        return super().__call__(request)


class InsufficientScope(HttpError):
    """The token is valid, but lacks the scope for this (RFC 6750, 3.1)."""

    def __init__(self, scope: str) -> None:
        super().__init__(403, _("The access token lacks the scope “%(scope)s”.") % {"scope": scope})
        self.scope = scope


def register(api: NinjaAPI) -> None:
    """Respond to a missing scope with the code ``insufficient_scope`` and the header ``WWW-Authenticate``."""
    api.add_exception_handler(InsufficientScope, _scope_problem)


def _scope_problem(_request: HttpRequest, error: InsufficientScope | type[InsufficientScope]) -> HttpResponse:
    scope = error.scope if isinstance(error, InsufficientScope) else ""
    response = PROBLEMS.response(403, str(error), code="insufficient_scope", extra={"scope": scope})
    response["WWW-Authenticate"] = f'Bearer error="insufficient_scope", scope="{scope}"'
    return response


def _auths(*, read: str, write: str) -> list[Auth]:
    """The auths of this site, in the order in which they are called: those that can reject a request cheaply come
    first."""
    scoped: list[Auth] = []
    if apps.is_installed("allauth.idp.oidc"):
        from shop_orders.contrib.allauth.scoped import ScopedAuth

        scoped = [ScopedAuth(read=read, write=write)]
    return [BearerAuth(), *scoped, SessionAuth()]


shop_auth = _auths(read="shop:read", write="shop:write")
orders_auth = _auths(read="orders:read", write="orders:write")
staff_auth = _auths(read="staff", write="staff")
