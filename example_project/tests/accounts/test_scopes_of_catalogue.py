"""Operations that customers and staff share: a token does what its scopes and its user's permissions both allow."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from shop_catalog import categories, products, reviews
from shop_catalog.models import Review
from tests.accounts.test_authorisation import BASE, MATRIX, MakeToken, routes

pytestmark = pytest.mark.django_db

SHOP = ["shop:read", "shop:write"]
OTHERS = ["openid", "orders:read", "orders:write"]

# Method, path and body of what only staff get from an operation that is for customers too; the status for staff, and
# for everybody else who may call the operation.
SHARED: list[tuple[str, str, Any, int, int]] = [
    ("GET", "/products/products/?include_inactive=true", None, 200, 403),
    ("GET", "/products/products/hidden-mug/", None, 200, 404),
    ("GET", "/products/products/hidden-mug/images/", None, 200, 404),
    ("GET", "/products/categories/?include_inactive=true", None, 200, 403),
    ("GET", "/products/categories/cellar/", None, 200, 404),
    ("PATCH", "/products/reviews/{pending}/", {"status": "published"}, 200, 404),
    ("PATCH", "/products/reviews/{pending}/", {"reply": "Thank you"}, 200, 404),
    ("PATCH", "/products/reviews/{own}/", {"status": "published"}, 200, 403),
    ("PATCH", "/products/reviews/{own}/", {"title": "Solid", "reply": "We think so"}, 200, 403),
    ("DELETE", "/products/reviews/{pending}/", None, 204, 404),
]


@pytest.fixture
def shelf(world: dict[str, str], people: dict[str, Any]) -> dict[str, str]:
    """Reviews that wait, and what is switched off."""
    cellar = categories.create("Cellar")
    cellar.is_active = False
    cellar.save()
    products.create(sku="HID", name="Hidden mug", price=Decimal(1), is_active=False)
    mug = products.create(sku="POT", name="Pot", price=Decimal(1))
    mine = reviews.submit(mug, user=people["staff"], rating=4)
    return {"pending": world["id"], "own": str(mine.public_id)}


def status_of(client: Client, method: str, path: str, body: Any, shelf: dict[str, str]) -> int:
    data = "" if body is None else json.dumps(body)
    for name, value in shelf.items():
        path = path.replace(f"{{{name}}}", value)
    return client.generic(method, BASE + path, data, content_type="application/json").status_code


@pytest.mark.parametrize("scopes", [SHOP, [*SHOP, *OTHERS]])
def test_token_without_the_staff_scope_is_as_that_of_a_customer(shelf, people, make_token: MakeToken, scopes):
    client = Client(headers={"Authorization": f"Bearer {make_token(people['staff'], scopes)}"})
    before = list(Review.objects.order_by("pk").values())

    found = {
        (method, path, str(body)): status_of(client, method, path, body, shelf) for method, path, body, *_ in SHARED
    }

    assert found == {(method, path, str(body)): refused for method, path, body, _allowed, refused in SHARED}
    assert list(Review.objects.order_by("pk").values()) == before
    listed = client.get(f"{BASE}/products/reviews/").json()["items"]
    assert [item["id"] for item in listed] == [shelf["own"]]


@pytest.mark.parametrize("by", ["scopes", "log-in"])
def test_staff_with_the_scope_get_their_part(shelf, people, make_token: MakeToken, by):
    if by == "scopes":
        client = Client(headers={"Authorization": f"Bearer {make_token(people['staff'], [*SHOP, 'staff'])}"})
    else:
        client = Client()
        client.force_login(people["staff"], backend="django.contrib.auth.backends.ModelBackend")

    for method, path, body, allowed, _refused in SHARED:
        assert status_of(client, method, path, body, shelf) == allowed, (method, path, body)
    assert len(client.get(f"{BASE}/products/reviews/").json()["items"]) == 1  # the other one was deleted above


def test_customer_with_the_scope_gets_no_more(shelf, people, make_token: MakeToken):
    client = Client(headers={"Authorization": f"Bearer {make_token(people['stranger'], [*SHOP, 'staff'])}"})

    for method, path, body, _allowed, refused in SHARED:
        wanted = 404 if "{own}" in path else refused
        assert status_of(client, method, path, body, shelf) == wanted, (method, path, body)


def test_every_shared_operation_is_tried_above():
    """Operations of the catalogue without the staff scope; those of which staff get no more are named here."""
    alike = {"tree/", "featured/", "average_price/"}
    shared = {
        (method, path)
        for (method, path) in routes()
        if path.startswith("/products/") and MATRIX[method, path][0] == "shop" and not path.endswith(tuple(alike))
    }
    parts = {"hidden-mug": "{slug}", "cellar": "{slug}", "{pending}": "{id}", "{own}": "{id}"}
    tried = set()
    for method, path, *_rest in SHARED:
        route = path.partition("?")[0]
        for name, variable in parts.items():
            route = route.replace(name, variable)
        tried.add((method, route))
    assert shared - tried == {("GET", "/products/reviews/"), ("POST", "/products/reviews/")}
