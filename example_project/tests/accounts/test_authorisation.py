"""The access matrix of the API: one row for each route, so that a new route without a row fails."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from accounts.models import User
from config.api import api as mounted
from django.http import HttpResponse
from django.test import Client
from PIL import Image
from shop_orders.models import Customer
from tests.accounts.matrix import rolled_back

pytestmark = pytest.mark.django_db
PASSWORD = "a-long-and-odd-one-42"
BASE = "/api/v1"
MakeToken = Callable[[User | None, list[str]], str]
SCOPES = ("shop:read", "shop:write", "orders:read", "orders:write", "staff")
PEOPLE = ("anonymous", "owner", "stranger", "staff_without", "staff")

EVERYBODY = (200, 200, 200, 200, 200)
CUSTOMERS = (401, 200, 200, 200, 200)
OWNER = (404, 200, 404, 404, 404)


def staff(status: int) -> tuple[int, ...]:
    return (401, 403, 403, 403, status)


# Method and path: the scopes' group, the status for each of PEOPLE, and what is sent. None: no scope is asked for.
MATRIX: dict[tuple[str, str], tuple[str | None, tuple[int, ...], Any]] = {
    ("POST", "/auth/customers/register/"): (
        None,
        (201,) * 5,
        {"email": "more@example.org", "password": PASSWORD, "first_name": "M", "last_name": "N"},
    ),
    ("POST", "/auth/customers/login/"): (None, (200,) * 5, {"email": "owner@example.org", "password": PASSWORD}),
    ("POST", "/auth/customers/refresh/"): (None, (401,) * 5, {"refresh_token": "x"}),
    ("POST", "/auth/customers/logout/"): ("orders", (401, 204, 204, 204, 204), None),
    ("GET", "/auth/customers/profile/"): ("orders", CUSTOMERS, None),
    ("PATCH", "/auth/customers/update_profile/"): ("orders", CUSTOMERS, {"first_name": "X"}),
    ("GET", "/notifications/preferences/"): ("orders", CUSTOMERS, None),
    ("PATCH", "/notifications/preferences/"): ("orders", CUSTOMERS, {"groups": {}}),
    ("GET", "/notifications/staff/"): ("staff", staff(200), None),
    ("GET", "/notifications/staff/notifiers/"): ("staff", staff(200), None),
    ("POST", "/notifications/staff/preview/"): (
        "staff",
        staff(200),
        {"signal": "shop_orders.signals.order_placed", "payload": {}},
    ),
    ("POST", "/notifications/staff/retry/"): ("staff", staff(200), {}),
    ("GET", "/notifications/staff/{notification_id}/"): ("staff", staff(200), None),
    ("GET", "/notifications/staff/{notification_id}/preview/"): ("staff", staff(200), None),
    ("POST", "/notifications/staff/{notification_id}/resend/"): ("staff", staff(201), {}),
    ("POST", "/notifications/staff/{notification_id}/retry/"): ("staff", staff(409), None),
    ("GET", "/orders/cart/"): ("orders", EVERYBODY, None),
    ("GET", "/orders/cart/payment_providers/"): ("orders", EVERYBODY, None),
    ("POST", "/orders/cart/add_item/"): ("orders", EVERYBODY, {"product": "MUG"}),
    ("DELETE", "/orders/cart/clear/"): ("orders", EVERYBODY, None),
    ("GET", "/orders/cart/reminder/"): ("orders", EVERYBODY, None),
    ("PUT", "/orders/cart/reminder/"): ("orders", (409,) * 5, {}),
    ("DELETE", "/orders/cart/reminder/"): ("orders", EVERYBODY, None),
    ("POST", "/orders/cart/merge/"): ("orders", (401, 404, 404, 404, 404), None),
    ("DELETE", "/orders/cart/remove_item/"): ("orders", (422,) * 5, {"product": "MUG"}),
    ("PATCH", "/orders/cart/update_quantity/"): ("orders", (422,) * 5, {"product": "MUG", "quantity": 1}),
    ("GET", "/orders/orders/"): ("orders", CUSTOMERS, None),
    ("POST", "/orders/orders/"): ("orders", (409,) * 5, {}),
    ("GET", "/orders/orders/{number}/"): ("orders", OWNER, None),
    ("POST", "/orders/orders/{number}/cancel/"): ("orders", OWNER, {}),
    ("GET", "/orders/orders/{number}/payments/"): ("orders", OWNER, None),
    ("POST", "/orders/orders/{number}/payments/"): ("orders", (404, 201, 404, 404, 404), {}),
    ("GET", "/orders/orders/{number}/tracking/"): ("orders", OWNER, None),
    ("GET", "/orders/staff/incoming-payments/"): ("staff", staff(200), None),
    ("GET", "/orders/staff/incoming-payments/{incoming_id}/"): ("staff", staff(404), None),
    ("POST", "/orders/staff/incoming-payments/{incoming_id}/assign/"): ("staff", staff(404), {"order": "K7MXQ-4T29P"}),
    ("POST", "/orders/staff/incoming-payments/{incoming_id}/dismiss/"): ("staff", staff(404), {"comment": "x"}),
    ("GET", "/orders/staff/orders/"): ("staff", staff(200), None),
    ("GET", "/orders/staff/orders/{number}/"): ("staff", staff(200), None),
    ("POST", "/orders/staff/orders/{number}/cancel/"): ("staff", staff(200), {}),
    ("POST", "/orders/staff/orders/{number}/cancel-units/"): ("staff", staff(200), {}),
    ("POST", "/orders/staff/orders/{number}/confirm/"): ("staff", staff(409), {}),
    ("POST", "/orders/staff/orders/{number}/deliver/"): ("staff", staff(409), {}),
    ("POST", "/orders/staff/orders/{number}/note/"): ("staff", staff(200), {"text": "Called back"}),
    ("POST", "/orders/staff/orders/{number}/payments/"): ("staff", staff(200), {}),
    ("POST", "/orders/staff/orders/{number}/payments/{payment_id}/capture/"): ("staff", staff(409), {}),
    ("POST", "/orders/staff/orders/{number}/payments/{payment_id}/record-refund/"): (
        "staff",
        staff(409),
        {"amount": "1.00"},
    ),
    ("POST", "/orders/staff/orders/{number}/payments/{payment_id}/resolve/"): (
        "staff",
        staff(409),
        {"amount": "1.00"},
    ),
    ("POST", "/orders/staff/orders/{number}/payments/{payment_id}/resolve-dispute/"): (
        "staff",
        staff(409),
        {"amount": "1.00", "reason": "Seen"},
    ),
    ("POST", "/orders/staff/orders/{number}/state/"): ("staff", staff(422), {"state": "no such state"}),
    ("POST", "/orders/staff/orders/{number}/process/"): ("staff", staff(200), {}),
    ("POST", "/orders/staff/orders/{number}/refund/"): ("staff", staff(409), {}),
    ("POST", "/orders/staff/orders/{number}/reinstate/"): ("staff", staff(409), {}),
    ("POST", "/orders/staff/orders/{number}/refunds/{refund_id}/resolve/"): (
        "staff",
        staff(404),
        {"succeeded": True},
    ),
    ("POST", "/orders/staff/orders/{number}/restock/"): (
        "staff",
        staff(422),
        {"lines": [{"product": "MUG", "quantity": 1}]},
    ),
    ("POST", "/orders/staff/orders/{number}/ship/"): ("staff", staff(409), {}),
    ("GET", "/products/categories/"): ("shop", EVERYBODY, None),
    ("POST", "/products/categories/"): ("staff", staff(201), {"name": "Garden"}),
    ("GET", "/products/categories/tree/"): ("shop", EVERYBODY, None),
    ("GET", "/products/categories/{slug}/"): ("shop", EVERYBODY, None),
    ("PATCH", "/products/categories/{slug}/"): ("staff", staff(200), {"position": 2}),
    ("DELETE", "/products/categories/{slug}/"): ("staff", staff(204), None),
    ("GET", "/products/categories/{slug}/average_price/"): ("shop", EVERYBODY, None),
    ("POST", "/products/categories/{slug}/image/"): ("staff", staff(200), "picture"),
    ("DELETE", "/products/categories/{slug}/image/"): ("staff", staff(204), None),
    ("GET", "/products/products/"): ("shop", EVERYBODY, None),
    ("POST", "/products/products/"): ("staff", staff(201), {"sku": "TEA", "name": "Tea", "price": "10"}),
    ("POST", "/products/products/bulk_create/"): ("staff", staff(201), [{"sku": "TEA", "name": "Tea", "price": "1"}]),
    ("POST", "/products/products/bulk_create/preview/"): ("staff", staff(200), []),
    ("GET", "/products/products/featured/"): ("shop", EVERYBODY, None),
    ("GET", "/products/products/{slug}/"): ("shop", EVERYBODY, None),
    ("PATCH", "/products/products/{slug}/"): ("staff", staff(200), {"name": "Mug"}),
    ("DELETE", "/products/products/{slug}/"): ("staff", staff(204), None),
    ("GET", "/products/products/{slug}/images/"): ("shop", EVERYBODY, None),
    ("POST", "/products/products/{slug}/images/"): ("staff", staff(201), "picture"),
    ("DELETE", "/products/products/{slug}/images/"): ("staff", staff(404), None),
    ("GET", "/products/products/{slug}/stock/"): ("staff", staff(200), None),
    ("POST", "/products/products/{slug}/stock/"): ("staff", staff(201), {"kind": "receive", "quantity": 1}),
    ("GET", "/products/reviews/"): ("shop", EVERYBODY, None),
    ("POST", "/products/reviews/"): ("shop", (401, 409, 201, 403, 201), {"product": "market-mug", "rating": 4}),
    ("PATCH", "/products/reviews/{id}/"): ("shop", (401, 200, 404, 404, 403), {"title": "Still solid"}),
    ("DELETE", "/products/reviews/{id}/"): ("shop", (401, 204, 404, 404, 204), None),
}


PARTNER = {
    ("POST", "/auth/customers/logout/"): 204,  # it ends its own token
    ("PATCH", "/products/reviews/{id}/"): 404,
    ("DELETE", "/products/reviews/{id}/"): 404,
}
"""Operations where a partner's token, with every scope and no user, differs from an anonymous caller."""


def routes() -> list[tuple[str, str]]:
    """Method and path below /api/v1 of every operation."""
    return sorted(
        (method.upper(), path.removeprefix(BASE))
        for path, operations in mounted.get_openapi_schema()["paths"].items()
        for method in operations
    )


def test_every_route_has_a_row():
    served = {re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(pattern.pattern)) for pattern in mounted.urls[0]}

    assert routes() == sorted(MATRIX)
    assert served - {""} == {path.removeprefix("/") for _method, path in MATRIX}


@pytest.fixture
def caller(request: pytest.FixtureRequest, people: dict[str, User], make_token: MakeToken) -> tuple[str, Client]:
    """The name of a caller and a client that sends its credential."""
    name: str = request.param
    if name == "anonymous":
        return name, Client()
    if name in people:
        login = {"email": people[name].email, "password": PASSWORD}
        response = Client().post(f"{BASE}/auth/customers/login/", login, content_type="application/json")
        token = response.json()["access_token"]
    elif name == "partner":
        token = make_token(None, list(SCOPES))
    elif name == "customer with the scope staff":
        token = make_token(people["owner"], ["staff"])
    else:
        user = people["staff"] if name == "scope staff" else people["owner"]
        token = make_token(user, [name.removeprefix("scope ")])
    return name, Client(headers={"Authorization": f"Bearer {token}"})


def call(client: Client, method: str, route: str, body: Any, world: dict[str, str]) -> HttpResponse:
    slug = "kitchen" if route.startswith("/products/categories") else "market-mug"
    path = BASE + route.replace("{slug}", slug)
    for name, value in world.items():
        path = path.replace(f"{{{name}}}", value)
    if method == "DELETE" and route.endswith("/images/"):
        path += "?id=00000000-0000-0000-0000-000000000000"
    if body == "picture":
        picture = io.BytesIO()
        Image.new("RGB", (400, 300), "teal").save(picture, "PNG")
        picture.seek(0)
        picture.name = "mug.png"
        return client.post(path, {"file": picture, "alt": "A mug"} if "images" in route else {"file": picture})
    data = "" if body is None else json.dumps(body)
    return client.generic(method, path, data, content_type="application/json")


def expected(caller: str, method: str, route: str, group: str | None, statuses: tuple[int, ...]) -> int:
    """The expected status of a caller.

    A scope never exceeds the user's own permissions; a partner's token has no user.
    """
    cells = dict(zip(PEOPLE, statuses, strict=True))
    if caller in cells:
        return cells[caller]
    if group is None:
        return cells["anonymous"]
    if caller == "partner":
        return PARTNER.get((method, route), cells["anonymous"])
    wanted = "staff" if group == "staff" else f"{group}:{'read' if method == 'GET' else 'write'}"
    if caller == "customer with the scope staff":
        return cells["owner"] if wanted == "staff" else 403
    if caller.removeprefix("scope ") != wanted:
        return 403
    return cells["staff"] if wanted == "staff" else cells["owner"]


@pytest.mark.parametrize(
    "caller",
    [*PEOPLE, *(f"scope {scope}" for scope in SCOPES), "customer with the scope staff", "partner"],
    indirect=True,
)
def test_every_cell(caller, world):
    """Each call is rolled back, so that all calls find the same data."""
    name, client = caller
    wrong = {}
    for (method, route), (group, statuses, body) in MATRIX.items():
        with rolled_back():
            response = call(client, method, route, body, world)
        wanted = expected(name, method, route, group, statuses)
        if response.status_code != wanted:
            wrong[method, route] = (response.status_code, wanted, response.content[:200])
        if response.status_code in {401, 403}:
            assert response["Content-Type"] == "application/problem+json", (method, route)
        if name.startswith("scope ") and wanted == 403:
            assert response.json()["code"] == "insufficient_scope", (method, route)
            assert response["WWW-Authenticate"].startswith('Bearer error="insufficient_scope", scope="'), (
                method,
                route,
            )

    assert not wrong, "\n".join(f"{route}: {found}" for route, found in wrong.items())


@pytest.mark.parametrize("caller", ["owner", "scope orders:read", "partner"], indirect=True)
@pytest.mark.parametrize("change", ["deactivated", "deleted"])
def test_credentials_of_deactivated_or_deleted_users_are_refused(caller, world, change):
    name, client = caller
    owner = Customer.objects.get(user__email="owner@example.org").user
    if change == "deactivated":
        type(owner).objects.filter(pk=owner.pk).update(is_active=False)
    else:
        owner.delete()
    wanted = 200 if name == "partner" else 401

    responses = {
        route: call(client, "GET", route, None, world).status_code
        for (method, route), (group, statuses, _body) in MATRIX.items()
        if method == "GET" and statuses == EVERYBODY and group in {"orders", "shop"}
    }

    assert responses == dict.fromkeys(responses, wanted)
