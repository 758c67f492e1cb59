"""Every operation refuses bad input with a declared 4xx and stores nothing.

Each test starts from the operation's valid body and puts into one field at a time a value that could cause a 500 or
an unreadable row. A new operation that takes a body fails until it has a valid one here.
"""

import json
from copy import deepcopy
from functools import cache

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from shop_orders import carts, payments
from shop_orders.models import Cart, CartItem, Order, OrderEvent, Payment, Refund, Shipment
from testproject.urls import api

pytestmark = pytest.mark.django_db

ADDRESS = {
    "name": "Test Customer",
    "company": "Test Company",
    "line1": "1 Test Road",
    "line2": "Flat 1",
    "city": "Nairobi",
    "region": "Nairobi",
    "postal_code": "00100",
    "country": "KE",
    "phone": "0712345678",
}
NOTIFY = {"notify": True}
GOOD = {
    "add_cart_item": {"product": "978-1", "quantity": 1},
    "set_cart_item_quantity": {"product": "978-1", "quantity": 1},
    "remove_cart_item": {"product": "978-1"},
    "agree_to_cart_reminder": {"email": "customer@example.org"},
    "place_order": {
        "contact": {"name": "Test Customer", "email": "customer@example.org", "phone": "0712345678", "language": "en"},
        "shipping_address": ADDRESS,
        "billing_address": ADDRESS,
        "delivery": "home",
        "payment_provider": "memory",
        "note": "Ring twice",
        "expected_total": "25.00",
    },
    "cancel_order": {"reason": "Changed my mind"},
    "start_payment": {"payment_provider": "memory", "phone": "0712345678", "return_url": "/thanks/"},
    "staff_confirm_order": {**NOTIFY, "accept_unpaid": True},
    "staff_process_order": NOTIFY,
    "staff_deliver_order": NOTIFY,
    "staff_ship_order": {
        **NOTIFY,
        "lines": [{"product": "978-1", "quantity": 1}],
        "carrier": "City Couriers",
        "tracking_number": "CC1",
        "tracking_url": "https://couriers.example.org/CC1",
    },
    "staff_cancel_order": {**NOTIFY, "reason": "Sold out"},
    "staff_cancel_units": {**NOTIFY, "lines": [{"product": "978-1", "quantity": 1}], "reason": "Sold out"},
    "staff_record_payment": {**NOTIFY, "amount": "25.00", "payment_provider": "bank"},
    "staff_capture_payment": NOTIFY,
    "staff_resolve_payment": {**NOTIFY, "amount": "20.00"},
    "staff_record_provider_refund": {**NOTIFY, "amount": "5.00", "reference": "re-1", "reason": "Torn cover"},
    "staff_refund_order": {
        **NOTIFY,
        "amount": "5.00",
        "lines": [{"product": "978-1", "quantity": 1}],
        "shipping": True,
        "credit": True,
        "reason": "Torn cover",
        "restock": [{"product": "978-1", "quantity": 1}],
        "cancel": [{"product": "978-1", "quantity": 1}],
    },
    "staff_resolve_dispute": {"amount": "5.00", "reason": "Seen there", "reference": "dp-1", "is_lost": True},
    "staff_resolve_refund": {**NOTIFY, "succeeded": True, "reason": "Seen on the statement"},
    "staff_assign_incoming_payment": {**NOTIFY, "order": "K7MXQ-4T29P"},
    "staff_dismiss_incoming_payment": {"comment": "Sent back"},
    "staff_reinstate_order": NOTIFY,
    "staff_set_order_state": {"state": "packed"},
    "staff_restock_order": {
        "lines": [{"product": "978-1", "quantity": 1}],
        "credit": True,
        "reason": "Refused at the door",
    },
    "staff_note_order": {"text": "Called back", "is_public": False},
}
MONEY = ("amount", "expected_total")
DEEP = json.loads("[" * 60 + "]" * 60)
BAD_VALUES = {
    str: ["\0", "a\0b", "\ud800", "x" * 10_001, 5, True, ["x"], {"x": 1}, DEEP],
    int: [-1, 2**31, 2**63, 10**400, True, "5", 1.5, [1], {"x": 1}],
    bool: [2, "maybe", [True], {"x": 1}],
    dict: ["x", 5, [1]],
    list: ["x", 5, {"x": 1}, [[]], [None]],
    "money": ["1e400", "1e-400", "-1", "-0", "1_0", " 5 ", "NaN", "\uff11\uff12", 5, 12.5, "9" * 11, "0.00001", True],
}
BODIES = {
    "a list": b"[]",
    "a text": b'"x"',
    "no JSON": b"{",
    "NaN": b'{"x": NaN}',
    "UTF-16": '{"x": 1}'.encode("utf-16"),
    "the same name twice": b'{"notify": true, "notify": false}',
    "5,000 levels": b"[" * 5000 + b"]" * 5000,
    "300 kB": b'{"x": "' + b"x" * 300_000 + b'"}',
    "3 MB": b'{"x": "' + b"x" * 3_000_000 + b'"}',
}


@cache
def operations():
    """``{operation id: (method, path, declared statuses)}`` of every operation with a JSON body."""
    return {
        operation["operationId"]: (method.upper(), path, set(map(int, operation["responses"])))
        for path, methods in api.get_openapi_schema()["paths"].items()
        for method, operation in methods.items()
        if "requestBody" in operation
    }


def bad_variants(value, name=""):
    """Yield ``(where, body)`` for each bad body that differs from the valid one in one place."""
    kind = "money" if name in MONEY else type(value)
    yield from ((name, bad) for bad in BAD_VALUES[kind])
    if isinstance(value, dict):
        yield f"{name}.status", {**value, "status": "paid"}
        for key, inner in value.items():
            for where, bad in bad_variants(inner, key):
                yield f"{name}.{where}", {**deepcopy(value), key: bad}
    elif isinstance(value, list):
        for where, bad in bad_variants(value[0]):
            yield f"{name}[0].{where}", [bad]


def stored_rows():
    models = (Cart, CartItem, Order, OrderEvent, Payment, Refund, Shipment)
    return {model.__name__: list(model.objects.order_by("pk").values()) for model in models}


@pytest.fixture
def call_operation(place, customer, user, memory_provider, book):
    """``call_operation(name, body)`` as a user with every permission, an order, a payment and a cart."""
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="shop_orders"))
    user = get_user_model().objects.get(pk=user.pk)
    order = place(provider="memory")
    payment = payments.start(order.pk)
    cart, _token = carts.find_or_open(customer=customer)
    carts.add_item(cart, book.isbn, 2)
    client = Client(headers={"Authorization": f"Bearer user-{user.pk}"})

    def call(name, body, **headers):
        method, path, declared = operations()[name]
        path = path.replace("{number}", order.number).replace("{payment_id}", str(payment.public_id))
        data = body if isinstance(body, bytes) else json.dumps(body)
        response = client.generic(method, path, data, "application/json", headers=headers)
        assert response.status_code in declared, (name, response.status_code)
        return response

    call.client, call.order = client, order
    return call


def test_every_operation_with_a_body_has_a_valid_one_here():
    assert set(operations()) == set(GOOD)


@pytest.mark.parametrize("name", GOOD)
def test_bad_values_are_refused_and_nothing_is_stored(call_operation, name):
    before = stored_rows()
    accepted = []
    for where, body in bad_variants(GOOD[name]):
        response = call_operation(name, body)
        if response.status_code not in (400, 413, 422) or response["Content-Type"] != "application/problem+json":
            accepted.append((where, str(body)[:200], response.status_code))
    assert accepted == []
    assert stored_rows() == before
    for path in (
        "orders/",
        "cart/",
        f"orders/{call_operation.order.number}/",
        f"staff/orders/{call_operation.order.number}/",
    ):
        assert call_operation.client.get(f"/api/orders/{path}").status_code == 200


@pytest.mark.parametrize("name", GOOD)
def test_bad_bodies_are_refused_and_nothing_is_stored(call_operation, name):
    before = stored_rows()
    for description, body in BODIES.items():
        response = call_operation(name, body)
        assert response.status_code in (400, 413, 422), (description, response.status_code)
    assert stored_rows() == before


@pytest.mark.parametrize("key", ["a\0b", "x" * 256, "\ud800".encode("utf-8", "surrogatepass").decode("latin-1")])
@pytest.mark.parametrize("name", GOOD)
def test_invalid_idempotency_keys_never_get_a_500(call_operation, name, key):
    assert call_operation(name, GOOD[name], **{"Idempotency-Key": key}).status_code < 500


@pytest.mark.parametrize("number", ["%00", "%ED%A0%80", "x" * 300, "%2e%2e", "1", "-1", "9" * 400])
def test_invalid_order_numbers_are_not_found(call_operation, number):
    for method, path, _declared in operations().values():
        if "{number}" in path:
            url = path.replace("{number}", number).replace("{payment_id}", number)
            response = call_operation.client.generic(method, url, "{}", "application/json")
            assert response.status_code in (404, 422), (url, response.status_code)
