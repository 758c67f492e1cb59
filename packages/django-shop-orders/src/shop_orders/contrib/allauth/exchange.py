"""Codes of the shop's OpenID Provider: requested with PKCE by S256, and exchanged only once, also in parallel.

    urlpatterns = [
        path("identity/o/authorize", exchange.authorize),
        path("identity/o/api/token", exchange.token),
        path("", include("allauth.idp.urls")),
        ...
    ]

Imported only where ``allauth.idp.oidc`` is installed. allauth (65.21) announces S256 but also accepts ``plain``. It
reads, uses and deletes a token without a lock: on PostgreSQL, eight concurrent exchanges of one refresh token returned
eight pairs.
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
from shop_core.db.transactions import connection_of, non_atomic

logger = logging.getLogger(__name__)

METHOD = "code_challenge_method"
CODE = "shop_orders_code"
"""The key in a token's ``data`` under which the hash of its authorization code is stored; refreshed tokens keep it."""


@csrf_exempt
def authorize(request: HttpRequest) -> HttpResponse:
    """allauth's endpoint, but it refuses the PKCE method ``plain``, which is also the default. With ``plain``, anybody
    who sees the request can exchange its code. The method is replaced by one that does not exist, so that allauth
    validates the request and then sends the error to its redirect URI (RFC 7636, 4.4.1).
    """
    requested = request.GET.copy()
    if "code_challenge" in requested and requested.getlist(METHOD) != ["S256"]:
        requested[METHOD] = "unsupported"
        request.META["QUERY_STRING"] = requested.urlencode()
    response: HttpResponse = views.authorization(request)
    return response


@non_atomic  # what the cache remembers of an exchange is written after its commit
@csrf_exempt
def token(request: HttpRequest) -> HttpResponse:
    """allauth's endpoint, but a code or refresh token can be exchanged only once. The second attempt is
    ``invalid_grant``."""
    if code := request.POST.get("code", ""):
        return _exchange_code(request, code)
    if value := request.POST.get("refresh_token", ""):
        return _refresh(request, value)
    return _respond(request)


def _exchange_code(request: HttpRequest, code: str) -> HttpResponse:
    """allauth keeps codes in the cache, so the cache decides which exchange was first. A refused exchange leaves the
    code valid.

    A code that is used again within its lifetime may have been stolen: its tokens are revoked (RFC 6749, 4.1.2).
    """
    key, lifetime = _key("code", code), app_settings.AUTHORIZATION_CODE_EXPIRES_IN
    if not cache.add(key, "", timeout=lifetime):
        logger.warning("An authorization code that was exchanged before was presented again.")
        _end_tokens(key, user_id=cache.get(key))
        return _refusal()
    with transaction.atomic(using=connection_of(Token).alias):
        response = _refusal() if _challenge_was_removed(request, code) else _respond(request)
        user_id = _store_code(response, key)
    if response.status_code == 200:
        cache.set(key, user_id, timeout=lifetime)
    else:
        cache.delete(key)
    return response


def _store_code(response: HttpResponse, key: str) -> object:
    """Record in the new tokens which code they were made from. Returns the primary key of their user."""
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
    """Delete the tokens that were made from a code. ``user_id`` is empty while its first exchange is still running."""
    if not user_id:
        return
    while Token.objects.filter(user_id=user_id, **{f"data__{CODE}": key}).delete()[0]:
        continue  # a refresh that was under way may have made new ones


def _challenge_was_removed(request: HttpRequest, code: str) -> bool:
    """Whether the app sends a verifier but the code has no challenge: somebody removed it (RFC 9700, 4.8.2)."""
    if not request.POST.get("code_verifier"):
        return False
    client_id = request.POST.get("client_id") or httpkit.extract_basic_auth(request.headers)[0]
    requested = authorization_codes.lookup(client_id or "", code)
    return requested is not None and "pkce" not in requested


def _refresh(request: HttpRequest, value: str) -> HttpResponse:
    """Exchange a refresh token. A second exchange waits for the lock on the token's row, and then finds no row."""
    key = _key("refresh", value)
    with transaction.atomic(using=connection_of(Token).alias):
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
