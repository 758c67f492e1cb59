"""One request for a refund is one message, also where it returns the money of several payments."""

from decimal import Decimal

import pytest
from django.utils import timezone
from shop_orders import payments
from shop_orders.models import Order, Refund
from shop_orders.payment_providers import PaymentState, RefundState

pytestmark = pytest.mark.django_db


@pytest.fixture
def paid(place, memory_provider):
    """25.00, paid in two payments: 10.00 by bank and 15.00 online."""
    order = place(provider="bank")
    payments.record_payment(order.pk, amount=Decimal(10))
    payment = payments.start(order.pk, provider="memory")
    payments.apply_state(payment.pk, PaymentState(status="captured", captured=Decimal(15)))
    return Order.objects.get()


def announced(order):
    events = order.events.filter(signal="order_refunded").order_by("id")
    return [(event.payload["refund"]["amount"], event.payload["notify"]) for event in events]


def test_refund_of_two_payments_is_announced_once_with_the_sum(paid):
    refunds = payments.refund(paid.pk, reason="Sold out")
    assert [(row.amount, row.status) for row in refunds] == [(15, "succeeded"), (10, "succeeded")]
    assert announced(paid) == [("25.00", True)]
    event = paid.events.get(kind="refunded")
    assert (event.message, event.payload["about"]["public_id"]) == ("Sold out", str(refunds[-1].public_id))
    assert event.payload["order"]["account"]["refunded_amount"] == "25.00"


def test_crash_between_two_payments_still_makes_one_message(paid):
    first, _second = payments.queue_refund(paid.pk)
    payments.send_refund(first.pk)
    assert announced(paid) == []
    payments.send_due_refunds()
    assert announced(paid) == [("25.00", True)]


def test_pending_part_is_announced_by_itself(paid, memory_provider):
    memory_provider.refund_status = "pending"
    payments.refund(paid.pk)
    assert announced(paid) == [("10.00", True)]
    payments.resolve_refund(unknown(), succeeded=True)
    assert announced(paid) == [("10.00", True), ("15.00", True)]


def unknown():
    pending = Refund.objects.get(status="pending")
    Refund.objects.filter(pk=pending.pk).update(error="It cannot be asked about.")
    return pending.pk


def test_refused_part_is_not_in_the_sum(paid, memory_provider):
    memory_provider.refund_status = "failed"
    payments.refund(paid.pk)
    assert announced(paid) == [("10.00", True)]


@pytest.mark.parametrize("is_first", [True, False])
def test_part_whose_provider_is_away_does_not_delay_the_other(paid, memory_provider, make_due, is_first):
    memory_provider.is_down = True
    rows = payments.queue_refund(paid.pk)
    for row in rows if is_first else reversed(rows):
        payments.send_refund(row.pk)
    assert announced(paid) == [("10.00", True)]
    memory_provider.is_down = False
    make_due()
    payments.send_due_refunds()
    assert announced(paid) == [("10.00", True), ("15.00", True)]


def test_refunds_of_two_requests_are_two_messages(paid):
    payments.refund(paid.pk, amount=Decimal(5))
    payments.refund(paid.pk, amount=Decimal(5), notify=False)
    assert announced(paid) == [("5.00", True), ("5.00", False)]


def test_refund_that_failed_after_its_message_is_announced_when_it_is_made_again(paid, memory_provider):
    (row,) = payments.refund(paid.pk, amount=Decimal(5))
    for status in ("failed", "pending", "succeeded"):
        state = {"refund_id": str(row.public_id), "amount": Decimal(5), "status": status}
        apply_listed(row.payment_id, state)
    assert announced(paid) == [("5.00", True), ("5.00", True)]


def apply_listed(payment_id, listed):
    state = PaymentState(status="captured", captured=Decimal(15), refunds=[RefundState(**listed)])
    payments.apply_state(payment_id, state, fetched_at=timezone.now())
