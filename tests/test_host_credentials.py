"""A site's own API keys are understood alike by the three packages, on each NinjaAPI of the site."""

from decimal import Decimal
from types import SimpleNamespace

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.test import Client
from django.urls import path
from django.utils import translation
from ninja import NinjaAPI
from ninja.errors import HttpError
from ninja.security import APIKeyCookie, APIKeyHeader, APIKeyQuery, HttpBasicAuth, HttpBearer

PACKAGES = ("catalog", "orders", "notify")
EMAIL = "partner@example.org"


def owner(key):
    """The user to whom a key belongs; "app" for a key that belongs to a program."""
    return {"good": get_user_model().objects.filter(email=EMAIL).first(), "program": "app"}.get(key)


class Header(APIKeyHeader):
    param_name = "X-Partner-Key"

    def authenticate(self, request, key):
        return owner(key)


class Query(APIKeyQuery):
    param_name = "key"

    def authenticate(self, request, key):
        return owner(key)


class Cookie(APIKeyCookie):
    param_name = "partner"

    def __init__(self):
        super().__init__(csrf=False)

    def authenticate(self, request, key):
        return owner(key)


class Bearer(HttpBearer):
    def authenticate(self, request, token):
        return owner(token)


class TokenHeader(HttpBearer):
    header = "X-Token"

    def authenticate(self, request, token):
        return owner(token)


class Basic(HttpBasicAuth):
    def authenticate(self, request, username, password):
        return owner(password)


class StrangersKey(APIKeyHeader):
    param_name = "X-Staff-Key"

    def authenticate(self, request, key):
        return get_user_model().objects.filter(email__startswith=key).first()


class KeyWithoutScope(APIKeyHeader):
    param_name = "X-Staff-Key"

    def authenticate(self, request, key):
        request.user = AnonymousUser()
        raise HttpError(403, "The key lacks a scope.")


instance = Header()
everything = [Header, Query(), Cookie, Bearer(), TokenHeader]

AUTHS = {
    "class": f"{__name__}.Header",
    "instance": f"{__name__}.instance",
    "list": [f"{__name__}.Bearer", f"{__name__}.Header", "ninja.security.django_auth"],
    "group": f"{__name__}.everything",
    "session first": ["ninja.security.django_auth", f"{__name__}.everything"],
}
WAYS = {
    "header": lambda key: {"headers": {"X-Partner-Key": key}},
    "query": lambda key: {"query_params": {"key": key}},
    "cookie": lambda key: {"headers": {"Cookie": f"partner={key}"}},
    "bearer": lambda key: {"headers": {"Authorization": f"Bearer {key}"}},
    "token": lambda key: {"headers": {"X-Token": f"Bearer {key}"}},
}

first = NinjaAPI(urls_namespace="first")
second = NinjaAPI(urls_namespace="second", version="2")
guarded = NinjaAPI(urls_namespace="guarded", auth=Basic())
for site_api in (first, second, guarded):
    for package in PACKAGES:
        site_api.add_router(f"/{package}/", f"shop_{package}.api.router")
        site_api.add_router(f"/{package}-staff/", f"shop_{package}.api.staff_router") if package != "catalog" else None
urlpatterns = [path("first/", first.urls), path("second/", second.urls), path("guarded/", guarded.urls)]

OPTIONAL = ["catalog/products/", "catalog/categories/tree/", "catalog/reviews/", "orders/cart/"]
CUSTOMERS = ["orders/orders/", "notify/preferences/"]
STAFF = ["orders-staff/orders/", "notify-staff/"]


@pytest.fixture
def site(settings, db):
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "csrf" not in name]

    def use(auth):
        for package in PACKAGES:
            name = f"SHOP_{package.upper()}"
            setattr(settings, name, {**getattr(settings, name), "API_AUTH": auth, "STAFF_API_AUTH": auth})

    partner = get_user_model().objects.create_superuser(EMAIL, "pw")
    someone = get_user_model().objects.create_user("someone@example.org", "pw")
    with translation.override("en"):
        yield SimpleNamespace(use=use, partner=partner, someone=someone, client=Client())


def ways_of(auth):
    return WAYS if auth == "group" else {"header": WAYS["header"]}


@pytest.mark.parametrize("auth", AUTHS)
def test_broken_key_is_refused_everywhere_and_valid_one_needs_no_cookie(site, auth):
    site.use(AUTHS[auth])
    wrong = {}
    for name, way in ways_of(auth).items():
        for place in (*OPTIONAL, *CUSTOMERS, *STAFF):
            for key, status in (("good", 200), ("broken", 401), ("", 401)):
                found = Client().get(f"/first/{place}", **way(key)).status_code
                if found != status:
                    wrong[name, place, key] = found
    assert wrong == {}
    assert {place: Client().get(f"/first/{place}").status_code for place in OPTIONAL} == dict.fromkeys(OPTIONAL, 200)


@pytest.mark.parametrize("auth", ["list", "session first"])
def test_a_key_decides_even_beside_a_session(site, auth):
    """With the session's user, a program's or a stranger's key in the URL would act for whoever is logged in."""
    site.use(AUTHS[auth])
    site.client.force_login(site.someone)
    for place in (*OPTIONAL, *CUSTOMERS):
        assert site.client.get(f"/first/{place}", **WAYS["header"]("broken")).status_code == 401, place
    body = {"groups": {}}
    assert site.client.get("/first/orders-staff/orders/", **WAYS["header"]("good")).status_code == 200
    assert site.client.get("/first/orders-staff/orders/").status_code in {401, 403}
    response = site.client.patch("/first/notify/preferences/", body, "application/json", **WAYS["header"]("program"))
    assert response.status_code == 401
    assert site.client.get("/first/orders/orders/", **WAYS["header"]("program")).status_code == 401


def test_review_belongs_to_the_user_of_the_key(site):
    from shop_catalog import products
    from shop_catalog.models import Review

    site.use(AUTHS["list"])
    products.create("MUG", name="Mug", price=Decimal(5))
    site.client.force_login(site.someone)
    body = {"product": "mug", "rating": 5, "title": "Good", "body": "Good"}
    get_user_model().objects.filter(pk=site.partner.pk).update(is_staff=False, is_superuser=False)
    response = site.client.post("/first/catalog/reviews/", body, "application/json", **WAYS["header"]("good"))
    assert response.status_code == 201
    assert Review.objects.get().author == site.partner
    program = site.client.post("/first/catalog/reviews/", body, "application/json", **WAYS["header"]("program"))
    assert program.status_code == 401


def test_draft_product_is_seen_with_a_key_alone(site):
    from shop_catalog import products

    site.use(AUTHS["class"])
    products.create("DRAFT", name="Draft", price=Decimal(5), is_active=False)
    assert Client().get("/first/catalog/products/draft/").status_code == 404
    assert Client().get("/first/catalog/products/draft/", **WAYS["header"]("good")).status_code == 200


@pytest.mark.parametrize("mount", ["second", "guarded"])
def test_second_api_of_the_site_gives_the_same_responses(site, mount):
    """A guest needs no credential of the other operations of an API that has an auth of its own."""
    site.use(AUTHS["list"])
    for place in (*OPTIONAL, *CUSTOMERS, *STAFF):
        for key in (None, "good", "broken"):
            extra = {} if key is None else WAYS["header"](key)
            responses = [Client().get(f"/{name}/{place}", **extra) for name in ("first", mount)]
            assert responses[0].status_code == responses[1].status_code, (place, key)
            assert responses[0].content == responses[1].content, (place, key)


def test_site_without_authentication_middleware_uses_keys(site, settings):
    site.use(AUTHS["class"])
    settings.MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
    for place in (*OPTIONAL, *CUSTOMERS, *STAFF):
        assert Client().get(f"/first/{place}", **WAYS["header"]("good")).status_code == 200, place
        assert Client().get(f"/first/{place}", **WAYS["header"]("program")).status_code in {200, 401}, place
        assert Client().get(f"/first/{place}").status_code == (200 if place in OPTIONAL else 401), place


def test_refused_key_leaves_the_user_of_the_request(site, rf):
    from shop_catalog.api import auth

    site.use(AUTHS["list"])
    request = rf.get("/", headers={"X-Partner-Key": "broken"})
    request.user = site.someone
    assert auth.optional(request) is None
    assert request.user == site.someone
    accepted = rf.get("/", headers={"X-Partner-Key": "program"})
    accepted.user = site.someone
    assert (auth.optional(accepted), accepted.user) == ("app", AnonymousUser())


def test_cookie_beside_a_customers_key_does_not_make_it_a_staff_key(site, settings):
    """A partner's key counts only for API_AUTH, and any value of the cookie is a credential for the session's auth."""
    from shop_catalog import products

    site.use(AUTHS["class"])
    settings.SHOP_CATALOG = {**settings.SHOP_CATALOG, "STAFF_API_AUTH": "ninja.security.django_auth"}
    products.create("DRAFT", name="Draft", price=Decimal(5), is_active=False)
    client = Client(headers=WAYS["header"]("good")["headers"])
    client.cookies[settings.SESSION_COOKIE_NAME] = "x"
    for login in (lambda: None, lambda: client.force_login(site.someone)):
        login()
        assert client.get("/first/catalog/products/?include_inactive=true").status_code == 403
        assert client.get("/first/catalog/products/draft/").status_code == 404


def test_staff_key_of_another_user_does_not_count_for_the_caller(site, settings):
    from shop_catalog import products

    site.use(AUTHS["class"])
    settings.SHOP_CATALOG = {**settings.SHOP_CATALOG, "STAFF_API_AUTH": f"{__name__}.StrangersKey"}
    products.create("DRAFT", name="Draft", price=Decimal(5), is_active=False)
    client = Client(headers=WAYS["header"]("good")["headers"])
    assert client.get("/first/catalog/products/draft/", headers={"X-Staff-Key": "someone"}).status_code == 404
    assert client.get("/first/catalog/products/draft/", headers={"X-Staff-Key": "partner"}).status_code == 200


def test_staff_key_without_its_scope_leaves_the_customer(site, rf, settings):
    from shop_catalog.api import auth

    site.use(AUTHS["class"])
    settings.SHOP_CATALOG = {**settings.SHOP_CATALOG, "STAFF_API_AUTH": f"{__name__}.KeyWithoutScope"}
    request = rf.get("/", headers={"X-Partner-Key": "good", "X-Staff-Key": "x"})
    assert auth.optional(request) == site.partner
    assert not auth.is_staff(request, "shop_catalog.view_product")
    assert request.user == site.partner


def test_session_that_api_auth_does_not_name_counts_nowhere(site, settings):
    """Otherwise it would count without a CSRF token, and a response to a guest would hold a user's rows."""
    from shop_catalog import products, reviews
    from shop_orders.models import Cart

    site.use(AUTHS["class"])
    settings.SHOP_CATALOG = {**settings.SHOP_CATALOG, "PRODUCT_URL": ""}
    mug = products.create("MUG", name="Mug", price=Decimal(5), stock_quantity=5)
    reviews.submit(mug, user=site.someone, rating=5, title="Mine", body="")
    client = Client(enforce_csrf_checks=True)
    client.force_login(site.someone)
    added = client.post("/first/orders/cart/add_item/", {"product": "MUG", "quantity": 1}, "application/json")
    assert added["X-Cart-Token"]
    assert Cart.objects.filter(customer__isnull=False).count() == 0
    assert client.get("/first/catalog/reviews/").json()["items"] == []


@pytest.mark.parametrize("auth", ["class", "session first"])
def test_key_of_a_user_who_was_deactivated_is_refused_everywhere(site, auth):
    """Also where the auth does not look: reviews and staff refused the user, orders and preferences did not."""
    site.use(AUTHS[auth])
    get_user_model().objects.filter(pk=site.partner.pk).update(is_active=False)
    places = (*OPTIONAL, *CUSTOMERS, *STAFF)
    statuses = {place: Client().get(f"/first/{place}", **WAYS["header"]("good")).status_code for place in places}
    assert statuses == dict.fromkeys(places, 401)
