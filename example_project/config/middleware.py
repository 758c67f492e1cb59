"""Response headers for every page, and problem documents for errors under /api/."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from shop_core.api.problems import CONTENT_TYPE
from shop_core.api.views import make_private
from shop_orders.api.problems import PROBLEMS

API_PATHS = ("/api/", "/_allauth/app/", "/swagger.json")
EXPOSED_HEADERS = "X-Cart-Token, Retry-After, Idempotency-Replayed, ETag, WWW-Authenticate"
ALLOWED_HEADERS = (
    "Authorization, Content-Type, Idempotency-Key, If-None-Match, X-Cart-Token, X-Order-Token, X-Session-Token"
)
GetResponse = Callable[[HttpRequest], HttpResponseBase]


def content_security_policy(get_response: GetResponse) -> GetResponse:
    """Send CONTENT_SECURITY_POLICY with the additions of the path.

    Django has its own from 6.0; this one works on 5.2 too.
    """
    default = _policy({})
    by_path = {path: _policy(more) for path, more in settings.CONTENT_SECURITY_POLICY_BY_PATH.items()}

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        policy = next((by_path[path] for path in by_path if request.path.startswith(path)), default)
        response.headers.setdefault("Content-Security-Policy", policy)
        response.headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()")
        return response

    return middleware


PRIVATE_PATHS = (
    *("/_allauth/", "/accounts/", "/account/", "/admin/", "/api/v1/auth/", "/cart/", "/checkout/", "/demo/"),
    *("/identity/o/", "/notify/", "/orders/", "/payments/", "/visitor/"),
)
"""Pages and operations that show tokens or personal data, of guests too."""


def private_pages(get_response: GetResponse) -> GetResponse:
    """Let no cache keep what shows tokens or personal data: PRIVATE_PATHS, and every page for a user.

    The routers of the packages do it for the API.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        is_known = settings.SESSION_COOKIE_NAME in request.COOKIES and request.user.is_authenticated
        is_ours = request.path.startswith("/api/")
        if request.path.startswith(PRIVATE_PATHS) or (is_known and not is_ours):
            make_private(response)
        return response

    return middleware


def cookies_are_private(get_response: GetResponse) -> GetResponse:
    """Let no shared cache keep a response that sets a cookie, whatever set it.

    Caches may also keep an error page without Cache-Control (RFC 9110, 15.1), and such a page may show a message for
    one visitor.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if response.cookies and "private" not in response.get("Cache-Control", ""):
            make_private(response)
        return response

    return middleware


def _policy(more: dict[str, str]) -> str:
    policy = {**settings.CONTENT_SECURITY_POLICY, **more}
    return "; ".join(f"{name} {value}" for name, value in policy.items() if value)


def cross_origin(get_response: GetResponse) -> GetResponse:
    """Let scripts of CORS_ALLOWED_ORIGINS call the API (Fetch standard, 3.2). Cookies are never allowed."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        origin = request.headers.get("Origin", "")
        if origin not in settings.CORS_ALLOWED_ORIGINS or not request.path.startswith(API_PATHS):
            return get_response(request)
        is_preflight = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        response = HttpResponse(status=204) if is_preflight else get_response(request)
        response["Access-Control-Allow-Origin"] = origin
        response["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
        if is_preflight:
            response["Access-Control-Allow-Methods"] = "GET, POST, PATCH, DELETE"
            response["Access-Control-Allow-Headers"] = ALLOWED_HEADERS
            response["Access-Control-Max-Age"] = "600"
        patch_vary_headers(response, ["Origin"])
        return response

    return middleware


def api_problems(get_response: GetResponse) -> GetResponse:
    """Return problem documents for unknown addresses, wrong methods and crashes under /api/.

    Routers do this for their own errors; this is for requests that reach no router. Under DEBUG a crash keeps its
    traceback.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if response.status_code < 400 or not request.path.startswith("/api/"):
            return response
        if response.get("Content-Type", "").startswith(CONTENT_TYPE):
            return response
        if response.status_code == 500 and settings.DEBUG:
            return response
        problem: HttpResponse = PROBLEMS.response(response.status_code, _detail(response.status_code))
        for name in ("Allow", "Retry-After", "WWW-Authenticate"):
            if name in response.headers:
                problem[name] = response.headers[name]
        return problem

    return middleware


def _detail(status: int) -> str:
    match status:
        case 404:
            return _("Nothing was found at this address.")
        case 405:
            return _("This method is not allowed here. The Allow header lists the allowed methods.")
        case 500:
            return _("Something went wrong on our side. The error was logged.")
        case _other:
            return _("The request could not be processed.")
