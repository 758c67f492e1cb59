"""Codes of the shop's OpenID Provider: asked for with PKCE by S256, and exchanged once, whoever hurries.

    urlpatterns = [
        path("identity/o/authorize", exchange.authorize),
        path("identity/o/api/token", exchange.token),
        path("", include("allauth.idp.urls")),
        ...
    ]

Imported only where ``allauth.idp.oidc`` is installed. allauth (65.21) announces S256 and takes ``plain`` as well. It
reads, uses and deletes without a lock: on PostgreSQL eight parallel exchanges of one refresh token gave eight pairs.
"""

from __future__ import annotations

import hashlib
import logging

from allauth.core.internal import httpkit
from allauth.idp.oidc import app_settings, views
from allauth.idp.oidc.internal.oauthlib import authorization_codes
from allauth.idp.oidc.models import Token
from django.core.cache import cache
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

logger = logging.getLogger(__name__)

METHOD = "code_challenge_method"


@csrf_exempt
def authorize(request: HttpRequest) -> HttpResponse:
    """allauth's endpoint, without the method ``plain``, which also is what a challenge without a method means.

    Whoever sees such a request can exchange its code. A method that nobody knows stands in for it, so that the refusal
    goes where a checked request says (RFC 7636, 4.4.1).
    """
    asked = request.GET.copy()
    if "code_challenge" in asked and asked.getlist(METHOD) != ["S256"]:
        asked[METHOD] = "unsupported"
        request.META["QUERY_STRING"] = asked.urlencode()
    answer: HttpResponse = views.authorization(request)
    return answer


@csrf_exempt
def token(request: HttpRequest) -> HttpResponse:
    """allauth's endpoint, one exchange of the same credential at a time. The second is ``invalid_grant``."""
    if code := request.POST.get("code", ""):
        return _exchange_code(request, code)
    if value := request.POST.get("refresh_token", ""):
        return _refresh(request, value)
    return _answer(request)


def _exchange_code(request: HttpRequest, code: str) -> HttpResponse:
    """Codes live in the cache, so the cache decides who was first. A refused exchange leaves the code as it was."""
    key = _key("code", code)
    if not cache.add(key, 1, timeout=app_settings.AUTHORIZATION_CODE_EXPIRES_IN):
        logger.warning("An authorization code that was exchanged before was presented again.")
        return _refusal()
    answer = _refusal() if _is_stripped(request, code) else _answer(request)
    if answer.status_code != 200:
        cache.delete(key)
    return answer


def _is_stripped(request: HttpRequest, code: str) -> bool:
    """Whether the app proves what nobody asked of it: its challenge was taken off on the way (RFC 9700, 4.8.2)."""
    if not request.POST.get("code_verifier"):
        return False
    client_id = request.POST.get("client_id") or httpkit.extract_basic_auth(request.headers)[0]
    asked = authorization_codes.lookup(client_id or "", code)
    return asked is not None and "pkce" not in asked


def _refresh(request: HttpRequest, value: str) -> HttpResponse:
    """The row of the token decides: a rival waits here, and finds it gone."""
    key = _key("refresh", value)
    with transaction.atomic():
        list(Token.objects.select_for_update().by_value(value))
        answer = _answer(request)
    if answer.status_code == 200:
        cache.set(key, 1, timeout=app_settings.REFRESH_TOKEN_EXPIRES_IN or 30 * 24 * 3600)
    elif key in cache:
        logger.warning("A refresh token that was exchanged before was presented again.")
    return answer


def _refusal() -> HttpResponse:
    return JsonResponse({"error": "invalid_grant"}, status=400)


def _answer(request: HttpRequest) -> HttpResponse:
    answer: HttpResponse = views.token(request)
    return answer


def _key(kind: str, value: str) -> str:
    return f"shop_orders.oidc.{kind}.{hashlib.sha256(value.encode(errors='replace')).hexdigest()}"
