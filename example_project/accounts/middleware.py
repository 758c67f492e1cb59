"""Additions to the responses of allauth's pages: allowed form targets, and the wait after too many attempts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

from allauth.account.internal.stagekit import LOGIN_SESSION_KEY
from config import openid
from django.apps import apps
from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from shop_orders.contrib.allauth import openid_rights

LOCK_OUT_SECONDS = 300
"""allauth's default: five bad passwords lock an address for five minutes (ACCOUNT_RATE_LIMITS, ``login_failed``)."""
LIMIT_SECONDS = 60
RESET_SECONDS = 3600
"""The period of ACCOUNT_RATE_LIMITS for password resets."""
HEADER = "Content-Security-Policy"
NOWHERE = "form-action 'self'"


GetResponse = Callable[[HttpRequest], HttpResponseBase]


def too_many(get_response: GetResponse) -> GetResponse:
    """Set status 429 and Retry-After (RFC 6585, 4) where allauth's form only shows a text about too many attempts."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        form = (getattr(response, "context_data", None) or {}).get("form")
        if request.method == "POST" and _is_locked_out(form):
            response.status_code = 429
            response.headers["Retry-After"] = str(LOCK_OUT_SECONDS)
        elif response.status_code == 429:
            is_reset = request.path.endswith(("/password/reset/", "/password/request"))
            response.headers.setdefault("Retry-After", str(RESET_SECONDS if is_reset else LIMIT_SECONDS))
        return response

    return middleware


def _is_locked_out(form: Any) -> bool:
    errors = getattr(form, "errors", None)
    found = errors.as_data().values() if errors else ()
    return any(error.code == "too_many_login_attempts" for messages in found for error in messages)


def form_targets(get_response: GetResponse) -> GetResponse:
    """Add the redirect targets of a page's forms to ``form-action``.

    Stands before the middleware that sends the policy.

    Browsers check every redirect after a form against the page's ``form-action`` (CSP 3, 6.4.1.1). Log-in forms are
    redirected to the OpenID Providers. Consent and log-out forms are redirected to the app that asked, and so is a
    log-in for an app that needs no consent.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        policy = response.headers.get(HEADER, "")
        if NOWHERE in policy and response.status_code == 200:
            targets = " ".join(dict.fromkeys(_targets(request, response)))
            if targets:
                response.headers[HEADER] = policy.replace(NOWHERE, f"{NOWHERE} {targets}")
        return response

    return middleware


def _targets(request: HttpRequest, response: HttpResponseBase) -> Iterator[str]:
    """The URLs to which the forms of a page may be redirected. The form of the log-out is on many pages."""
    if end := openid_rights.logout_origin(request):
        yield end
    if request.path.startswith("/accounts/"):
        providers: dict[str, Any] = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]
        yield from openid.origins(providers["APPS"])
        yield from settings.OIDC_REDIRECT_ORIGINS
        yield from _of_waiting_app(request)
    elif request.path.startswith("/identity/o/"):
        yield from _of_asking_app(request, getattr(response, "context_data", None) or {})


def _of_asking_app(request: HttpRequest, context: dict[str, Any]) -> Iterator[str]:
    """The redirect URI of the app that a consent or log-out page is for; the view has checked it."""
    form = context.get("form")
    app = context.get("client") or getattr(form, "cleaned_data", {}).get("client")
    if app is not None:
        asked = [request.GET.get(name, "") for name in ("redirect_uri", "post_logout_redirect_uri")]
        yield from _sources([*filter(None, asked), *app.get_redirect_uris(), *app.get_post_logout_redirect_uris()])


def _of_waiting_app(request: HttpRequest) -> Iterator[str]:
    """The redirect URI of the app that waits for this log-in, if the app needs no consent."""
    if not apps.is_installed("allauth.idp.oidc"):
        return
    from allauth.idp.oidc.models import Client

    stashed = request.session.get(LOGIN_SESSION_KEY) or {}
    next_url = urlsplit(request.GET.get(REDIRECT_FIELD_NAME) or stashed.get("redirect_url") or "")
    if next_url.path == reverse("idp:oidc:authorization"):
        client_id = parse_qs(next_url.query).get("client_id", [""])[0]
        for app in Client.objects.filter(id=client_id, skip_consent=True):
            yield from _sources(app.get_redirect_uris())


def _sources(urls: Iterable[str]) -> Iterator[str]:
    """Source expressions (CSP 3, 2.3.1) of addresses: the origin, or the scheme where the app has one of its own.

    A loopback address may have any port (RFC 8252, 7.3). There is no source for an IPv6 address: the scheme is used
    instead.
    """
    for url in map(urlsplit, urls):
        if url.scheme not in {"http", "https"} or "[" in url.netloc:
            yield f"{url.scheme}:"
        elif url.hostname == "127.0.0.1":
            yield f"{url.scheme}://{url.hostname}:*"
        else:
            yield f"{url.scheme}://{url.netloc}"
