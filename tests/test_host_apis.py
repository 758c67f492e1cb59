"""A site's own NinjaAPI, with its own handlers, renderer and class, changes no response of the packages."""

import json

import pytest
from django.core.exceptions import ValidationError as DjangoValidationError
from django.http import Http404, HttpResponse, JsonResponse
from django.test import Client
from django.urls import path
from django.utils import translation
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.renderers import BaseRenderer
from ninja.security import APIKeyHeader
from shop_catalog.exceptions import UnknownProduct

PACKAGES = ("catalog", "orders", "notify")


def with_handler(make, *kinds):
    """A NinjaAPI that answers these exceptions in its own way."""
    api = NinjaAPI(urls_namespace=f"own-{make.__name__}")
    for kind in kinds:
        api.add_exception_handler(kind, make)
    return api


def as_list(_request, error):
    return JsonResponse([str(error)], safe=False, status=422)


def as_own_object(_request, error):
    return JsonResponse({"errors": str(error)}, status=400)


def as_page(_request, error):
    return HttpResponse(f"<h1>{error!r}</h1>", status=500)


def as_success(_request, error):
    return JsonResponse({"ok": False, "why": str(error)})


class Envelope(NinjaAPI):
    """Wraps each response, and reports each error in its own way."""

    def create_response(self, request, data, **options):
        return super().create_response(request, {"data": data}, **options)

    def on_exception(self, request, exc):
        return self.create_response(request, {"failed": type(exc).__name__}, status=418)

    def validation_error_from_error_contexts(self, error_contexts):
        return DjangoValidationError(f"{len(error_contexts)} errors")


class Upper(BaseRenderer):
    media_type = "text/x-upper"

    def render(self, request, data, *, response_status):
        return json.dumps(data, default=str).upper()


EVERY = (ValidationError, HttpError, AuthenticationError, Http404, UnknownProduct, Exception)
HOSTS = {
    "none": NinjaAPI(urls_namespace="plain"),
    "a handler with a list": with_handler(as_list, ValidationError),
    "a handler with its own object": with_handler(as_own_object, *EVERY),
    "a handler with a page": with_handler(as_page, *EVERY),
    "a handler with 200": with_handler(as_success, *EVERY),
    "a class of its own": Envelope(urls_namespace="envelope"),
    "a renderer": NinjaAPI(urls_namespace="renderer", renderer=Upper()),
}


class KeyExpired(Exception):
    """An exception of the site, which only its own handlers know."""


class KeyRefused(HttpError):
    """An exception of the site, for which it has a better handler than for other errors of HTTP."""


class KeyBlocked(KeyRefused):
    """Has the handler of its base."""


class KeyUnknown(Exception):
    """An exception of the site, whose handler says nothing."""


class Key(APIKeyHeader):
    param_name = "X-Key"

    def authenticate(self, request, key):
        if key == "expired":
            raise KeyExpired
        if key == "blocked":
            raise KeyBlocked(403, "ignored")
        if key == "unknown":
            raise KeyUnknown
        return


for site_api in HOSTS.values():
    for package in PACKAGES:
        site_api.add_router(f"/{package}/", f"shop_{package}.api.router")
        site_api.add_router(f"/{package}-staff/", f"shop_{package}.api.staff_router") if package != "catalog" else None

expired_api = NinjaAPI(urls_namespace="expired")
expired_api.add_exception_handler(KeyExpired, lambda _request, _error: JsonResponse({"expired": True}, status=401))
expired_api.add_exception_handler(
    KeyRefused, lambda _request, error: JsonResponse({"detail": f"Blocked: {error.status_code}"}, status=429)
)
expired_api.add_exception_handler(
    KeyUnknown, lambda _request, _error: HttpResponse(status=403, content_type="application/json")
)
for package in PACKAGES:
    expired_api.add_router(f"/{package}/", f"shop_{package}.api.router")

urlpatterns = [path(f"{number}/", site_api.urls) for number, site_api in enumerate(HOSTS.values())]
urlpatterns.append(path("expired/", expired_api.urls))

BAD = {"product": 1, "quantity": "many", "surprise": True}
CALLS = {
    "fields of the catalogue": ("POST", "catalog/reviews/", BAD, 422),
    "fields of orders": ("POST", "orders/cart/add_item/", BAD, 422),
    "fields of notify": ("PATCH", "notify/preferences/", BAD, 422),
    "query": ("GET", "catalog/products/?min_price=cheap", None, 422),
    "error of the package": ("GET", "catalog/products/nothing/", None, 404),
    "error of orders": ("GET", "orders/orders/XXXX/", None, 404),
    "nobody": ("GET", "notify/preferences/", None, 401),
    "broken token": ("GET", "orders/cart/", None, 401),
    "page of products": ("GET", "catalog/products/", None, 200),
    "tree": ("GET", "catalog/categories/tree/", None, 200),
    "cart": ("GET", "orders/cart/", None, 200),
    "not staff": ("GET", "orders-staff/orders/", None, 401),
    "not JSON": ("POST", "orders/cart/add_item/", None, 400),
}


@pytest.fixture
def client(settings):
    settings.ROOT_URLCONF = __name__
    with translation.override("en"):
        yield Client(raise_request_exception=False)


def call(client, host, name):
    method, place, body, _status = CALLS[name]
    headers = {"Authorization": "Bearer wrong"} if name == "broken token" else {}
    client.cookies.clear()
    if name in ("fields of the catalogue", "fields of notify"):
        client.force_login(client.user)
    content = b"{" if name == "not JSON" else json.dumps(body or {})
    return client.generic(method, f"/{list(HOSTS).index(host)}/{place}", content, "application/json", headers=headers)


def comparable(response):
    names = ("Content-Type", "Cache-Control", "ETag", "Retry-After", "Vary", "WWW-Authenticate")
    return response.status_code, response.content, {name: response.headers.get(name) for name in names}


@pytest.mark.django_db
@pytest.mark.parametrize("host", [name for name in HOSTS if name != "none"])
def test_responses_are_those_of_a_plain_host(client, django_user_model, host):
    client.user = django_user_model.objects.create_user("someone@example.org", "pw")
    for name, (*_call, status) in CALLS.items():
        plain, own = (call(client, each, name) for each in ("none", host))
        assert plain.status_code == status, (name, plain.content)
        assert comparable(own) == comparable(plain), name
        if status == 422:
            assert json.loads(own.content)["errors"], name


@pytest.mark.django_db
@pytest.mark.parametrize("package", PACKAGES)
def test_exception_of_the_site_is_answered_by_its_handler_as_a_problem(client, settings, package):
    name = f"SHOP_{package.upper()}"
    setattr(settings, name, {**getattr(settings, name), "API_AUTH": [f"{__name__}.Key"]})
    place = {"catalog": "products/", "orders": "cart/", "notify": "preferences/"}[package]
    response = client.get(f"/expired/{package}/{place}", headers={"X-Key": "expired"})
    assert response.status_code == 401
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "not_authenticated"
    blocked = client.get(f"/expired/{package}/{place}", headers={"X-Key": "blocked"})
    assert (blocked.status_code, blocked.json()["detail"]) == (429, "Blocked: 403")
    unknown = client.get(f"/expired/{package}/{place}", headers={"X-Key": "unknown"})
    assert (unknown.status_code, unknown.json()["code"]) == (403, "permission_denied")
