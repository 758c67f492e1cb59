from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from shop_orders import lifecycle, payments
from shop_orders.exceptions import (
    InvalidInput,
    NotPayable,
    PaymentDeclined,
    ProviderUnavailable,
    RefundTooLarge,
    UnknownPaymentProvider,
)
from shop_orders.models import Order, OrderLine, Payment, ProviderEvent, Refund
from shop_orders.payment_providers import PaymentEvent, PaymentState, RefundResult
from shop_orders.payments import inbox
from testproject.books.models import Book

pytestmark = pytest.mark.django_db


@pytest.fixture
def order(place, memory_provider):
    return place(provider="memory")


def report(kind, payment, *, event_id="evt-1", amount=None, **fields):
    """Apply a provider event to a payment and return its outcome."""
    if kind == "captured" and amount is None:
        amount = payment.amount
    event = PaymentEvent(event_id=event_id, kind=kind, reference=payment.provider_reference, amount=amount, **fields)
    return payments.apply_event("memory", event).outcome


def state(order):
    order.refresh_from_db()
    return order.status, order.payment_status


def test_start_asks_the_provider_once(order, memory_provider):
    payment = payments.start(order.pk)
    assert payment.status == "pending"
    assert payment.redirect_url == f"https://pay.example.org/{payment.public_id}"
    assert payments.start(order.pk) == payment
    assert memory_provider.calls == ["start"]


def test_captured_payment_confirms_the_order(order, announced, django_capture_on_commit_callbacks):
    payment = payments.start(order.pk)
    with django_capture_on_commit_callbacks(execute=True):
        assert report("captured", payment) == "applied"
    assert state(order) == ("confirmed", "paid")
    assert order.paid_amount == 25
    assert [(name, payload["new_status"]) for name, payload, _rest in announced] == [
        ("payment_status_changed", "paid"),
        ("order_status_changed", "confirmed"),
    ]
    assert announced[0][1]["payment"] == {"provider": "memory", "amount": "25.00", "status": "captured"}


def test_duplicate_event_is_applied_once(order):
    payment = payments.start(order.pk)
    report("captured", payment)
    events = order.events.count()
    report("captured", payment)
    assert report("captured", payment, event_id="evt-2") == "ignored"
    order.refresh_from_db()
    assert (order.paid_amount, order.events.count()) == (25, events)
    assert ProviderEvent.objects.count() == 2


def test_failure_after_success_is_ignored(order):
    payment = payments.start(order.pk)
    report("captured", payment)
    assert report("failed", payment, event_id="evt-2") == "ignored"
    assert state(order) == ("confirmed", "paid")


def test_success_after_failure_confirms_the_order(order):
    payment = payments.start(order.pk)
    assert report("failed", payment, error="No funds") == "applied"
    assert state(order) == ("pending", "failed")
    assert report("captured", payment, event_id="evt-2") == "applied"
    assert state(order) == ("confirmed", "paid")


def test_event_of_an_unknown_payment_is_applied_once_the_payment_is_known(order):
    payment = payments.start(order.pk)
    reference = payment.provider_reference
    Payment.objects.update(provider_reference="", status="started")
    assert report("captured", payment) == "unmatched"
    assert state(order) == ("pending", "unpaid")
    assert payments.start(order.pk).provider_reference == reference
    assert state(order) == ("confirmed", "paid")
    assert ProviderEvent.objects.get().outcome == "applied"


@pytest.mark.parametrize(
    "reported", [{"amount": Decimal("24.99")}, {"amount": Decimal("25.01")}, {"currency": "USD", "amount": 25}]
)
def test_payment_with_a_wrong_amount_or_currency_is_held(order, reported):
    payment = payments.start(order.pk)
    assert report("captured", payment, **reported) == "held"
    assert state(order) == ("pending", "unpaid")
    payment.refresh_from_db()
    assert (payment.status, payment.captured_amount) == ("held", 0)
    assert order.events.get(kind="payment_held").is_public is False


def test_payment_after_cancellation_is_recorded_and_refunded(order, memory_provider):
    payment = payments.start(order.pk)
    lifecycle.cancel(order.pk)
    assert report("captured", payment) == "applied"
    assert state(order) == ("cancelled", "paid")
    assert (order.refund_due, order.refunds_under_way, Book.objects.get().on_hand) == (0, 25, 10)
    assert Refund.objects.get().status == "queued"
    assert payments.send_due_refunds() == 1
    assert state(order) == ("cancelled", "refunded")
    assert (order.refund_due, sum(memory_provider.refunds.values())) == (0, 25)


def test_second_payment_of_a_paid_order_is_refunded(order, memory_provider):
    first = payments.start(order.pk)
    report("failed", first)
    second = payments.start(order.pk)
    assert second != first
    report("captured", second, event_id="evt-2")
    report("captured", first, event_id="evt-3")
    order.refresh_from_db()
    assert (order.paid_amount, order.refund_due, order.refunds_under_way) == (50, 0, 25)
    assert payments.send_due_refunds() == 1
    order.refresh_from_db()
    assert (order.refunded_amount, order.refund_due) == (25, 0)
    assert state(order) == ("confirmed", "paid")


def test_unknown_second_transaction_is_recorded_and_refunded(order, memory_provider):
    payment = payments.start(order.pk)
    report("captured", payment)
    again = PaymentEvent(event_id="evt-2", kind="captured", reference="other", payment_id=str(payment.public_id))
    assert payments.apply_event("memory", again).outcome == "applied"
    order.refresh_from_db()
    assert (order.paid_amount, order.refunds_under_way, order.payments.count()) == (50, 25, 2)
    assert payments.send_due_refunds() == 1
    assert order.events.get(kind="paid_twice").is_public is False


def test_later_event_with_a_different_amount_is_held(order, memory_provider):
    payment = payments.start(order.pk)
    report("captured", payment)
    assert report("captured", payment, event_id="evt-2", amount=Decimal(24)) == "held"
    assert state(order) == ("confirmed", "paid")
    assert order.events.get(kind="payment_held").is_public is False


def test_captured_payment_without_an_amount_records_an_event_for_staff(order, memory_provider):
    payment = payments.start(order.pk)
    payments.apply_state(payment.pk, PaymentState(status="captured"))
    assert state(order) == ("confirmed", "paid")
    assert "25.00 KES" in order.events.get(kind="payment_amount_unknown").message


def test_wrong_amount_fetched_from_the_provider_is_held(order, memory_provider):
    payment = payments.start(order.pk)
    memory_provider.outcomes[payment.provider_reference] = "captured"
    memory_provider.amounts[payment.provider_reference] = Decimal(24)
    payments.refresh(payment)
    assert state(order) == ("pending", "unpaid")
    payment.refresh_from_db()
    assert payment.status == "held"


def test_declined_start_is_recorded(order, memory_provider):
    memory_provider.decline = True
    with pytest.raises(PaymentDeclined):
        payments.start(order.pk)
    assert state(order) == ("pending", "failed")
    memory_provider.decline = False
    report("captured", payments.start(order.pk))
    assert state(order) == ("confirmed", "paid")


def test_start_reuses_the_payment_after_a_provider_outage(order, memory_provider):
    memory_provider.is_down = True
    with pytest.raises(ProviderUnavailable):
        payments.start(order.pk)
    assert state(order) == ("pending", "unpaid")
    memory_provider.is_down = False
    assert payments.start(order.pk).status == "pending"
    assert Payment.objects.count() == 1


@pytest.mark.parametrize("end", ["paid", "cancelled", "free"])
def test_payment_cannot_start_for_an_order_with_nothing_to_pay(place, memory_provider, end):
    if end == "free":
        Book.objects.update(sale_price=0)
    order = place(provider="memory")
    if end == "paid":
        report("captured", payments.start(order.pk))
    if end == "cancelled":
        lifecycle.cancel(order.pk)
    with pytest.raises(NotPayable):
        payments.start(order.pk)


def test_another_provider_can_be_chosen(order):
    payments.start(order.pk)
    payment = payments.start(order.pk, provider="bank")
    order.refresh_from_db()
    assert "KE12 3456" in payment.instructions
    assert order.number in payment.instructions
    assert order.payment_provider == "bank"
    assert order.expires_at - timezone.now() > timedelta(days=6)
    with pytest.raises(UnknownPaymentProvider):
        payments.start(order.pk, provider="gold")


def test_authorised_payment_is_captured_by_staff(order, user):
    payment = payments.start(order.pk)
    report("authorised", payment)
    assert state(order) == ("pending", "authorised")
    with pytest.raises(NotPayable):
        payments.start(order.pk)
    payments.capture(payment.pk, by=user)
    assert state(order) == ("confirmed", "paid")


def test_second_capture_changes_nothing(order, memory_provider):
    payment = payments.start(order.pk)
    report("authorised", payment)
    payments.capture(payment.pk)
    payments.capture(payment.pk)
    assert memory_provider.calls.count("capture") == 1
    assert state(order) == ("confirmed", "paid")
    assert order.paid_amount == 25


def test_refused_capture_changes_nothing(order, memory_provider):
    payment = payments.start(order.pk)
    report("authorised", payment)
    memory_provider.decline = True
    with pytest.raises(PaymentDeclined):
        payments.capture(payment.pk)
    assert state(order) == ("pending", "authorised")


def test_authorised_payment_of_a_cancelled_order_is_cancelled_not_captured(order, memory_provider):
    payment = payments.start(order.pk)
    report("authorised", payment)
    memory_provider.outcomes[payment.provider_reference] = "authorised"
    lifecycle.cancel(order.pk)
    with pytest.raises(NotPayable):
        payments.capture(payment.pk)
    Payment.objects.update(next_check_at=timezone.now())
    payments.reconcile()
    payment.refresh_from_db()
    assert (payment.status, memory_provider.calls[-2:]) == ("cancelled", ["cancel", "fetch"])
    assert state(order) == ("cancelled", "unpaid")
    assert order.paid_amount == 0


@pytest.fixture
def held(order, memory_provider):
    """A held payment: the order total is 25.00, and the provider reports 20.00."""
    payment = payments.start(order.pk)
    assert report("captured", payment, amount=Decimal(20)) == "held"
    return payment


def test_order_with_a_held_payment_does_not_expire(order, held):
    Order.objects.update(expires_at=timezone.now() - timedelta(hours=1))
    assert payments.expire_due() == 0
    assert not lifecycle.expire(order.pk)
    assert state(order) == ("pending", "unpaid")
    payments.resolve(held.pk, amount=Decimal(0))
    assert payments.expire_due() == 1
    assert state(order) == ("cancelled", "unpaid")


@pytest.mark.parametrize(
    ("amount", "status", "due"), [("25.00", ("confirmed", "paid"), 0), ("20.00", ("pending", "unpaid"), 5)]
)
def test_staff_resolve_a_held_payment_with_the_amount_received(order, held, user, amount, status, due):
    payments.resolve(held.pk, amount=Decimal(amount), by=user)
    assert state(order) == status
    assert (order.paid_amount, order.amount_due) == (Decimal(amount), due)
    event = order.events.get(kind="payment_resolved")
    assert (event.is_public, event.actor) == (False, user)
    assert amount in event.message
    with pytest.raises(NotPayable):
        payments.resolve(held.pk, amount=Decimal(amount))
    assert report("captured", held, event_id="evt-2", amount=Decimal(amount)) == "ignored"
    order.refresh_from_db()
    assert order.paid_amount == Decimal(amount)


def test_excess_of_a_resolved_payment_is_refunded(order, held, memory_provider):
    payments.resolve(held.pk, amount=Decimal(30))
    assert state(order) == ("confirmed", "paid")
    assert [refund.amount for refund in Refund.objects.all()] == [5]


def test_held_payment_cannot_be_resolved_with_a_negative_amount(order, held):
    with pytest.raises(NotPayable):
        payments.resolve(held.pk, amount=Decimal(-1))
    held.refresh_from_db()
    assert held.status == "held"


def test_second_transaction_in_another_currency_is_held(order, memory_provider):
    payment = payments.start(order.pk)
    report("captured", payment)
    event = PaymentEvent(
        event_id="evt-2",
        kind="captured",
        reference="other-transaction",
        payment_id=str(payment.public_id),
        amount=Decimal(25),
        currency="USD",
    )
    assert payments.apply_event("memory", event).outcome == "held"
    order.refresh_from_db()
    assert order.paid_amount == 25


def test_staff_record_a_bank_transfer_in_two_parts(place, memory_provider, user):
    order = place(provider="bank")
    payments.start(order.pk)
    payments.record_payment(order.pk, amount=Decimal(10), by=user)
    assert state(order) == ("pending", "unpaid")
    assert order.amount_due == 15
    payments.record_payment(order.pk, by=user)
    assert state(order) == ("confirmed", "paid")
    with pytest.raises(NotPayable):
        payments.record_payment(order.pk, by=user)
    assert order.paid_amount == 25


@pytest.mark.parametrize("amount", ["0", "-1", "0.004", "10000000000"])
def test_impossible_amounts_are_not_recorded(place, memory_provider, amount):
    order = place(provider="bank")
    with pytest.raises((NotPayable, InvalidInput)):
        payments.record_payment(order.pk, amount=Decimal(amount))
    assert order.payments.count() == 0


def test_money_above_the_amount_due_is_recorded_for_staff_to_send_back(place, memory_provider, user):
    order = place(provider="bank")
    payments.record_payment(order.pk, amount=Decimal("30.00"), by=user)
    assert state(order) == ("confirmed", "paid")
    payments.record_payment(order.pk, amount=Decimal("25.00"), by=user)
    assert (order.payments.count(), Refund.objects.count()) == (2, 0)
    order.refresh_from_db()
    assert (order.paid_amount, order.refund_due) == (55, 30)
    assert list(Order.objects.refund_due()) == [order]
    messages = order.events.filter(kind="refund_due", is_public=False).order_by("id").values_list("message", flat=True)
    reason, what_to_do = "Paid after the order was cancelled, or paid twice.", "then record the refund here."
    text = f"{reason} Send {{}} KES back by Bank transfer, {what_to_do}"
    assert list(messages) == [text.format("5.00"), text.format("25.00")]


def test_staff_cannot_record_a_payment_of_an_online_provider(order):
    with pytest.raises(UnknownPaymentProvider):
        payments.record_payment(order.pk)


def test_refunds_never_exceed_the_captured_amount(order, user, memory_provider):
    report("captured", payments.start(order.pk))
    payments.refund(order.pk, amount=Decimal(10), by=user, reason="Torn cover")
    assert state(order) == ("confirmed", "part_refunded")
    with pytest.raises(RefundTooLarge) as refusal:
        payments.refund(order.pk, amount=Decimal("15.01"))
    assert refusal.value.extra == {"refundable": "15.00"}
    payments.refund(order.pk)
    assert state(order) == ("confirmed", "refunded")
    with pytest.raises(RefundTooLarge):
        payments.refund(order.pk)
    assert sorted(memory_provider.refunds.values()) == [10, 15]


def test_refund_is_announced_with_amount_and_reason(order, announced, django_capture_on_commit_callbacks):
    report("captured", payments.start(order.pk))
    with django_capture_on_commit_callbacks(execute=True):
        payments.refund(order.pk, amount=Decimal(10), reason="Torn cover")
    refunds = [(payload["refund"], rest["refund"]) for name, payload, rest in announced if name == "order_refunded"]
    assert refunds == [({"amount": "10.00", "reason": "Torn cover", "lines": []}, Refund.objects.get())]


def test_refund_stays_queued_while_the_provider_is_unavailable(order, memory_provider):
    report("captured", payments.start(order.pk))
    memory_provider.is_down = True
    assert [row.status for row in payments.refund(order.pk)] == ["queued"]
    with pytest.raises(RefundTooLarge):
        payments.refund(order.pk)
    memory_provider.is_down = False
    assert payments.send_due_refunds() == 0
    Refund.objects.update(next_attempt_at=timezone.now())
    assert payments.send_due_refunds() == 1
    assert state(order)[1] == "refunded"
    assert len(memory_provider.refunds) == 1


def test_refund_stays_queued_while_its_provider_is_not_configured(place, memory_provider, shop_settings, settings):
    order = place(provider="memory")
    report("captured", payments.start(order.pk))
    providers = settings.SHOP_ORDERS["PAYMENT_PROVIDERS"]
    (queued,) = payments.queue_refund(order.pk)
    shop_settings(PAYMENT_PROVIDERS={"bank": providers["bank"]})
    refund = payments.send_refund(queued.pk)
    assert (refund.status, refund.error.partition(".")[0]) == ("queued", "Unknown payment provider: memory")
    shop_settings(PAYMENT_PROVIDERS=providers)
    Refund.objects.update(next_attempt_at=timezone.now())
    assert payments.send_due_refunds() == 1


def test_refund_backs_off_after_each_provider_exception(order, memory_provider, monkeypatch, caplog):
    report("captured", payments.start(order.pk))
    monkeypatch.setattr(memory_provider, "refund", lambda *args, **kwargs: {}["secret-key"])
    for attempts in (1, 2):
        payments.refund(order.pk) if attempts == 1 else payments.send_refund(Refund.objects.get().pk)
        refund = Refund.objects.get()
        assert (refund.status, refund.attempts) == ("queued", attempts)
        assert refund.error == "The provider raised an error: see the log."
        assert refund.next_attempt_at > timezone.now() + timedelta(minutes=4**attempts - 1)
        Refund.objects.update(next_attempt_at=timezone.now())
    said = order.events.get(kind="refund_waits")
    assert (said.is_public, said.message) == (
        False,
        "A refund could not be sent, and is tried again: The provider raised an error: see the log.",
    )
    assert "secret-key" in caplog.text


def test_declined_refund_leaves_the_order_paid(order, memory_provider):
    report("captured", payments.start(order.pk))
    memory_provider.decline = True
    assert [row.status for row in payments.refund(order.pk)] == ["failed"]
    assert state(order) == ("confirmed", "paid")
    assert order.events.get(kind="refund_failed").is_public is False
    memory_provider.decline = False
    assert [row.status for row in payments.refund(order.pk)] == ["succeeded"]


@pytest.fixture
def pending_refund(order, memory_provider):
    """A refund that the provider accepted and has not completed."""
    report("captured", payments.start(order.pk))
    memory_provider.refund_status = "pending"
    (refund,) = payments.refund(order.pk, amount=Decimal(10))
    assert refund.status == "pending"
    memory_provider.calls.clear()
    return refund


def reconcile_later():
    Refund.objects.update(next_attempt_at=timezone.now())
    return payments.reconcile()


@pytest.mark.parametrize(("said", "payment_status"), [("succeeded", "part_refunded"), ("failed", "paid")])
def test_pending_refund_is_fetched_when_its_next_attempt_is_due(
    order, memory_provider, pending_refund, said, payment_status
):
    assert (payments.reconcile(), memory_provider.calls) == (0, [])
    assert (reconcile_later(), memory_provider.calls) == (0, ["fetch_refund"])
    assert (payments.reconcile(), memory_provider.calls) == (0, ["fetch_refund"])
    memory_provider.refund_status = said
    assert reconcile_later() == 1
    assert state(order) == ("confirmed", payment_status)
    pending_refund.refresh_from_db()
    assert (pending_refund.status, pending_refund.provider_reference) == (said, f"refund_{pending_refund.public_id}")
    assert reconcile_later() == 0


def test_refund_unknown_to_the_provider_stays_pending_with_an_error(order, memory_provider, pending_refund):
    for trouble in ("is_down", "forgets"):
        setattr(memory_provider, trouble, True)
        assert reconcile_later() == 0
        pending_refund.refresh_from_db()
        assert (pending_refund.status, bool(pending_refund.error)) == ("pending", True)
        setattr(memory_provider, trouble, False)
        reconcile_later()
        pending_refund.refresh_from_db()
        assert (pending_refund.status, pending_refund.error) == ("pending", "")


def test_refund_stays_pending_when_its_state_cannot_be_fetched(order, memory_provider, monkeypatch, pending_refund):
    monkeypatch.delattr(memory_provider, "fetch_refund")
    assert reconcile_later() == 0
    pending_refund.refresh_from_db()
    assert (pending_refund.status, pending_refund.next_attempt_at > timezone.now()) == ("pending", True)


def test_refund_being_fetched_by_another_process_is_skipped(order, memory_provider, monkeypatch, pending_refund):
    Refund.objects.update(next_attempt_at=timezone.now())
    inner = []

    def fetch_refund(provider, *args, **kwargs):
        inner.append(payments.reconcile())  # stands in for another process that runs during this request
        return RefundResult()

    monkeypatch.setattr(memory_provider, "fetch_refund", fetch_refund)
    assert (payments.reconcile(), inner) == (1, [0])
    order.refresh_from_db()
    assert order.refunded_amount == 10


def test_refund_restocks_each_shipped_unit_at_most_once(place, memory_provider):
    order = place(quantity=3, provider="memory")
    report("captured", payments.start(order.pk))
    lifecycle.start_processing(order.pk)
    with pytest.raises(InvalidInput):
        payments.refund(order.pk, amount=Decimal(1), restock={"978-1": 1})
    lifecycle.ship(order.pk)
    payments.refund(order.pk, amount=Decimal(25), restock={"978-1": 2})
    assert Book.objects.get().on_hand == 9
    with pytest.raises(InvalidInput):
        payments.refund(order.pk, amount=Decimal(1), restock={"978-1": 2})
    assert (Book.objects.get().on_hand, OrderLine.objects.get().restocked_quantity) == (9, 2)
    assert Refund.objects.count() == 1


def test_refund_spans_several_payments(place, memory_provider):
    order = place(provider="bank")
    payments.record_payment(order.pk, amount=Decimal(10))
    payments.record_payment(order.pk)
    assert [row.amount for row in payments.refund(order.pk, amount=Decimal(20))] == [15, 5]


def test_expiry_fetches_the_payment_first(order, memory_provider):
    payment = payments.start(order.pk)
    Order.objects.update(expires_at=timezone.now())
    memory_provider.outcomes[payment.provider_reference] = "captured"
    assert payments.expire_due() == 0
    assert state(order) == ("confirmed", "paid")


def test_refused_fetch_leaves_the_payment_pending(order, memory_provider, make_due):
    payment = payments.start(order.pk)
    Order.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    Payment.objects.update(next_check_at=timezone.now())
    memory_provider.forgets = True
    assert (payments.expire_due(), payments.reconcile()) == (0, 0)
    assert state(order) == ("pending", "unpaid")
    with pytest.raises(ProviderUnavailable):
        payments.refresh(payment)
    memory_provider.forgets, memory_provider.outcomes[payment.provider_reference] = False, "captured"
    make_due()
    assert payments.expire_due() == 0
    assert state(order) == ("confirmed", "paid")


@pytest.mark.parametrize(
    "fetched",
    [PaymentState(status="failed", reference="another"), PaymentState(status="unheard-of")],  # type: ignore[arg-type]
)
def test_fetch_without_a_usable_state_leaves_the_payment_pending(order, memory_provider, monkeypatch, fetched):
    payment = payments.start(order.pk)
    Order.objects.update(expires_at=timezone.now())
    monkeypatch.setattr(memory_provider, "fetch", lambda *_args, **_kwargs: fetched)
    assert payments.expire_due() == 0
    payment.refresh_from_db()
    assert (payment.status, *state(order)) == ("pending", "pending", "unpaid")


def test_event_that_the_provider_refuses_to_confirm_keeps_waiting(order, memory_provider):
    payment = payments.start(order.pk)
    assert report("captured", payment, is_confirmed=False) == "waiting"
    memory_provider.forgets = True
    Order.objects.update(expires_at=timezone.now())
    assert (payments.reconcile(), payments.expire_due()) == (0, 0)
    assert state(order) == ("pending", "unpaid")
    assert ProviderEvent.objects.get().outcome == "waiting"


def test_unconfirmed_event_is_not_applied_on_retry(order, memory_provider, make_due):
    payment = payments.start(order.pk)
    report("captured", payment, is_confirmed=False)
    row = ProviderEvent.objects.get()
    for _time in range(2):
        assert inbox.reconsider(row.pk).outcome == "waiting"
        assert report("captured", payment, is_confirmed=False) == "waiting"
        make_due()
        assert payments.reconcile() == 0
    assert state(order) == ("pending", "unpaid")
    assert order.paid_amount == 0


def test_expiry_waits_while_the_provider_is_unavailable(order, memory_provider, make_due):
    payments.start(order.pk)
    Order.objects.update(expires_at=timezone.now())
    memory_provider.is_down = True
    assert payments.expire_due() == 0
    assert state(order) == ("pending", "unpaid")
    memory_provider.is_down = False
    assert payments.expire_due() == 0  # it was put back
    make_due()
    assert payments.expire_due() == 1
    assert state(order) == ("cancelled", "unpaid")
    assert Book.objects.get().on_hand == 10


def test_reconciliation_recovers_a_lost_webhook(order, memory_provider):
    payment = payments.start(order.pk)
    memory_provider.outcomes[payment.provider_reference] = "captured"
    assert payments.reconcile() == 0
    Payment.objects.update(next_check_at=timezone.now())
    assert payments.reconcile() == 1
    assert state(order) == ("confirmed", "paid")


def test_pending_payments_of_cancelled_orders_are_cancelled(order, memory_provider):
    payment = payments.start(order.pk)
    lifecycle.cancel(order.pk)
    Payment.objects.update(next_check_at=timezone.now())
    assert payments.reconcile() == 1
    payment.refresh_from_db()
    assert payment.status == "cancelled"
    assert memory_provider.outcomes[payment.provider_reference] == "cancelled"


def test_unmatched_event_is_retried(order, memory_provider):
    payment = payments.start(order.pk)
    reference = payment.provider_reference
    Payment.objects.update(provider_reference="")
    payment.provider_reference = reference
    assert report("captured", payment) == "unmatched"
    Payment.objects.update(provider_reference=reference)
    payments.reconcile()
    assert state(order) == ("confirmed", "paid")


def test_removed_provider_does_not_block_other_payments(place, memory_provider, shop_settings, settings):
    shop_settings(MAX_UNPAID_ORDERS=9)
    providers = settings.SHOP_ORDERS["PAYMENT_PROVIDERS"]
    shop_settings(PAYMENT_PROVIDERS={**providers, "old": providers["memory"]})
    stuck, expiring = place(provider="old", quantity=1), place(provider="memory", quantity=1)
    payments.start(stuck.pk)
    shop_settings(PAYMENT_PROVIDERS=providers)
    Order.objects.update(expires_at=timezone.now())
    Payment.objects.update(next_check_at=timezone.now())
    assert payments.expire_due() == 2
    assert payments.reconcile() == 0
    assert state(stuck) == ("cancelled", "unpaid")
    assert state(expiring) == ("cancelled", "unpaid")
