"""The status that each caller gets from each route. A new route without a row fails."""

import json

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from shop_orders import guest_links, payments
from testproject.urls import api

pytestmark = pytest.mark.django_db

CALLERS = ("anonymous", "owner", "stranger", "staff_without_permissions", "staff", "link")
OWNER_OR_LINK = (404, 200, 404, 404, 404, 200)
PUBLIC = (200, 200, 200, 200, 200, 200)
STAFF = (401, 403, 403, 403, 200, 401)

MATRIX = {
    ("GET", "/cart/"): PUBLIC,
    ("POST", "/cart/add_item/"): PUBLIC,
    ("PATCH", "/cart/update_quantity/"): (422, 422, 422, 422, 422, 422),
    ("DELETE", "/cart/remove_item/"): (422, 422, 422, 422, 422, 422),
    ("GET", "/cart/payment_providers/"): PUBLIC,
    ("DELETE", "/cart/clear/"): PUBLIC,
    ("GET", "/cart/reminder/"): PUBLIC,
    ("PUT", "/cart/reminder/"): (409, 409, 409, 409, 409, 409),
    ("DELETE", "/cart/reminder/"): PUBLIC,
    ("POST", "/cart/merge/"): (401, 404, 404, 404, 404, 401),
    ("GET", "/orders/"): (401, 200, 200, 200, 200, 401),
    ("POST", "/orders/"): (409, 409, 409, 409, 409, 409),
    ("GET", "/orders/{number}/"): OWNER_OR_LINK,
    ("POST", "/orders/{number}/cancel/"): OWNER_OR_LINK,
    ("GET", "/orders/{number}/tracking/"): OWNER_OR_LINK,
    ("GET", "/orders/{number}/payments/"): OWNER_OR_LINK,
    ("POST", "/orders/{number}/payments/"): (404, 201, 404, 404, 404, 201),
    ("GET", "/staff/incoming-payments/"): STAFF,
    ("GET", "/staff/incoming-payments/{incoming_id}/"): (401, 403, 403, 403, 404, 401),
    ("POST", "/staff/incoming-payments/{incoming_id}/assign/"): (401, 403, 403, 403, 404, 401),
    ("POST", "/staff/incoming-payments/{incoming_id}/dismiss/"): (401, 403, 403, 403, 404, 401),
    ("GET", "/staff/orders/"): STAFF,
    ("GET", "/staff/orders/{number}/"): STAFF,
    ("POST", "/staff/orders/{number}/confirm/"): STAFF,
    ("POST", "/staff/orders/{number}/process/"): (401, 403, 403, 403, 409, 401),
    ("POST", "/staff/orders/{number}/state/"): (401, 403, 403, 403, 422, 401),
    ("POST", "/staff/orders/{number}/deliver/"): (401, 403, 403, 403, 409, 401),
    ("POST", "/staff/orders/{number}/ship/"): (401, 403, 403, 403, 409, 401),
    ("POST", "/staff/orders/{number}/cancel/"): STAFF,
    ("POST", "/staff/orders/{number}/cancel-units/"): STAFF,
    ("POST", "/staff/orders/{number}/payments/"): (401, 403, 403, 403, 422, 401),
    ("POST", "/staff/orders/{number}/payments/{payment_id}/capture/"): (401, 403, 403, 403, 409, 401),
    ("POST", "/staff/orders/{number}/payments/{payment_id}/resolve/"): (401, 403, 403, 403, 409, 401),
    ("POST", "/staff/orders/{number}/payments/{payment_id}/resolve-dispute/"): (401, 403, 403, 403, 409, 401),
    ("POST", "/staff/orders/{number}/payments/{payment_id}/record-refund/"): (401, 403, 403, 403, 409, 401),
    ("POST", "/staff/orders/{number}/refund/"): (401, 403, 403, 403, 409, 401),
    ("POST", "/staff/orders/{number}/refunds/{refund_id}/resolve/"): (401, 403, 403, 403, 404, 401),
    ("POST", "/staff/orders/{number}/reinstate/"): (401, 403, 403, 403, 409, 401),
    ("POST", "/staff/orders/{number}/restock/"): (401, 403, 403, 403, 422, 401),
    ("POST", "/staff/orders/{number}/note/"): STAFF,
}
BODIES = {
    "/staff/orders/{number}/state/": {"state": "no such state"},
    "/staff/orders/{number}/confirm/": {"accept_unpaid": True},
    "/cart/add_item/": {"product": "978-1"},
    "/cart/update_quantity/": {"product": "978-1", "quantity": 1},
    "/staff/incoming-payments/{incoming_id}/assign/": {"order": "K7MXQ-4T29P"},
    "/staff/incoming-payments/{incoming_id}/dismiss/": {"comment": "Sent back"},
    "/staff/orders/{number}/note/": {"text": "Called back"},
    "/staff/orders/{number}/restock/": {"lines": [{"product": "978-1", "quantity": 1}]},
    "/staff/orders/{number}/payments/{payment_id}/resolve/": {"amount": "1.00"},
    "/staff/orders/{number}/payments/{payment_id}/resolve-dispute/": {"amount": "1.00", "reason": "Seen"},
    "/staff/orders/{number}/payments/{payment_id}/record-refund/": {"amount": "1.00"},
    "/staff/orders/{number}/refunds/{refund_id}/resolve/": {"succeeded": True},
}


def routes():
    """Method and path below /api/orders of every operation."""
    return sorted(
        (method.upper(), path.removeprefix("/api/orders"))
        for path, operations in api.get_openapi_schema()["paths"].items()
        for method in operations
    )


def test_every_route_has_a_row():
    assert routes() == sorted(MATRIX)


@pytest.fixture
def callers(user, other_user, place, guest_order, memory_provider):
    """Client and order of each caller: a guest's order for the link, the owner's order for all others."""
    users = get_user_model().objects
    staff_without_permissions = users.create_user("test-staff-without", "s0@example.org", "pw", is_staff=True)
    staff = users.create_user("test-staff", "staff@example.org", "pw", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(content_type__app_label="shop_orders"))
    order, guests = place(provider="memory"), guest_order(provider="memory")

    def login(caller):
        return Client(headers={"Authorization": f"Bearer user-{caller.pk}"})

    return {
        "anonymous": (Client(), order),
        "owner": (login(user), order),
        "stranger": (login(other_user), order),
        "staff_without_permissions": (login(staff_without_permissions), order),
        "staff": (login(staff), order),
        "link": (Client(headers={"X-Order-Token": guest_links.token_for(guests.number)}), guests),
    }


def call(client, method, route, order, query=""):
    path = "/api/orders" + route.replace("{number}", order.number) + query
    if "{payment_id}" in path:
        path = path.replace("{payment_id}", str(payments.start(order.pk).public_id))
    return client.generic(method, path, *_body(method, route))


def _body(method, route):
    if method in ("GET", "DELETE"):
        return ()
    return (json.dumps(BODIES.get(route, {})), "application/json")


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize(("method", "route"), MATRIX)
def test_status_of_each_caller(callers, method, route, caller):
    client, order = callers[caller]
    token = client._base_environ().get("HTTP_X_ORDER_TOKEN", "")
    query = f"?token={token}" if caller == "link" and method == "GET" else ""
    response = call(client, method, route, order, query)
    assert response.status_code == MATRIX[method, route][CALLERS.index(caller)], response.content[:300]


@pytest.mark.parametrize(("method", "route"), MATRIX)
def test_broken_credentials_are_401_everywhere(callers, method, route):
    _client, order = callers["owner"]
    for value in ("Bearer user-999999", "Bearer ", "Digest username=x", "nonsense"):
        response = call(Client(headers={"Authorization": value}), method, route, order)
        assert response.status_code == 401, (value, response.content[:300])
        assert response["Content-Type"] == "application/problem+json"
        assert response["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "route"), MATRIX)
def test_deactivated_users_are_401_everywhere(callers, user, method, route):
    client, order = callers["owner"]
    get_user_model().objects.update(is_active=False)
    assert call(client, method, route, order).status_code == 401


@pytest.mark.parametrize("route", sorted({route for _method, route in MATRIX}))
def test_other_methods_are_405(callers, route):
    client, order = callers["owner"]
    known = {method for method, path in MATRIX if path == route}
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - known:
        assert call(client, method, route, order).status_code == 405


def test_session_of_a_customer_needs_csrf(user, book):
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    assert client.get("/api/orders/cart/").status_code == 200
    response = client.post("/api/orders/cart/add_item/", {"product": "978-1"}, "application/json")
    assert response.status_code == 403
    assert response["Content-Type"] == "application/problem+json"


def test_guest_without_a_session_needs_no_csrf(book):
    client = Client(enforce_csrf_checks=True)
    assert client.post("/api/orders/cart/add_item/", {"product": "978-1"}, "application/json").status_code == 200


def test_openapi_document_declares_authentication():
    document = api.get_openapi_schema()
    assert set(document["components"]["securitySchemes"]) == {"Bearer", "SessionAuth"}
    assert document["components"]["securitySchemes"]["Bearer"] == {"type": "http", "scheme": "bearer"}
    paths = document["paths"]
    assert paths["/api/orders/orders/"]["get"]["security"] == [{"Bearer": []}, {"SessionAuth": []}]
    assert paths["/api/orders/cart/"]["get"]["security"] == [{"Bearer": []}, {"SessionAuth": []}, {}]
    operations = [operation for path in paths.values() for operation in path.values()]
    assert all(operation["summary"] and "." not in operation["operationId"] for operation in operations)
    assert all({"400", "413", "415", "422", "429", "503"} <= set(map(str, op["responses"])) for op in operations)
