"""Codes of the shop's OpenID Provider: requested with PKCE by S256, and exchanged only once, also in parallel.

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
import json
import logging

from allauth.core.internal import httpkit
from allauth.idp.oidc import app_settings, views
from allauth.idp.oidc.adapter import get_adapter
from allauth.idp.oidc.internal.oauthlib import authorization_codes
from allauth.idp.oidc.models import Token
from django.core.cache import cache
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

logger = logging.getLogger(__name__)

METHOD = "code_challenge_method"
CODE = "shop_orders_code"
"""The key in a token's data of the hashed code whose exchange it comes from, also after refreshes."""


@csrf_exempt
def authorize(request: HttpRequest) -> HttpResponse:
    """allauth's endpoint, without the method ``plain``, which also is what a challenge without a method means.

    Anybody who sees such a request can exchange its code. It is replaced by a method that does not exist, so that the
    refusal goes to the redirect URI of a checked request (RFC 7636, 4.4.1).
    """
    requested = request.GET.copy()
    if "code_challenge" in requested and requested.getlist(METHOD) != ["S256"]:
        requested[METHOD] = "unsupported"
        request.META["QUERY_STRING"] = requested.urlencode()
    response: HttpResponse = views.authorization(request)
    return response


@csrf_exempt
def token(request: HttpRequest) -> HttpResponse:
    """allauth's endpoint, one exchange of the same credential at a time. The second is ``invalid_grant``."""
    if code := request.POST.get("code", ""):
        return _exchange_code(request, code)
    if value := request.POST.get("refresh_token", ""):
        return _refresh(request, value)
    return _respond(request)


def _exchange_code(request: HttpRequest, code: str) -> HttpResponse:
    """Codes are in the cache, so the cache decides which exchange was first. A refused one leaves the code valid.

    A code that is used again within its lifetime may have been stolen: its tokens are revoked (RFC 6749, 4.1.2).
    """
    key, lifetime = _key("code", code), app_settings.AUTHORIZATION_CODE_EXPIRES_IN
    if not cache.add(key, "", timeout=lifetime):
        logger.warning("An authorization code that was exchanged before was presented again.")
        _end_tokens(key, user_id=cache.get(key))
        return _refusal()
    with transaction.atomic():
        response = _refusal() if _is_stripped(request, code) else _respond(request)
        user_id = _store_code(response, key)
    if response.status_code == 200:
        cache.set(key, user_id, timeout=lifetime)
    else:
        cache.delete(key)
    return response


def _store_code(response: HttpResponse, key: str) -> object:
    """Store in the new tokens the code that they come from. Returns the key of their user."""
    if response.status_code != 200:
        return None
    tokens = json.loads(response.content)
    hashes = [get_adapter().hash_token(tokens[name]) for name in ("access_token", "refresh_token") if name in tokens]
    rows = list(Token.objects.filter(hash__in=hashes))
    for row in rows:
        row.data = {**(row.data or {}), CODE: key}
    Token.objects.bulk_update(rows, ["data"])
    return next((row.user_id for row in rows), None)


def _end_tokens(key: str, *, user_id: object) -> None:
    """``user_id`` is empty while the first exchange is under way."""
    if not user_id:
        return
    while Token.objects.filter(user_id=user_id, **{f"data__{CODE}": key}).delete()[0]:
        continue  # a refresh that was under way may have made new ones


def _is_stripped(request: HttpRequest, code: str) -> bool:
    """Whether the app sends a verifier for a code without a challenge: it was removed on the way (RFC 9700, 4.8.2)."""
    if not request.POST.get("code_verifier"):
        return False
    client_id = request.POST.get("client_id") or httpkit.extract_basic_auth(request.headers)[0]
    requested = authorization_codes.lookup(client_id or "", code)
    return requested is not None and "pkce" not in requested


def _refresh(request: HttpRequest, value: str) -> HttpResponse:
    """The row of the token decides: a second exchange waits here, and then finds no row."""
    key = _key("refresh", value)
    with transaction.atomic():
        used = list(Token.objects.select_for_update().by_value(value))
        response = _respond(request)
        if code := next((row.data[CODE] for row in used if CODE in (row.data or {})), ""):
            _store_code(response, code)
    if response.status_code == 200:
        cache.set(key, 1, timeout=app_settings.REFRESH_TOKEN_EXPIRES_IN or 30 * 24 * 3600)
    elif key in cache:
        logger.warning("A refresh token that was exchanged before was presented again.")
    return response


def _refusal() -> HttpResponse:
    return JsonResponse({"error": "invalid_grant"}, status=400)


def _respond(request: HttpRequest) -> HttpResponse:
    response: HttpResponse = views.token(request)
    return response


def _key(kind: str, value: str) -> str:
    return f"shop_orders.oidc.{kind}.{hashlib.sha256(value.encode(errors='replace')).hexdigest()}"
