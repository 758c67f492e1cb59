"""What users of other shops have reported about refunds, late money and webhooks, tried here."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import OperationalError
from django.utils import timezone
from shop_orders import lifecycle, payments
from shop_orders.exceptions import GoodsGone, InvalidInput, InvalidTransition, RefundTooLarge
from shop_orders.models import Order, ProviderEvent, Refund
from shop_orders.payment_providers import PaymentEvent, RefundState
from shop_orders.payments import inbox
from testproject.books.models import Book

pytestmark = pytest.mark.django_db


@pytest.fixture
def order(place, memory_provider):
    return place(provider="memory")


def capture(payment, memory_provider, *, event_id="captured"):
    memory_provider.outcomes[payment.provider_reference] = "captured"
    event = PaymentEvent(event_id=event_id, kind="captured", reference=payment.provider_reference, amount=Decimal(25))
    return payments.apply_event("memory", event).outcome


def account(order):
    order.refresh_from_db()
    return order.status, order.payment_status, order.refunded_amount, order.refund_due, order.amount_due


def expire():
    Order.objects.update(expires_at=timezone.now() - timedelta(hours=1))
    return payments.expire_due()


def test_late_report_of_a_payment_revives_no_order_that_was_refunded_and_cancelled(order, memory_provider, make_due):
    """mollie/WooCommerce#1252: it was in progress again, and its stock was taken a second time."""
    payment = payments.start(order.pk)
    capture(payment, memory_provider)
    payments.refund(order.pk)
    lifecycle.cancel(order.pk)
    stock = Book.objects.get().on_hand
    assert capture(payment, memory_provider, event_id="two hours later") == "ignored"
    make_due()
    payments.reconcile()
    assert account(order) == ("cancelled", "refunded", 25, 0, 0)
    assert (Book.objects.get().on_hand, Refund.objects.count()) == (stock, 1)


@pytest.mark.parametrize("status", ["succeeded", "pending"])
def test_refund_in_two_steps_does_not_exceed_the_payment(order, memory_provider, status):
    """craftcms/commerce#1098, saleor/saleor#19645: all but one, then again anything up to the total."""
    capture(payments.start(order.pk), memory_provider)
    memory_provider.refund_status = status
    payments.refund(order.pk, amount=Decimal(24))
    for amount in ("24", "1.01"):
        with pytest.raises(RefundTooLarge):
            payments.refund(order.pk, amount=Decimal(amount))
    payments.refund(order.pk, amount=Decimal(1))
    assert sum(memory_provider.refunds.values()) == 25


def test_part_payment_of_an_expired_order_is_owed(place, memory_provider):
    """pretix/pretix#3990: it was in no list of overpaid orders."""
    order = place(provider="bank")
    payments.record_payment(order.pk, amount=Decimal(10))
    assert expire() == 1
    assert account(order) == ("cancelled", "paid", 0, 10, 0)
    assert list(Order.objects.refund_due()) == [order]
    with pytest.raises(InvalidTransition):
        lifecycle.reinstate(order.pk)
    payments.refund(order.pk)
    assert list(Order.objects.refund_due()) == []


@pytest.mark.parametrize(("made", "credited", "sent"), [("25", 0, 0), ("10", 10, 25)])
def test_order_that_was_paid_twice_stays_paid_when_one_payment_is_refunded_at_the_provider(
    order, memory_provider, make_due, made, credited, sent
):
    """pretix/pretix#343: the order was refunded, although it was still paid.

    Here the surplus was queued to go back, and the dashboard's refund of the other payment came before it was sent.
    """
    first, second = payments.start(order.pk), payments.start(order.pk, provider="bank")
    capture(first, memory_provider)
    payments.record_payment(order.pk, amount=second.amount, provider="bank")
    (surplus,) = payments.queue_refund(order.pk, amount=Decimal(25), by=None)
    assert surplus.payment_id == second.pk
    listed = RefundState(status="succeeded", amount=Decimal(made), reference="re-1")
    memory_provider.made[first.provider_reference] = [listed]
    payments.refresh(first)
    payments.send_due_refunds()
    order.refresh_from_db()
    assert (order.credited_amount, order.refunded_amount) == (credited, Decimal(made) + sent)
    assert account(order)[3:] == (0, 0)


def test_payment_for_goods_that_were_sold_meanwhile_can_be_sent_back(order, memory_provider, guest_order):
    """pretix/pretix#74: the money was taken, and there was nothing to give for it."""
    payment = payments.start(order.pk)
    memory_provider.outcomes[payment.provider_reference] = "cancelled"
    assert expire() == 1
    guest_order(quantity=10)
    assert capture(payment, memory_provider) == "applied"
    with pytest.raises(GoodsGone):
        lifecycle.reinstate(order.pk)
    assert account(order) == ("cancelled", "paid", 0, 25, 0)
    payments.refund(order.pk)
    assert account(order) == ("cancelled", "refunded", 25, 0, 0)


def test_refund_that_is_reported_before_its_payment_makes_nothing_negative(order, memory_provider):
    """saleor/saleor-docs#1319: the charged amount was below zero."""
    payment = payments.start(order.pk)
    event = PaymentEvent(event_id="r", kind="refunded", reference=payment.provider_reference, amount=Decimal(25))
    assert payments.apply_event("memory", event).outcome == "waiting"
    assert account(order) == ("pending", "unpaid", 0, 0, 25)


def test_call_that_fails_on_the_way_is_repeated_and_applied_once(client, order, memory_provider, monkeypatch):
    """fossasia/eventyay#3447: the response to an error was 200, so the provider did not repeat the call."""
    payment = payments.start(order.pk)
    event = PaymentEvent(
        event_id="evt-1", kind="captured", reference=payment.provider_reference, amount=Decimal(25), currency="KES"
    )
    monkeypatch.setattr(memory_provider, "read_webhook", lambda self, request: [event])
    client.raise_request_exception = False
    with monkeypatch.context() as broken:
        broken.setattr(inbox.account, "capture_amount", fail)
        assert client.post("/pay/webhooks/memory/").status_code >= 500
    assert ProviderEvent.objects.count() == 0
    for _time in range(2):
        assert client.post("/pay/webhooks/memory/").status_code == 200
    order.refresh_from_db()
    assert (order.paid_amount, order.status) == (25, "confirmed")


def fail(*args, **options):
    raise OperationalError("the connection was lost")


def test_units_that_are_refunded_from_two_payments_are_counted_once(place, memory_provider):
    """vendurehq/vendure#4135: each payment's refund recorded all units, twice as many as were ordered."""
    order = place(provider="bank")
    for amount in (10, 15):
        payments.record_payment(order.pk, amount=Decimal(amount))
    refunds = payments.refund(order.pk, lines={"978-1": 2})
    assert sorted(refund.amount for refund in refunds) == [10, 15]
    assert [(credit.lines, credit.amount) for credit in order.credits.all()] == [({"978-1": 2}, 25)]
    with pytest.raises(InvalidInput):
        payments.refund(order.pk, lines={"978-1": 1})
