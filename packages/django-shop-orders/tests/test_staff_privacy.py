"""Staff who may change an order but not view it get responses without personal data, at every staff operation."""

import json
from decimal import Decimal
from functools import cache

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from shop_orders import checkout, lifecycle, payments
from shop_orders.admin import STEPS
from shop_orders.models import (
    IdempotencyKey,
    IncomingPayment,
    Order,
    OrderEvent,
    Payment,
    ProviderEvent,
    Refund,
    Shipment,
)
from shop_orders.payment_providers import PaymentState
from testproject.urls import api

pytestmark = pytest.mark.django_db

ADDRESS = {"name": "Wanjiru Canary", "line1": "Canary Road 1", "city": "Canaryville", "country": "KE"}
CONTACT = checkout.Contact(name="Wanjiru Canary", email="canary@example.org", phone="0712 345 678")
PERSONAL = ("anary", "+254712345678", "0712345678")
"""Words of each text about a person in the order. “Canary” is in every field in which people write."""

VIEWS = {
    "staff_list_orders",
    "staff_get_order",
    "staff_list_incoming_payments",
    "staff_get_incoming_payment",
}
INCOMING = {"staff_assign_incoming_payment", "staff_dismiss_incoming_payment"}
"""Operations that return an incoming payment, not the order."""
BODIES = {
    "staff_confirm_order": {"accept_unpaid": True},
    "staff_ship_order": {"tracking_number": "canary-track", "tracking_url": "https://couriers.example.org/canary"},
    "staff_set_order_state": {"state": "packed"},
    "staff_cancel_order": {"reason": "Canary moved away"},
    "staff_cancel_units": {"reason": "Canary does not want it"},
    "staff_record_payment": {"payment_provider": "bank"},
    "staff_resolve_payment": {"amount": "25.00"},
    "staff_record_provider_refund": {"amount": "5.00", "reason": "Canary was not content"},
    "staff_resolve_dispute": {"amount": "5.00", "reason": "Canary disputes it"},
    "staff_resolve_refund": {"succeeded": True, "reason": "Canary has it"},
    "staff_refund_order": {"amount": "5.00", "reason": "Canary was not content"},
    "staff_restock_order": {"lines": [{"product": "978-1", "quantity": 1}], "reason": "Canary refused it"},
    "staff_note_order": {"text": "Canary called"},
    "staff_dismiss_incoming_payment": {"comment": "Canary got it back"},
}


@cache
def operations():
    """``{operation id: (method, path)}`` of the whole staff router."""
    return {
        operation["operationId"]: (method.upper(), path)
        for path, methods in api.get_openapi_schema()["paths"].items()
        for method, operation in methods.items()
        if path.startswith("/api/orders/staff/")
    }


@pytest.fixture
def order(place, memory_provider, customer, settings):
    """An order with personal data in every text."""
    states = {"packed": {"KIND": "processing", "LABEL": "packed"}}
    settings.SHOP_ORDERS = {**settings.SHOP_ORDERS, "STATES": states}
    customer.user.username = "canary-user"
    customer.user.save()
    row = place(
        provider="memory", contact=CONTACT, shipping_address=ADDRESS, billing_address=ADDRESS, note="Ring at Canary's"
    )
    lifecycle.add_note(row.pk, text="Canary likes trees", by=customer.user, is_public=True)
    payments.start(row.pk)
    IncomingPayment.objects.create(
        provider="memory",
        receipt="RKTQDM7W6S",
        amount=25,
        currency="KES",
        account="for Canary",
        payer_name="WANJIRU Canary",
        payer_phone="+254712345678",
        order=row,
    )
    Payment.objects.update(instructions="Canary pays", error="Canary has no money", redirect_url="https://x/canary")
    return row


def reach(name, order):
    """Bring the order to a state in which the operation succeeds."""
    after_confirmation = {"staff_process_order", "staff_set_order_state"}
    if name in {*after_confirmation, "staff_ship_order", "staff_deliver_order", "staff_restock_order"}:
        lifecycle.confirm(order.pk)
    if name in {"staff_ship_order", "staff_deliver_order", "staff_restock_order"}:
        lifecycle.start_processing(order.pk)
    if name in {"staff_deliver_order", "staff_restock_order"}:
        lifecycle.ship(order.pk)
    if name == "staff_reinstate_order":
        lifecycle.cancel(order.pk, reason="Canary moved away")
        payments.record_payment(order.pk, provider="bank", amount=order.total)
    payment = order.payments.first()
    states = {
        "staff_capture_payment": PaymentState(status="authorised"),
        "staff_resolve_payment": PaymentState(status="captured", captured=20),
        "staff_refund_order": PaymentState(status="captured", captured=25),
        "staff_record_provider_refund": PaymentState(status="captured", captured=25),
        "staff_resolve_dispute": PaymentState(status="captured", captured=25),
        "staff_resolve_refund": PaymentState(status="captured", captured=25),
    }
    if name in states:
        payments.apply_state(payment.pk, states[name])
    if name == "staff_resolve_dispute":
        ProviderEvent.objects.create(
            provider="memory", provider_event_id="d-1", kind="disputed", payment=payment, outcome="held"
        )
    if name == "staff_resolve_refund":
        (refund,) = payments.queue_refund(order.pk, amount=Decimal(5))
        Refund.objects.filter(pk=refund.pk).update(status="pending", error="Canary's bank does not respond.")


def staff(*, without=()):
    user = get_user_model().objects.create_user(f"staff-{len(without)}", "staff@example.org", "pw", is_staff=True)
    permissions = Permission.objects.filter(content_type__app_label="shop_orders")
    user.user_permissions.set(permissions.exclude(codename__in=without))
    return Client(headers={"Authorization": f"Bearer user-{user.pk}"})


def call(client, name, order, **headers):
    method, path = operations()[name]
    path = path.replace("{number}", order.number).replace("{payment_id}", str(order.payments.first().public_id))
    if "{refund_id}" in path:
        path = path.replace("{refund_id}", str(Refund.objects.get(payment__order=order).public_id))
    path = path.replace("{incoming_id}", str(order.incoming_payments.get().public_id))
    wanted = {"order": order.number} if name == "staff_assign_incoming_payment" else BODIES.get(name, {})
    body = () if method == "GET" else (json.dumps(wanted), "application/json")
    return client.generic(method, path, *body, headers=headers)


def personal(response):
    return [text for text in PERSONAL if text in json.dumps(response.json(), ensure_ascii=False)]


@pytest.mark.parametrize("name", operations())
def test_response_shows_personal_data_only_with_the_permission_to_view_orders(order, name):
    reach(name, order)
    response = call(staff(without=["view_order"]), name, order)
    if name in VIEWS:
        assert (response.status_code, response.json()["code"]) == (403, "permission_denied")
        return
    assert response.status_code == 200, response.content
    assert personal(response) == []
    fields = response.json()
    if name in INCOMING:
        assert (fields["order"], fields["amount"], fields["comment"]) == (order.number, "25.00", "")
        seen = call(staff(), "staff_get_incoming_payment", order)
        assert personal(seen) == ["anary", "+254712345678"]
        return
    assert (fields["number"], fields["total"], len(fields["lines"])) == (order.number, "25.00", 1)
    assert {event["message"] + event["actor"] for event in fields["events"]} == {""}
    seen = call(staff(), "staff_get_order", order)
    assert personal(seen) == ["anary", "+254712345678"]
    assert seen.json().keys() == fields.keys()


def test_repeated_response_is_blanked_too(order):
    client, key = staff(without=["view_order"]), {"Idempotency-Key": "k"}
    first, second = (call(client, "staff_confirm_order", order, **key) for _time in range(2))
    assert second["Idempotency-Replayed"] == "true"
    assert first.json() == second.json()
    assert personal(second) == []
    assert IdempotencyKey.objects.count() == 1


@pytest.mark.parametrize("name", STEPS)
def test_pages_of_the_admin_need_the_permission_to_view_orders(order, client, name):
    staff(without=["view_order", "change_order"])
    client.force_login(get_user_model().objects.get(username="staff-2"))
    urls = [
        reverse("admin:shop_orders_step", args=[order.pk, name]),
        reverse("admin:shop_orders_slip", args=[order.pk]),
    ]
    for url in urls:
        for response in (client.get(url), client.post(url, {"text": "x", "amount": "1"})):
            assert response.status_code == 403
            assert [text for text in PERSONAL if text in response.content.decode()] == []


def test_refusal_contains_no_personal_data(order):
    response = call(staff(without=["view_order"]), "staff_deliver_order", order)
    assert (response.status_code, personal(response)) == (409, [])


OF_ORDERS = (Order, OrderEvent, Payment, ProviderEvent, Shipment, IncomingPayment, IdempotencyKey)


def test_rows_of_orders_in_the_admin_need_the_permission_to_view_orders(order, client):
    """An event names its recipients, an incoming payment its payer."""
    call(staff(), "staff_confirm_order", order, **{"Idempotency-Key": "once"})
    staff(without=["view_order", "change_order"])
    client.force_login(get_user_model().objects.order_by("pk").last())
    seen = []
    for model in OF_ORDERS:
        name = f"admin:shop_orders_{model._meta.model_name}"
        row = model.objects.first()
        urls = [reverse(f"{name}_changelist")]
        urls += [reverse(f"{name}_{page}", args=[row.pk]) for page in ("change", "history", "delete")] if row else []
        for url in urls:
            response = client.get(url)
            seen.append(response.status_code)
            assert response.status_code in (302, 403), url
            assert [text for text in PERSONAL if text in response.content.decode()] == []
    assert len(seen) > 15
