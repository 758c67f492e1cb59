"""Bad input at every operation that writes, made from one good body each: a 4xx that is declared, and nothing stored.

What a plain API answers with 500, or stores and never can read again, stands in each field in turn. A new operation
that takes a body fails until it has a good one here.
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
TELL = {"notify": True}
GOOD = {
    "add_cart_item": {"product": "978-1", "quantity": 1},
    "set_cart_item_quantity": {"product": "978-1", "quantity": 1},
    "remove_cart_item": {"product": "978-1"},
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
    "staff_confirm_order": TELL,
    "staff_process_order": TELL,
    "staff_deliver_order": TELL,
    "staff_ship_order": {
        **TELL,
        "lines": [{"product": "978-1", "quantity": 1}],
        "carrier": "City Couriers",
        "tracking_number": "CC1",
        "tracking_url": "https://couriers.example.org/CC1",
    },
    "staff_cancel_order": {**TELL, "reason": "Sold out"},
    "staff_record_payment": {**TELL, "amount": "25.00", "payment_provider": "bank"},
    "staff_capture_payment": TELL,
    "staff_resolve_payment": {**TELL, "amount": "20.00"},
    "staff_refund_order": {
        **TELL,
        "amount": "5.00",
        "reason": "Torn cover",
        "restock": [{"product": "978-1", "quantity": 1}],
    },
    "staff_note_order": {"text": "Called back", "is_public": False},
}
MONEY = ("amount", "expected_total")
DEEP = json.loads("[" * 60 + "]" * 60)
POISON = {
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
    """``{operation id: (method, path, declared statuses)}`` of all that take a JSON body."""
    return {
        operation["operationId"]: (method.upper(), path, set(map(int, operation["responses"])))
        for path, methods in api.get_openapi_schema()["paths"].items()
        for method, operation in methods.items()
        if "requestBody" in operation
    }


def poisoned(value, name=""):
    """Each bad body that differs from the good one in one place: ``(where, body)``."""
    kind = "money" if name in MONEY else type(value)
    yield from ((name, bad) for bad in POISON[kind])
    if isinstance(value, dict):
        yield f"{name}.status", {**value, "status": "paid"}
        for key, inner in value.items():
            for where, bad in poisoned(inner, key):
                yield f"{name}.{where}", {**deepcopy(value), key: bad}
    elif isinstance(value, list):
        for where, bad in poisoned(value[0]):
            yield f"{name}[0].{where}", [bad]


def everything():
    models = (Cart, CartItem, Order, OrderEvent, Payment, Refund, Shipment)
    return {model.__name__: list(model.objects.order_by("pk").values()) for model in models}


@pytest.fixture
def world(place, customer, user, memory_provider, book):
    """A customer who may do all, with an order, a payment and a filled cart; and a way to call an operation."""
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
        answer = client.generic(method, path, data, "application/json", headers=headers)
        assert answer.status_code in declared, (name, answer.status_code)
        return answer

    call.client, call.order = client, order
    return call


def test_every_operation_with_a_body_has_a_good_one():
    assert set(operations()) == set(GOOD)


@pytest.mark.parametrize("name", GOOD)
def test_bad_values_are_refused_and_nothing_is_stored(world, name):
    before = everything()
    accepted = []
    for where, body in poisoned(GOOD[name]):
        answer = world(name, body)
        if answer.status_code not in (400, 413, 422) or answer["Content-Type"] != "application/problem+json":
            accepted.append((where, str(body)[:200], answer.status_code))
    assert accepted == []
    assert everything() == before
    for path in ("orders/", "cart/", f"orders/{world.order.number}/", f"staff/orders/{world.order.number}/"):
        assert world.client.get(f"/api/orders/{path}").status_code == 200


@pytest.mark.parametrize("name", GOOD)
def test_bad_bodies_are_refused_and_nothing_is_stored(world, name):
    before = everything()
    for what, body in BODIES.items():
        answer = world(name, body)
        assert answer.status_code in (400, 413, 422), (what, answer.status_code)
    assert everything() == before


@pytest.mark.parametrize("key", ["a\0b", "x" * 256, "\ud800".encode("utf-8", "surrogatepass").decode("latin-1")])
@pytest.mark.parametrize("name", GOOD)
def test_odd_idempotency_keys_are_no_500(world, name, key):
    assert world(name, GOOD[name], **{"Idempotency-Key": key}).status_code < 500


@pytest.mark.parametrize("number", ["%00", "%ED%A0%80", "x" * 300, "%2e%2e", "1", "-1", "9" * 400])
def test_odd_numbers_are_nobodys_order(world, number):
    for method, path, _declared in operations().values():
        if "{number}" in path:
            odd = path.replace("{number}", number).replace("{payment_id}", number)
            answer = world.client.generic(method, odd, "{}", "application/json")
            assert answer.status_code in (404, 422), (odd, answer.status_code)
