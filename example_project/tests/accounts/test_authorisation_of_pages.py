"""Who may open which page, beside the API: one row for each route of the site, so that a new route without one fails.

A row says what GET and POST without a body answer to each of PEOPLE. A bearer token opens no page, whatever its scope.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from accounts.models import User
from demo.models import Mail
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.db import models, transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, include, path
from django.utils import timezone
from shop_notify.models import Notification
from shop_orders import customers
from shop_orders.models import Order

pytestmark = pytest.mark.django_db
PEOPLE = ("anonymous", "owner", "stranger", "staff_without", "staff")
SCOPES = ["shop:read", "shop:write", "orders:read", "orders:write", "staff"]
TOKENS = ("login token of the owner", "every scope of the owner", "every scope of staff", "partner")
PASSWORD = "a-long-and-odd-one-42"

Cell = int | str
Cells = tuple[Cell, ...]


def alike(cell: Cell) -> Cells:
    return (cell,) * 5


def known(anonymous: Cell, anybody: Cell) -> Cells:
    """Everybody who is logged in meets the same."""
    return (anonymous, *(anybody,) * 4)


def owned(anonymous: Cell, owner: Cell, others: Cell = 404) -> Cells:
    return (anonymous, owner, *(others,) * 3)


def desk(staff_without: Cell, staff: Cell) -> Cells:
    """The admin, where customers are sent to the log-in page."""
    return ("login", "login", "login", staff_without, staff)


# Route, as the site's patterns spell it: the cells of GET and of POST. 302 leads on, "login" to the log-in page.
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
    "i18n/setlang/": (alike(302), alike(302)),
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
    "admin/shop_catalog/product/import/": (desk(403, 200), desk(403, 200)),
    "admin/shop_catalog/product/import/<uuid:public_id>/": (desk(403, 404), desk(403, 404)),
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
    "orders/<str:number>/pay/": (owned(404, 200), owned(404, 302)),
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
    "demo/inbox/": (alike(200), alike(405)),
    "demo/inbox/mail/<int:number>/": (alike(200), alike(405)),
    "demo/inbox/fail-next-sms/": (alike(405), alike(302)),
    "robots.txt": (alike(200), alike(405)),
    "sitemap.xml": (alike(200), alike(200)),
    "sitemap-<slug:section>.xml": (alike(200), alike(200)),
}

ACTIONS = ("changelist", "add", "history", "delete", "change")
EDITED = (200, 200, 200, 200, 200)
READ = (200, 403, 200, 403, 200)
CLOSED = (403, 403, 403, 403, 403)

# Model in the admin: what each of ACTIONS answers to staff with the permissions of the shop.
MODELS: dict[str, tuple[int, ...]] = {
    "account.emailaddress": CLOSED,
    "accounts.user": CLOSED,
    "allauth_idp_oidc.client": CLOSED,
    "allauth_idp_oidc.token": CLOSED,
    "auth.group": CLOSED,
    "django_q.failure": CLOSED,
    "django_q.ormq": CLOSED,
    "django_q.schedule": CLOSED,
    "django_q.success": CLOSED,
    "mfa.authenticator": CLOSED,
    "shop_catalog.category": EDITED,
    "shop_catalog.jobrun": READ,
    "shop_catalog.product": EDITED,
    "shop_catalog.review": (200, 403, 200, 200, 200),
    "shop_catalog.stockmovement": READ,
    "shop_notify.jobrun": READ,
    "shop_notify.notification": READ,
    "shop_notify.preference": EDITED,
    "shop_notify.suppression": EDITED,
    "shop_notify.templateoverride": EDITED,
    "shop_orders.cart": READ,
    "shop_orders.customer": EDITED,
    "shop_orders.idempotencykey": READ,
    "shop_orders.jobrun": READ,
    "shop_orders.order": READ,
    "shop_orders.orderevent": READ,
    "shop_orders.payment": READ,
    "shop_orders.providerevent": READ,
    "shop_orders.shipment": READ,
    "socialaccount.socialaccount": CLOSED,
    "socialaccount.socialapp": CLOSED,
    "socialaccount.socialtoken": CLOSED,
    "usersessions.usersession": CLOSED,
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
    """The routes of PAGES, with both kinds of client that allauth's API has."""
    return {route.replace("<client>", client) for route in PAGES for client in ("app", "browser")}


def is_of_model(route: str) -> bool:
    """Whether MODELS has the cells of a route."""
    labels = "|".join(label.replace(".", "/") for label in MODELS)
    one = f"<path:object_id>/(({'|'.join(ACTIONS)})/)?"
    return bool(re.fullmatch(f"admin/({labels})/(add/|{one})?", route))


def test_every_route_has_a_row():
    assert {route for route in routes() if not is_of_model(route)} == own_rows()


def test_every_model_of_the_admin_has_a_row():
    assert sorted(model._meta.label_lower for model in admin.site._registry) == sorted(MODELS)


def test_the_inbox_of_the_demo_is_nowhere_else(client, settings):
    settings.ROOT_URLCONF = "config.urls"
    for route in ("inbox/", "inbox/mail/1/", "inbox/fail-next-sms/"):
        assert (client.get(f"/demo/{route}").status_code, client.post(f"/demo/{route}").status_code) == (404, 404)


@pytest.fixture
def paths(world: dict[str, str], people: dict[str, User]) -> dict[str, str]:
    """The parameters of the routes: what the owner has, and guesses."""
    kept = customers.set_addresses(customers.for_user(people["owner"]), [{"line1": "x", "city": "y", "country": "KE"}])
    return {
        "alias": "email",
        "app_label": "shop_orders",
        "client": "app",
        "code": "not_found",
        "content_type_id": str(ContentType.objects.get_for_model(Order).pk),
        "id": str(people["owner"].pk),
        "name": "confirm",
        "number": world["number"],
        "object_id": "1",
        "order_id": str(Order.objects.get().pk),
        "path": "x.png",
        "payment_id": str(uuid.uuid4()),
        "pk": str(Notification.objects.get().pk),
        "provider_id": "work",
        "public_id": str(kept[0].public_id),
        "secret": "guess",
        "section": "products",
        "slug": "market-mug",
        "step": "verify",
        "token": "guess",
        "url": "nothing/",
    }


@pytest.fixture
def visitor(
    request: pytest.FixtureRequest, people: dict[str, User], make_token: Callable[..., str]
) -> tuple[str, Callable[[str], Client]]:
    """Whose cells count, and a new client for a path, with the session or the bearer token of the caller."""
    name: str = request.param
    match name:
        case "anonymous":
            token = ""
        case "partner":
            token = make_token(None, SCOPES)
        case "every scope of the owner":
            token = make_token(people["owner"], SCOPES)
        case "every scope of staff":
            token = make_token(people["staff"], SCOPES)
        case _other:
            token = log_in(people["owner" if name in TOKENS else name])
    bearer = {"Authorization": f"Bearer {token}"} if token else {}
    session = Client()
    if name in people:
        session.force_login(people[name], backend="django.contrib.auth.backends.ModelBackend")

    def client_for(path: str) -> Client:
        by_token = name in TOKENS or path.startswith("/_allauth/app/")
        client = Client(headers=bearer if by_token else {}, raise_request_exception=False)
        if not by_token:
            client.cookies.load({key: morsel.value for key, morsel in session.cookies.items()})
        return client

    return name, client_for


def log_in(user: User) -> str:
    login = {"email": user.email, "password": PASSWORD}
    answer = Client().post("/api/v1/auth/customers/login/", login, content_type="application/json")
    return str(answer.json()["access_token"])


def cell_of(client: Client, method: str, path: str) -> Cell:
    """What a visit answers. It is undone, so that all visits meet the same world."""
    kind = {"content_type": "application/json"} if path.startswith("/_allauth/") else {}
    with transaction.atomic():
        answer: HttpResponse = client.get(path) if method == "GET" else client.post(path, {}, **kind)
        transaction.set_rollback(True)
    is_login = answer.status_code == 302 and re.match(r"/(accounts|admin)/login/", answer["Location"])
    return "login" if is_login else answer.status_code


def wanted(cells: Cells, name: str, path: str) -> Cell:
    """A bearer token is nobody's on a page; in allauth's API for apps the token of a log-in is its user's."""
    if name == "login token of the owner" and path.startswith("/_allauth/app/"):
        return cells[PEOPLE.index("owner")]
    return cells[0] if name in TOKENS else cells[PEOPLE.index(name)]


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


def some_row(model: type[models.Model]) -> models.Model:
    """A row of a model: one that is there, else one with the least that its columns take."""
    least = {field.name: _least(field) for field in model._meta.concrete_fields if _is_required(field)}
    if model._meta.label_lower == "django_q.failure":
        least["success"] = False
    return model._default_manager.first() or model._default_manager.create(**least)


def _is_required(field: Any) -> bool:
    return not (field.null or field.blank or field.has_default() or isinstance(field, models.AutoField))


def _least(field: Any) -> Any:
    if field.is_relation:
        return some_row(field.related_model)
    if field.choices:
        return field.choices[0][0]
    match field:
        case models.DateTimeField():
            return timezone.now()
        case models.IntegerField() | models.DecimalField():
            return 1
        case models.JSONField():
            return {}
        case models.GenericIPAddressField():
            return "127.0.0.1"
    return uuid.uuid4().hex[: field.max_length]


def _after_a_form(cell: Cell, with_permission: dict[str, int], action: str) -> set[Cell]:
    """What POST answers where GET shows a form: that form again, or where it leads. What is only read takes none."""
    if cell != 200:
        return {cell}
    is_read_only = tuple(with_permission.values()) == READ and action == "change"
    return {403} if is_read_only else {200, 302}


@pytest.mark.slow
@pytest.mark.parametrize("visitor", [*PEOPLE, *TOKENS], indirect=True)
def test_every_cell_of_the_models_in_the_admin(visitor, paths):
    name, client_for = visitor
    wrong = {}
    for model in admin.site._registry:
        base = f"/admin/{model._meta.label_lower.replace('.', '/')}/"
        key = quote(some_row(model).pk)
        with_permission = dict(zip(ACTIONS, MODELS[model._meta.label_lower], strict=True))
        for action, status in with_permission.items():
            path = base + {"changelist": "", "add": "add/"}.get(action, f"{key}/{action}/")
            cell = wanted(desk(403, status), name, path)
            for method, met in (("GET", {cell}), ("POST", _after_a_form(cell, with_permission, action))):
                found = cell_of(client_for(path), method, path)
                if found not in met:
                    wrong[method, path] = (found, met)
        if cell_of(client_for(base), "GET", f"{base}{key}/") != wanted(desk(302, 302), name, base):
            wrong["GET", f"{base}{key}/"] = "not led to the form"

    assert not wrong, "\n".join(f"{path}: {found}" for path, found in wrong.items())


@pytest.mark.parametrize("model", [*admin.site._registry], ids=lambda model: model._meta.label_lower)
def test_the_way_from_the_admin_to_a_page_is_404_for_any_key_that_is_none(client, people, model):
    client.force_login(people["staff"], backend="django.contrib.auth.backends.ModelBackend")
    for content_type in (ContentType.objects.get_for_model(model).pk, "x"):
        for key in ("1000000000", "no-key"):
            assert client.get(f"/admin/r/{content_type}/{key}/").status_code == 404


def test_staff_try_no_passwords_of_others_at_the_log_in_of_the_admin(client, people):
    """Django's own form has no limit and asks for no second factor."""
    client.force_login(people["staff_without"], backend="django.contrib.auth.backends.ModelBackend")

    answer = client.post("/admin/login/", {"username": people["staff"].email, "password": PASSWORD})

    assert answer.status_code == 405
    assert client.get("/admin/shop_orders/order/").status_code == 403
