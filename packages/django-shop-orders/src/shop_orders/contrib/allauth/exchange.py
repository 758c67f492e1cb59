"""The endpoints of the shop's OpenID Provider, stricter than allauth's.

Codes are requested with PKCE by S256, and exchanged only once, also in parallel. Redirect URIs are compared as exact
strings. An app revokes only its own tokens.

    urlpatterns = [
        path("identity/o/authorize", exchange.authorize),
        path("identity/o/api/token", exchange.token),
        path("identity/o/api/revoke", exchange.revoke),
        path("identity/o/logout", exchange.end_session),
        path("", include("allauth.idp.urls")),
        ...
    ]

Imported only where ``allauth.idp.oidc`` is installed. allauth (65.21) announces S256 but also accepts ``plain``. It
reads, uses and deletes a token without a lock: on PostgreSQL, eight concurrent exchanges of one refresh token returned
eight pairs. It compares the parts of redirect URIs, and revokes the tokens of any app. A test names the version whose
private functions this module uses.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Callable
from typing import Any

import jwt
from allauth.core.internal import httpkit
from allauth.idp.oidc import app_settings, views
from allauth.idp.oidc.adapter import get_adapter
from allauth.idp.oidc.internal.oauthlib import authorization_codes
from allauth.idp.oidc.models import Client, Token
from django.core.cache import cache
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.views.decorators.csrf import csrf_exempt
from shop_core.db.transactions import connection_of, non_atomic

logger = logging.getLogger(__name__)

METHOD = "code_challenge_method"
COMMON = ("grant_type", "client_id", "client_secret", "scope", "resource")
GRANTS = {
    "authorization_code": ("code", "redirect_uri", "code_verifier"),
    "refresh_token": ("refresh_token",),
    "client_credentials": (),
}
"""The grants that are offered, with the parameters that each of them reads."""
_LOOPBACK = re.compile(
    r"(?P<host>http://(?:127\.0\.0\.1|\[::1\]))(?::(?P<port>[1-9][0-9]{0,4}))?(?P<rest>[/?][!-~]*|)"
)
CODE = "shop_orders_code"
"""The key in a token's ``data`` under which the hash of its authorization code is stored; refreshed tokens keep it."""


@csrf_exempt
def authorize(request: HttpRequest) -> HttpResponse:
    """allauth's endpoint, but it refuses the PKCE method ``plain``, which is also the default. With ``plain``, anybody
    who sees the request can exchange its code. The method is replaced by one that does not exist, so that allauth
    validates the request and then sends the error to its redirect URI (RFC 7636, 4.4.1). In the same way, a redirect
    URI that is not exactly a registered one is replaced by one that no app has.
    """
    if request.method == "POST":  # the form has the signed request; the query string is ignored
        return _with_query(request, QueryDict(), views.authorization)
    requested = request.GET.copy()
    if "code_challenge" in requested and requested.getlist(METHOD) != ["S256"]:
        requested[METHOD] = "unsupported"
    if not _is_registered(requested.getlist("redirect_uri"), _client(requested.get("client_id", ""))):
        requested.setlist("redirect_uri", ["about:invalid"])
    return _with_query(request, requested, views.authorization)


@csrf_exempt
def end_session(request: HttpRequest) -> HttpResponse:
    """allauth's endpoint, but it redirects only to a URI that equals one that the app has registered for this."""
    sent = (request.POST if request.method == "POST" else request.GET).copy()
    wanted = sent.getlist("post_logout_redirect_uri")
    if wanted and not _is_registered(wanted, _client(_audience(sent)), after_logout=True):
        del sent["post_logout_redirect_uri"]
    if request.method == "POST":
        request.POST = sent  # type: ignore[assignment]
        return _with_query(request, QueryDict(), views.logout)
    return _with_query(request, sent, views.logout)


@csrf_exempt
def revoke(request: HttpRequest) -> HttpResponse:
    """allauth's endpoint, but the token of another app is treated as unknown (RFC 7009, 2.1)."""
    if request.method != "POST":
        return _respond(request, views.revoke)
    caller = _caller(request)
    if caller is None:
        return _error("invalid_request")
    value = request.POST.get("token", "")
    if Token.objects.by_value(value).exclude(client_id=caller).exists():
        sent = request.POST.copy()
        sent["token"] = "-"  # noqa: S105 - no token has this value
        request.POST = sent  # type: ignore[assignment]
    return _respond(request, views.revoke)


@non_atomic  # an exchange is recorded in the cache after its commit
@csrf_exempt
def token(request: HttpRequest) -> HttpResponse:
    """allauth's endpoint, but a code or refresh token can be exchanged only once. The second attempt is
    ``invalid_grant``.

    Only ``grant_type`` decides what is exchanged; parameters of other grants are removed. A parameter that is given
    twice, or in the query string, is refused (RFC 6749, 3.2).
    """
    if request.method != "POST":
        return _respond(request)
    if _caller(request) is None:
        return _error("invalid_request")
    grant = request.POST.get("grant_type", "")
    if grant not in GRANTS:
        return _error("unsupported_grant_type" if grant else "invalid_request")
    kept = QueryDict(mutable=True)
    kept.update({name: request.POST[name] for name in (*COMMON, *GRANTS[grant]) if name in request.POST})
    request.POST = kept  # type: ignore[assignment]
    if grant == "authorization_code":
        return _exchange_code(request, kept.get("code", ""))
    return _refresh(request, kept.get("refresh_token", "")) if grant == "refresh_token" else _respond(request)


def _exchange_code(request: HttpRequest, code: str) -> HttpResponse:
    """allauth keeps codes in the cache, so the cache decides which exchange was first. A refused exchange leaves the
    code valid.

    A code that is used again within its lifetime may have been stolen: its tokens are revoked (RFC 6749, 4.1.2), and
    a first exchange that is still running ends without tokens. Each side writes its own key before it reads the
    other's, so at least one of them sees both.
    """
    key, lifetime = _key("code", code), app_settings.AUTHORIZATION_CODE_EXPIRES_IN
    if not cache.add(key, "", timeout=lifetime):
        logger.warning("An authorization code that was exchanged before was presented again.")
        cache.set(f"{key}.again", 1, timeout=lifetime)
        _revoke_tokens(key, user_id=cache.get(key))
        return _error("invalid_grant")
    with transaction.atomic(using=connection_of(Token).alias):
        response = _error("invalid_grant") if _challenge_was_removed(request, code) else _respond(request)
        user_id = _store_code(response, key)
    if response.status_code == 200:
        cache.set(key, user_id, timeout=lifetime)
        if f"{key}.again" in cache:
            _revoke_tokens(key, user_id=user_id)
            return _error("invalid_grant")
    else:
        cache.delete_many([key, f"{key}.again"])
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


def _revoke_tokens(key: str, *, user_id: object) -> None:
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


def _caller(request: HttpRequest) -> str | None:
    """The id of the app that a request to a token endpoint names; None if it names two or gives a parameter twice."""
    if request.GET or any(len(values) > 1 for _name, values in request.POST.lists()):
        return None
    by_header = httpkit.extract_basic_auth(request.headers)[0]
    by_body = request.POST.get("client_id")
    if by_header and by_body and by_header != by_body:
        return None
    return by_header or by_body or ""


def _client(client_id: str) -> Client | None:
    return Client.objects.filter(pk=client_id).first() if client_id.isprintable() else None


def _audience(sent: QueryDict) -> str:
    """The app that asks for a log-out. allauth verifies the token that is only read here."""
    if client_id := sent.get("client_id"):
        return client_id
    try:
        claims = jwt.decode(sent.get("id_token_hint", ""), options={"verify_signature": False})
    except jwt.PyJWTError:
        return ""
    return str(claims.get("aud", ""))


def _is_registered(wanted: list[str], client: Client | None, *, after_logout: bool = False) -> bool:
    """Whether exactly one URI is given, and the app has registered exactly this one (RFC 9700, 2.1).

    On a loopback address an app may use any port (RFC 8252, 7.3); ``localhost`` is a name, not such an address.
    """
    if client is None or len(wanted) != 1:
        return False
    known = client.get_post_logout_redirect_uris() if after_logout else client.get_redirect_uris()
    return any(uri == wanted[0] or _without_port(uri) == _without_port(wanted[0]) != "" for uri in known)


def _without_port(uri: str) -> str:
    found = _LOOPBACK.fullmatch(uri)
    return f"{found['host']}{found['rest']}" if found and int(found["port"] or 80) < 2**16 else ""


def _with_query(request: HttpRequest, query: QueryDict, view: Callable[[HttpRequest], Any]) -> HttpResponse:
    """Call a view as if the URL had this query string."""
    request.META["QUERY_STRING"] = query.urlencode()
    request.GET = query  # type: ignore[assignment]
    response: HttpResponse = view(request)
    return response


def _error(code: str) -> HttpResponse:
    """RFC 6749, 5.2."""
    return JsonResponse({"error": code}, status=400, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})


def _respond(request: HttpRequest, view: Callable[[HttpRequest], Any] = views.token) -> HttpResponse:
    response: HttpResponse = view(request)
    return response


def _key(kind: str, value: str) -> str:
    return f"shop_orders.oidc.{kind}.{hashlib.sha256(value.encode(errors='replace')).hexdigest()}"
