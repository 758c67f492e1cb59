"""Clients of the staff API say which version of an order they have read, and act only on that."""

import json
from decimal import Decimal
from functools import cache

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from shop_orders import lifecycle, payments
from shop_orders.models import Order, OrderEvent, Refund
from shop_orders.payment_providers import PaymentState
from test_bad_input import GOOD
from testproject.urls import api as ninja_api

pytestmark = pytest.mark.django_db
OTHERS = {"staff_note_order", "staff_assign_incoming_payment", "staff_dismiss_incoming_payment"}
"""A note changes nothing that others decide about. Incoming money is decided once, whoever decides."""


@cache
def operations():
    """``{operation id: path}`` of the staff operations that change an order."""
    return {
        operation["operationId"]: path
        for path, methods in ninja_api.get_openapi_schema()["paths"].items()
        for method, operation in methods.items()
        if path.startswith("/api/orders/staff/") and method == "post" and operation["operationId"] not in OTHERS
    }


@pytest.fixture
def staff():
    caller = get_user_model().objects.create_superuser("test-staff", "staff@example.org", "pw")
    return Client(headers={"Authorization": f"Bearer user-{caller.pk}"})


@pytest.fixture
def order(place, memory_provider):
    """An order that was paid online, with a refund that is queued."""
    placed = place(provider="memory")
    payment = payments.start(placed.pk)
    payments.apply_state(payment.pk, PaymentState(status="captured", captured=placed.total))
    payments.queue_refund(placed.pk, amount=Decimal(1))
    return Order.objects.get()


def post(staff, order, name, **body):
    return staff.post(f"/api/orders/staff/orders/{order.number}/{name}/", json.dumps(body), "application/json")


def version(staff, order):
    return staff.get(f"/api/orders/staff/orders/{order.number}/").json()["version"]


@pytest.mark.parametrize("key", ["", "key-1"])
@pytest.mark.parametrize("name", operations())
def test_change_of_another_version_is_refused_and_changes_nothing(staff, order, name, key):
    values = {"number": order.number, "payment_id": order.payments.get().public_id}
    path = operations()[name].format(**values, refund_id=Refund.objects.get().public_id)
    before = list(OrderEvent.objects.values()), list(Order.objects.values()), list(Refund.objects.values())
    body = {**GOOD[name], "expected_version": "another"}
    response = staff.post(path, json.dumps(body), "application/json", headers={"Idempotency-Key": key})
    assert (response.status_code, response.json()["code"]) == (409, "order_changed")
    assert before == (list(OrderEvent.objects.values()), list(Order.objects.values()), list(Refund.objects.values()))


def test_only_one_of_two_clients_that_read_the_same_acts(staff, order):
    read = version(staff, order)
    assert post(staff, order, "refund", amount="5.00", expected_version=read).status_code == 200
    refused = post(staff, order, "refund", amount="5.00", expected_version=read)
    assert (refused.status_code, refused.json()["code"]) == (409, "order_changed")
    assert Refund.objects.count() == 2
    assert post(staff, order, "refund", amount="5.00", expected_version=version(staff, order)).status_code == 200


def test_repeated_request_gets_its_response_although_it_changed_the_order(staff, order):
    read = version(staff, order)
    path, body = f"/api/orders/staff/orders/{order.number}/refund/", {"amount": "5.00", "expected_version": read}
    responses = [
        staff.post(path, json.dumps(body), "application/json", headers={"Idempotency-Key": "k"}) for _time in range(2)
    ]
    assert [response.status_code for response in responses] == [200, 200]
    assert Refund.objects.count() == 2


def test_version_differs_after_each_change_that_others_decide_about(staff, order):
    def paid():
        payments.send_due_refunds()

    steps = [
        paid,
        lambda: lifecycle.start_processing(order.pk),
        lambda: lifecycle.ship(order.pk, quantities={"978-1": 1}),
        lambda: lifecycle.restock(order.pk, {"978-1": 1}),
        lambda: lifecycle.cancel_units(order.pk),
        lambda: payments.queue_refund(order.pk, amount=Decimal(2)),
        lambda: lifecycle.deliver(order.pk),
    ]
    seen = [version(staff, order)]
    for step in steps:
        step()
        seen.append(version(staff, order))
    assert len(set(seen)) == len(seen)
    lifecycle.add_note(order.pk, text="Called back")
    assert version(staff, order) == seen[-1]


def test_reinstated_order_has_another_version_than_before_its_cancellation(staff, order):
    before = version(staff, order)
    lifecycle.cancel(order.pk)
    lifecycle.reinstate(order.pk)
    assert (Order.objects.get().status, version(staff, order) == before) == (order.status, False)
