"""The access matrix of the pages: one row for each route of the site, so that a new route without a row fails.

A row has the results of GET and of POST without a body for each of PEOPLE. A bearer token never opens a page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from demo.models import Mail
from django.contrib import admin
from django.core.cache import cache
from django.urls import URLPattern, URLResolver, get_resolver, include, path
from tests.accounts.matrix import (
    PEOPLE,
    TOKENS,
    Cells,
    alike,
    cell_of,
    desk,
    known,
    owned,
    wanted,
)

pytestmark = pytest.mark.django_db
# Route, as the site's patterns spell it: the cells of GET and of POST. 302 is another redirect, "login" one to the
# log-in page.
PAGES: dict[str, tuple[Cells, Cells]] = {
    "accounts/login/": (known(200, 302), known(200, 302)),
    "accounts/logout/": (known(302, 200), alike(302)),
    "accounts/inactive/": (alike(200), alike(405)),
    "accounts/signup/": (known(200, 302), known(200, 302)),
    "accounts/reauthenticate/": (known("login", 200), known("login", 200)),
    "accounts/email/": (known("login", 200), known("login", 302)),
    "accounts/confirm-email/": (known("login", 302), known("login", 302)),
    "accounts/password/change/": (known("login", 200), known("login", 200)),
    "accounts/password/set/": (known("login", 302), known("login", 302)),
    "accounts/password/reset/": (alike(200), alike(200)),
    "accounts/login/code/confirm/": (known("login", 302), known("login", 302)),
    "accounts/password/reset/confirm/": (alike("login"), alike("login")),
    "accounts/password/reset/complete/": (alike(302), alike(302)),
    "accounts/password/reset/done/": (alike(200), alike(405)),
    "accounts/2fa/": (known("login", 200), known("login", 405)),
    "accounts/2fa/authenticate/": (known("login", 302), known("login", 302)),
    "accounts/2fa/reauthenticate/": (known("login", 302), known("login", 302)),
    "accounts/2fa/totp/activate/": (known("login", 302), known("login", 302)),
    "accounts/2fa/totp/deactivate/": (known("login", 404), known("login", 404)),
    "accounts/2fa/recovery-codes/": (known("login", 404), known("login", 405)),
    "accounts/2fa/recovery-codes/generate/": (known("login", 302), known("login", 302)),
    "accounts/2fa/recovery-codes/download/": (known("login", 404), known("login", 404)),
    "accounts/2fa/webauthn/": (known("login", 200), known("login", 405)),
    "accounts/2fa/webauthn/add/": (known("login", 302), known("login", 302)),
    "accounts/2fa/webauthn/reauthenticate/": (known("login", 302), known("login", 302)),
    "accounts/2fa/webauthn/keys/<int:pk>/remove/": (known("login", 302), known("login", 302)),
    "accounts/2fa/webauthn/keys/<int:pk>/edit/": (known("login", 302), known("login", 302)),
    "accounts/2fa/webauthn/login/": (known("login", 302), known("login", 302)),
    "accounts/3rdparty/login/cancelled/": (alike(200), alike(405)),
    "accounts/3rdparty/login/error/": (alike(401), alike(405)),
    "accounts/3rdparty/signup/": (alike("login"), alike("login")),
    "accounts/3rdparty/": (known("login", 200), known("login", 200)),
    "accounts/social/login/cancelled/": (alike(301), alike(301)),
    "accounts/social/login/error/": (alike(301), alike(301)),
    "accounts/social/signup/": (alike(301), alike(301)),
    "accounts/social/connections/": (alike(301), alike(301)),
    "accounts/oidc/<provider_id>/login/": (alike(404), alike(404)),
    "accounts/oidc/<provider_id>/login/callback/": (alike(404), alike(404)),
    "accounts/sessions/": (known("login", 200), known("login", 302)),
    "_allauth/<client>/v1/config": (alike(200), alike(405)),
    "_allauth/<client>/v1/auth/session": (known(401, 200), alike(405)),
    "_allauth/<client>/v1/auth/reauthenticate": (known(401, 405), known(401, 400)),
    "_allauth/<client>/v1/auth/code/confirm": (alike(409), alike(409)),
    "_allauth/<client>/v1/auth/password/request": (alike(405), alike(400)),
    "_allauth/<client>/v1/auth/password/reset": (alike(409), alike(409)),
    "_allauth/<client>/v1/auth/login": (alike(405), alike(400)),
    "_allauth/<client>/v1/auth/signup": (alike(405), alike(400)),
    "_allauth/<client>/v1/auth/email/verify": (alike(409), alike(409)),
    "_allauth/<client>/v1/auth/email/verify/resend": (alike(405), alike(409)),
    "_allauth/<client>/v1/auth/phone/verify": (alike(404), alike(404)),
    "_allauth/<client>/v1/auth/phone/verify/resend": (alike(404), alike(404)),
    "_allauth/<client>/v1/account/password/change": (known(401, 405), known(401, 400)),
    "_allauth/<client>/v1/account/email": (known(401, 200), known(409, 400)),
    "_allauth/<client>/v1/account/phone": (alike(404), alike(404)),
    "_allauth/<client>/v1/account/providers": (known(401, 200), known(401, 405)),
    "_allauth/<client>/v1/auth/provider/signup": (alike(409), alike(409)),
    "_allauth/<client>/v1/auth/provider/redirect": (alike(405), alike(401)),
    "_allauth/<client>/v1/auth/provider/token": (alike(405), alike(400)),
    "_allauth/<client>/v1/auth/2fa/authenticate": (alike(401), alike(401)),
    "_allauth/<client>/v1/auth/2fa/reauthenticate": (known(401, 405), known(401, 400)),
    "_allauth/<client>/v1/auth/webauthn/authenticate": (alike(401), alike(401)),
    "_allauth/<client>/v1/auth/webauthn/reauthenticate": (known(401, 200), known(401, 400)),
    "_allauth/<client>/v1/auth/webauthn/login": (alike(200), alike(400)),
    "_allauth/<client>/v1/account/authenticators": (known(401, 200), known(401, 405)),
    "_allauth/<client>/v1/account/authenticators/totp": (known(401, 404), known(401, 400)),
    "_allauth/<client>/v1/account/authenticators/recovery-codes": (known(401, 404), known(401, 400)),
    "_allauth/<client>/v1/account/authenticators/webauthn": (alike(401), known(401, 400)),
    "_allauth/<client>/v1/auth/sessions": (known(401, 200), known(401, 405)),
    "_allauth/app/v1/tokens/refresh": (alike(405), alike(400)),
    "_allauth/<slug:client>/v1/account/phone": (alike(404), alike(404)),
    "_allauth/<slug:client>/v1/auth/phone/<path:step>": (alike(404), alike(404)),
    "admin/": (desk(200, 200), desk(200, 200)),
    "admin/login/": (("login", 403, 403, 302, 302), ("login", 403, 403, 405, 405)),
    "admin/logout/": ((302, 302, 302, 405, 405), (302, 302, 302, 200, 200)),
    "admin/password_change/done/": (desk(200, 200), desk(405, 405)),
    "admin/accounts/user/<id>/password/": (desk(403, 403), desk(403, 403)),
    "admin/autocomplete/": (desk(403, 403), desk(405, 405)),
    "admin/password_change/": (desk(200, 200), desk(200, 200)),
    "admin/jsi18n/": (desk(200, 200), desk(405, 405)),
    "admin/r/<path:content_type_id>/<path:object_id>/": (desk(404, 404), desk(404, 404)),
    "admin/shop_orders/order/<int:order_id>/resend/<uuid:public_id>/": (desk(405, 405), desk(403, 404)),
    "admin/shop_orders/order/<int:order_id>/step/<str:name>/": (desk(403, 200), desk(403, 200)),
    "admin/shop_orders/order/<int:order_id>/slip/": (desk(403, 200), desk(403, 200)),
    "admin/shop_catalog/product/stock/": (desk(403, 200), desk(403, 200)),
    "admin/shop_catalog/product/export/<str:file>": (desk(403, 200), desk(403, 200)),
    "admin/shop_catalog/product/import/": (desk(403, 200), desk(403, 200)),
    "admin/shop_catalog/product/import/<uuid:public_id>/": (
        desk(403, 404),
        desk(403, 302),
    ),  # it may be imported already
    "admin/shop_notify/notification/<int:pk>/html/": (desk(403, 200), desk(403, 200)),
    "admin/shop_notify/notification/<int:pk>/resend/": (desk(403, 200), desk(403, 200)),
    "admin/shop_notify/notification/notifiers/": (desk(403, 200), desk(403, 200)),
    "admin/<app_label>/": (desk(404, 200), desk(404, 200)),
    "admin/<url>": (desk(404, 404), desk(404, 404)),
    "swagger.json": (alike(200), alike(405)),
    "swagger/": (alike(200), alike(405)),
    "swagger/oauth2-redirect/": (alike(200), alike(405)),
    "redoc/": (alike(200), alike(405)),
    "redoc/redoc.js": (alike(200), alike(405)),
    "problems/<slug:code>/": (alike(200), alike(405)),
    "notify/reports/<slug:alias>/": (alike(404), alike(404)),
    "notify/reports/<slug:alias>/<str:secret>/": (alike(404), alike(404)),
    "notify/unsubscribe/<str:token>/": (alike(404), alike(404)),
    "payments/webhooks/<str:alias>/": (alike(405), alike(404)),
    "payments/webhooks/<str:alias>/<str:secret>/": (alike(405), alike(404)),
    "payments/test/<uuid:payment_id>/": (alike(404), alike(404)),
    "healthz": (alike(200), alike(405)),
    "readyz": (alike(200), alike(405)),
    "metrics": (alike(404), alike(405)),
    "identity/o/authorize": (known("login", 200), alike(302)),
    "identity/o/api/token": (alike(405), alike(400)),
    ".well-known/openid-configuration": (alike(200), alike(405)),
    ".well-known/jwks.json": (alike(200), alike(405)),
    "identity/o/device": (alike(404), alike(404)),
    "identity/o/logout": (known(302, 200), known(302, 200)),
    "identity/o/api/revoke": (alike(405), alike(400)),
    "identity/o/api/device/code": (alike(404), alike(404)),
    "identity/o/api/introspect": (alike(405), alike(400)),
    "identity/o/api/userinfo": (alike(401), alike(401)),
    "media/<path:path>": (alike(404), alike(405)),
    "": (alike(200), alike(405)),
    "categories/": (alike(200), alike(405)),
    "category/<slug:slug>/": (alike(200), alike(405)),
    "search/": (alike(200), alike(405)),
    "search/suggestions/": (alike(200), alike(405)),
    "product/<slug:slug>/": (alike(200), alike(405)),
    "product/<slug:slug>/reviews/": (alike(200), alike(405)),
    "product/<slug:slug>/review/": (known("login", 200), known("login", 200)),
    "visitor/": (alike(200), alike(405)),
    "language/<str:language>/": (alike(302), alike(405)),
    "cart/": (alike(200), alike(405)),
    "cart/add/": (alike(405), alike(302)),
    "cart/change/": (alike(405), alike(302)),
    "cart/clear/": (alike(405), alike(302)),
    "checkout/": (alike(302), alike(302)),
    "checkout/review/": (alike(302), alike(405)),
    "checkout/place/": (alike(405), alike(302)),
    "orders/": (known(200, 302), known(200, 302)),
    "orders/<str:number>/": (owned(404, 200), alike(405)),
    "orders/<str:number>/thanks/": (owned(404, 200), alike(405)),
    "orders/<str:number>/waiting/": (owned(404, 204), alike(405)),
    "orders/<str:number>/pay/": (owned(404, 200), owned(404, 200)),  # without a token the page is shown again
    "orders/<str:number>/cancel/": (alike(405), owned(404, 302)),
    "account/": (known("login", 200), known("login", 405)),
    "account/orders/": (known("login", 200), known("login", 405)),
    "account/profile/": (known("login", 200), known("login", 200)),
    "account/addresses/": (known("login", 200), known("login", 405)),
    "account/addresses/new/": (known("login", 200), known("login", 200)),
    "account/addresses/<uuid:public_id>/": (owned("login", 200), owned("login", 200)),
    "account/addresses/<uuid:public_id>/delete/": (known("login", 405), owned("login", 302)),
    "account/addresses/<uuid:public_id>/default/": (known("login", 405), owned("login", 302)),
    "account/messages/": (known("login", 200), known("login", 302)),
    "account/data/": (known("login", 200), known("login", 405)),
    "account/data/export/": (known("login", 302), known("login", 405)),  # it asks for the password again
    "account/data/delete/": (known("login", 302), known("login", 302)),
    "demo/inbox/": (alike(200), alike(405)),
    "demo/inbox/mail/<int:number>/": (alike(200), alike(405)),
    "demo/inbox/fail-next-sms/": (alike(405), alike(302)),
    "demo/inbox/handset/<int:number>/": (alike(405), alike(404)),
    "demo/inbox/pay-by-hand/": (alike(405), alike(302)),
    "robots.txt": (alike(200), alike(405)),
    "sitemap.xml": (alike(200), alike(200)),
    "sitemap-<slug:section>.xml": (alike(200), alike(200)),
}


class WithDemo:
    """The routes of the site, and those that only the demo adds."""

    urlpatterns = (path("demo/", include("demo.urls")), path("", include("config.urls")))


@pytest.fixture(autouse=True)
def _with_demo(settings: Any) -> None:
    settings.ROOT_URLCONF = WithDemo


def routes() -> Iterator[str]:
    """The pattern of every route, without those of the API, which have a matrix of their own."""
    return (route for route in _walk(get_resolver().url_patterns) if not route.startswith("api/v1/"))


def _walk(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[str]:
    for pattern in patterns:
        route = f"{prefix}{pattern.pattern}"
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, route)
        else:
            yield re.sub(r"\(\?P<(\w+)>[^)]*\)", r"<\1>", re.sub("[$^]", "", route))


def own_rows() -> set[str]:
    """The routes of PAGES, for both kinds of client of allauth's API."""
    return {route.replace("<client>", client) for route in PAGES for client in ("app", "browser")}


def is_of_model(route: str) -> bool:
    """Whether a route belongs to a model in the admin; those have a matrix of their own."""
    labels = "|".join(model._meta.label_lower.replace(".", "/") for model in admin.site._registry)
    one = "<path:object_id>/((history|delete|change)/)?"
    return bool(re.fullmatch(f"admin/({labels})/(add/|{one})?", route))


def test_every_route_has_a_row():
    assert {route for route in routes() if not is_of_model(route)} == own_rows()


def test_the_inbox_of_the_demo_is_nowhere_else(client, settings):
    settings.ROOT_URLCONF = "config.urls"
    for route in ("inbox/", "inbox/mail/1/", "inbox/fail-next-sms/"):
        assert (client.get(f"/demo/{route}").status_code, client.post(f"/demo/{route}").status_code) == (404, 404)


@pytest.mark.slow
@pytest.mark.parametrize("visitor", [*PEOPLE, *TOKENS], indirect=True)
def test_every_cell_of_the_pages(visitor, paths, settings):
    settings.ACCOUNT_RATE_LIMITS = False
    name, client_for = visitor
    mail = Mail.objects.create(recipient="jua@example.org", subject="A mail to somebody")
    others = {"category": {"slug": "kitchen"}, "demo": {"number": str(mail.pk)}}
    wrong = {}
    for row, both in PAGES.items():
        for client in ("app", "browser") if "<client>" in row else ("",):
            route = row.replace("<client>", client)
            values = paths | others.get(route.partition("/")[0], {})
            path = "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda found, values=values: values[found[1]], route)
            for method, cells in zip(("GET", "POST"), both, strict=True):
                cache.clear()
                found = cell_of(client_for(path), method, path)
                if found != wanted(cells, name, path):
                    wrong[method, route] = (found, wanted(cells, name, path))

    assert not wrong, "\n".join(f"{route}: {found}" for route, found in wrong.items())
