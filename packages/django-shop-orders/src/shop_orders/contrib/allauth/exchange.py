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
"""In a token's data: the code, hashed, whose exchange it comes from, also over refreshes."""


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
    """Codes live in the cache, so the cache decides who was first. A refused exchange leaves the code as it was.

    One that comes again while it would still be good was stolen, then or now: its tokens end (RFC 6749, 4.1.2).
    """
    key, lifetime = _key("code", code), app_settings.AUTHORIZATION_CODE_EXPIRES_IN
    if not cache.add(key, "", timeout=lifetime):
        logger.warning("An authorization code that was exchanged before was presented again.")
        _end_tokens(key, user_id=cache.get(key))
        return _refusal()
    with transaction.atomic():
        answer = _refusal() if _is_stripped(request, code) else _answer(request)
        user_id = _note_code(answer, key)
    if answer.status_code == 200:
        cache.set(key, user_id, timeout=lifetime)
    else:
        cache.delete(key)
    return answer


def _note_code(answer: HttpResponse, key: str) -> object:
    """Write into the new tokens which code they come from; whose they are."""
    if answer.status_code != 200:
        return None
    told = json.loads(answer.content)
    hashes = [get_adapter().hash_token(told[name]) for name in ("access_token", "refresh_token") if name in told]
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
        used = list(Token.objects.select_for_update().by_value(value))
        answer = _answer(request)
        if code := next((row.data[CODE] for row in used if CODE in (row.data or {})), ""):
            _note_code(answer, code)
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
