"""The account of an order: due = total - credited - captured + refunded."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from shop_orders import lifecycle, payments
from shop_orders.exceptions import InvalidInput, RefundTooLarge
from shop_orders.models import Order, Refund
from shop_orders.payment_providers import PaymentEvent

pytestmark = pytest.mark.django_db


@pytest.fixture
def order(place, memory_provider):
    return place(provider="memory")


@pytest.fixture
def bank_order(place, memory_provider):
    return place(provider="bank")


def account_of(order):
    order.refresh_from_db()
    return order.amount_due, order.refund_due, order.refunds_under_way


def pay(order, amount):
    return payments.record_payment(order.pk, amount=Decimal(amount))


def test_cancellation_credits_the_rest_of_the_total(order, user):
    lifecycle.cancel(order.pk, by=user, reason="Changed my mind.")
    credit = order.credits.get()
    assert (credit.amount, credit.kind, credit.actor, credit.reason) == (25, "cancellation", user, "Changed my mind.")
    assert account_of(order) == (0, 0, 0)
    assert order.credited_amount == order.total
    lifecycle.cancel(order.pk)
    assert order.credits.count() == 1


def test_the_timeline_tells_of_all_money_that_staff_record(bank_order, user):
    def recorded():
        events = bank_order.events.filter(kind__in=("payment_recorded", "payment_status_changed", "refund_due"))
        return [(event.kind, event.actor, event.message) for event in events.order_by("id")]

    for amount in ("10.00", "15.00", "25.00"):
        payments.record_payment(bank_order.pk, amount=Decimal(amount), by=user)
    part, paid, told_what_to_do, twice = recorded()
    assert part == ("payment_recorded", user, "10.00 KES (Bank transfer)")
    assert paid[:2] == ("payment_status_changed", user)
    assert (told_what_to_do[0], "back by Bank transfer" in told_what_to_do[2]) == ("refund_due", True)
    assert twice == ("payment_recorded", user, "25.00 KES (Bank transfer)")
    assert not bank_order.events.filter(kind="payment_recorded", is_public=True).exists()


def test_expiry_credits_the_rest_of_the_total_after_a_refund(bank_order):
    pay(bank_order, "11.80")
    payments.refund(bank_order.pk, amount=Decimal("1.18"))
    assert account_of(bank_order) == (Decimal("13.20"), 0, 0)
    assert bank_order.payment_status == "part_refunded"
    Order.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert payments.expire_due() == 1
    assert account_of(bank_order) == (0, Decimal("10.62"), 0)
    kinds = [(credit.kind, credit.amount) for credit in bank_order.credits.all()]
    assert kinds == [("goodwill", Decimal("1.18")), ("expiry", Decimal("23.82"))]


def test_fully_refunded_pending_order_expires(bank_order):
    pay(bank_order, 10)
    payments.refund(bank_order.pk)
    assert account_of(bank_order) == (15, 0, 0)
    assert bank_order.payment_status == "refunded"
    assert list(Order.objects.unpaid()) == [bank_order]
    Order.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert payments.expire_due() == 1
    assert account_of(bank_order) == (0, 0, 0)


def test_free_order_is_never_unpaid(bank_order):
    Order.objects.update(total=0, subtotal=0, net_total=0, payment_status="paid")
    assert list(Order.objects.unpaid()) == []


def test_queued_refund_is_neither_due_nor_refundable_again(order, memory_provider):
    payment = payments.start(order.pk)
    captured = PaymentEvent(
        event_id="e-1", kind="captured", reference=payment.provider_reference, amount=payment.amount
    )
    payments.apply_event("memory", captured)
    lifecycle.cancel(order.pk)
    assert account_of(order) == (0, 25, 0)
    payments.queue_refund(order.pk, amount=Decimal(20))
    assert account_of(order) == (0, 5, 20)
    assert order.refundable_amount == 5
    assert list(Order.objects.refund_due()) == [order]
    with pytest.raises(RefundTooLarge):
        payments.queue_refund(order.pk, amount=Decimal("5.01"))
    payments.queue_refund(order.pk)
    assert account_of(order) == (0, 0, 25)
    assert list(Order.objects.refund_due()) == []
    assert order.credited_amount == 25


def test_refund_credits_the_part_above_the_surplus(bank_order):
    pay(bank_order, 25)
    payments.refund(bank_order.pk, amount=Decimal(4), reason="A dented cover.")
    credit = bank_order.credits.get()
    assert (credit.amount, credit.kind, credit.reason, credit.refund) == (
        4,
        "goodwill",
        "A dented cover.",
        Refund.objects.get(),
    )
    assert account_of(bank_order) == (0, 0, 0)
    assert bank_order.payment_status == "part_refunded"


def test_failed_refund_keeps_its_credit_and_is_due_again(order, memory_provider):
    payment = payments.start(order.pk)
    captured = PaymentEvent(
        event_id="e-1", kind="captured", reference=payment.provider_reference, amount=payment.amount
    )
    payments.apply_event("memory", captured)
    memory_provider.refund_status = "failed"
    payments.refund(order.pk, amount=Decimal(10))
    assert account_of(order) == (0, 10, 0)
    assert (order.credited_amount, order.payment_status) == (10, "paid")
    memory_provider.refund_status = "succeeded"
    payments.refund(order.pk, amount=Decimal(10))
    assert account_of(order) == (0, 0, 0)
    assert (order.credited_amount, order.payment_status) == (10, "part_refunded")


def test_order_paid_in_full_after_a_refund_is_confirmed(bank_order):
    pay(bank_order, 15)
    payments.refund(bank_order.pk, amount=Decimal(5))
    pay(bank_order, 10)
    assert account_of(bank_order) == (0, 0, 0)
    assert (bank_order.status, bank_order.payment_status) == ("confirmed", "part_refunded")


def test_pending_order_is_confirmed_when_the_refund_of_its_credit_fails(order, memory_provider):
    """20.00 of 25.00 was captured and 5.00 credited. Its refund fails, so the order is paid exactly."""
    payment = payments.start(order.pk)
    held = PaymentEvent(event_id="e-1", kind="captured", reference=payment.provider_reference, amount=Decimal(20))
    payments.apply_event("memory", held)
    payments.resolve(payment.pk, amount=Decimal(20))
    memory_provider.refund_status = "pending"
    (refund,) = payments.refund(order.pk, amount=Decimal(5))
    assert account_of(order) == (0, 0, 5)
    assert order.status == "pending"
    failure = PaymentEvent(event_id="e-2", kind="refund_failed", refund_id=str(refund.public_id), error="Closed.")
    payments.apply_event("memory", failure)
    assert account_of(order) == (0, 0, 0)
    assert (order.status, order.payment_status) == ("confirmed", "paid")


def test_failed_payment_of_a_cancelled_order_leaves_it_unpaid(order, announced, django_capture_on_commit_callbacks):
    payment = payments.start(order.pk)
    lifecycle.cancel(order.pk)
    with django_capture_on_commit_callbacks(execute=True):
        failure = PaymentEvent(event_id="e-1", kind="failed", reference=payment.provider_reference)
        payments.apply_event("memory", failure)
    payment.refresh_from_db()
    order.refresh_from_db()
    assert (payment.status, order.payment_status) == ("failed", "unpaid")
    assert announced == []


def test_cancellation_does_not_notify_the_customer_of_a_payment_status(
    bank_order, announced, django_capture_on_commit_callbacks
):
    pay(bank_order, 5)
    with django_capture_on_commit_callbacks(execute=True):
        lifecycle.cancel(bank_order.pk)
    sent = [(name, payload["new_status"], payload["notify"]) for name, payload, _rest in announced]
    assert sent == [("order_status_changed", "cancelled", True), ("payment_status_changed", "paid", False)]


def test_new_payment_attempt_clears_the_failed_status(order):
    payment = payments.start(order.pk)
    failure = PaymentEvent(event_id="e-1", kind="failed", reference=payment.provider_reference)
    payments.apply_event("memory", failure)
    assert Order.objects.get().payment_status == "failed"
    payments.start(order.pk)
    assert Order.objects.get().payment_status == "unpaid"


@pytest.mark.parametrize(
    ("total", "paid", "refunded", "due"),
    [
        ("208.98", "313.47", "104.49", 0),
        ("208.98", "313.47", "104.4899", Decimal("0.0001")),
        ("0.3000", "0.4000", "0.1000", 0),
        ("9999999999.0001", "9999999999.9999", "0.9998", 0),
    ],
)
def test_list_of_refunds_due_is_exact(order, total, paid, refunded, due):
    """SQLite compares floats, in which 313.47 is larger than 208.98 + 104.49."""
    total, paid, refunded = map(Decimal, (total, paid, refunded))
    Order.objects.update(
        subtotal=total, net_total=total, total=total, paid_amount=paid, refunded_amount=refunded, credited_amount=0
    )
    order.refresh_from_db()
    assert order.refund_due == due
    assert list(Order.objects.refund_due()) == ([order] if due else [])
    listed = Order.objects.with_account().get()
    assert (listed.account_balance, listed.refund_due) == (-due, due)


@pytest.mark.pg
def test_list_of_refunds_due_reads_the_overpaid_orders_only(place, memory_provider):
    """The plan uses the partial index, however many orders there are."""
    place(provider="bank")
    orders = Order.objects.refund_due().order_by("-placed_at", "-id")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        assert "shop_orders_order_overpaid" in orders.explain()


def test_list_with_accounts_takes_one_query(place, memory_provider, django_assert_num_queries):
    for _number in range(3):
        order = place(provider="bank")
        pay(order, 25)
        lifecycle.cancel(order.pk)
    with django_assert_num_queries(1):
        assert [order.refund_due for order in Order.objects.with_account()] == [25, 25, 25]


@pytest.mark.parametrize("credited", ["-0.01", "25.01"])
def test_credit_is_within_the_total(order, credited):
    with pytest.raises(IntegrityError), transaction.atomic():
        Order.objects.update(credited_amount=Decimal(credited))


@pytest.mark.parametrize("amount", ["9999999999", "1E+30", "Infinity", "NaN"])
def test_held_payment_with_more_money_than_the_columns_hold_is_refused(place, memory_provider, amount):
    order = place(provider="bank")
    payments.record_payment(order.pk, amount=Decimal(5))
    held = order.payments.create(provider="memory", status="held", amount=20, currency="KES")
    for action in (
        lambda: payments.resolve(held.pk, amount=Decimal(amount)),
        lambda: payments.record_payment(order.pk, amount=Decimal(amount)),
    ):
        with pytest.raises(InvalidInput, match="larger than the shop can handle"):
            action()
    held.refresh_from_db()
    assert (held.status, Order.objects.get().paid_amount) == ("held", 5)
