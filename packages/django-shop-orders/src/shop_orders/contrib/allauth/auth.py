"""Who is calling: a bearer access token of a log-in, or the session with CSRF.

SHOP_ORDERS = {"API_AUTH": "shop_orders.contrib.allauth.auth.api_auth", ...}
"""

from typing import Any

from allauth.headless.contrib.ninja.security import JWTTokenAuth
from django.conf import settings
from django.http import HttpRequest
from ninja.security import SessionAuth as NinjaSessionAuth


class BearerAuth(JWTTokenAuth):
    """The access token that ``/auth/customers/login/`` gave. Sets ``request.user``."""

    openapi_type = "http"
    openapi_scheme = "bearer"
    openapi_bearerFormat = "JWT"  # noqa: N815
    openapi_description = "The access token that the log-in answers."


class SessionAuth(NinjaSessionAuth):
    """The session of the browser, with CSRF; None, and not a CSRF error, where there is no session cookie."""

    openapi_description = "The session cookie of the site. Writes need the header X-CSRFToken."

    def __call__(self, request: HttpRequest) -> Any:
        if settings.SESSION_COOKIE_NAME not in request.COOKIES:
            return None
        return super().__call__(request)


bearer = BearerAuth()
session = SessionAuth()
api_auth = [bearer, session]
