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


def tell(kind, payment, *, event_id="evt-1", amount=None, **fields):
    """An event of a payment from the provider."""
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
        assert tell("captured", payment) == "applied"
    assert state(order) == ("confirmed", "paid")
    assert order.paid_amount == 25
    assert [(name, payload["new_status"]) for name, payload, _rest in announced] == [
        ("payment_status_changed", "paid"),
        ("order_status_changed", "confirmed"),
    ]
    assert announced[0][1]["payment"] == {"provider": "memory", "amount": "25.00", "status": "captured"}


def test_same_event_twice_counts_once(order):
    payment = payments.start(order.pk)
    tell("captured", payment)
    events = order.events.count()
    tell("captured", payment)
    assert tell("captured", payment, event_id="evt-2") == "ignored"
    order.refresh_from_db()
    assert (order.paid_amount, order.events.count()) == (25, events)
    assert ProviderEvent.objects.count() == 2


def test_failure_after_success_is_ignored(order):
    payment = payments.start(order.pk)
    tell("captured", payment)
    assert tell("failed", payment, event_id="evt-2") == "ignored"
    assert state(order) == ("confirmed", "paid")


def test_success_after_failure_counts(order):
    payment = payments.start(order.pk)
    assert tell("failed", payment, error="No funds") == "applied"
    assert state(order) == ("pending", "failed")
    assert tell("captured", payment, event_id="evt-2") == "applied"
    assert state(order) == ("confirmed", "paid")


def test_refund_that_arrives_before_its_payment_waits(order):
    payment = payments.start(order.pk)
    assert tell("refunded", payment, amount=Decimal("5.00")) == "waiting"
    assert tell("captured", payment, event_id="evt-2") == "applied"
    assert state(order) == ("confirmed", "part_refunded")
    assert order.refunded_amount == 5
    assert ProviderEvent.objects.get(provider_event_id="evt-1").outcome == "applied"


def test_event_of_an_unknown_payment_is_stored_and_applied_when_it_becomes_known(order):
    payment = payments.start(order.pk)
    reference = payment.provider_reference
    Payment.objects.update(provider_reference="", status="started")
    assert tell("captured", payment) == "unmatched"
    assert state(order) == ("pending", "unpaid")
    assert payments.start(order.pk).provider_reference == reference
    assert state(order) == ("confirmed", "paid")
    assert ProviderEvent.objects.get().outcome == "applied"


@pytest.mark.parametrize(
    "reported", [{"amount": Decimal("24.99")}, {"amount": Decimal("25.01")}, {"currency": "USD", "amount": 25}]
)
def test_wrong_amount_or_currency_is_held(order, reported):
    payment = payments.start(order.pk)
    assert tell("captured", payment, **reported) == "held"
    assert state(order) == ("pending", "unpaid")
    payment.refresh_from_db()
    assert (payment.status, payment.captured_amount) == ("held", 0)
    assert order.events.get(kind="payment_held").is_public is False


def test_payment_after_expiry_is_recorded_and_refunded(order, memory_provider):
    payment = payments.start(order.pk)
    lifecycle.cancel(order.pk)
    assert tell("captured", payment) == "applied"
    assert state(order) == ("cancelled", "paid")
    assert (order.refund_due, order.refunds_under_way, Book.objects.get().on_hand) == (0, 25, 10)
    assert Refund.objects.get().status == "queued"
    assert payments.send_due_refunds() == 1
    assert state(order) == ("cancelled", "refunded")
    assert (order.refund_due, sum(memory_provider.refunds.values())) == (0, 25)


def test_second_payment_of_a_paid_order_goes_back(order, memory_provider):
    first = payments.start(order.pk)
    tell("failed", first)
    second = payments.start(order.pk)
    assert second != first
    tell("captured", second, event_id="evt-2")
    tell("captured", first, event_id="evt-3")
    order.refresh_from_db()
    assert (order.paid_amount, order.refund_due, order.refunds_under_way) == (50, 0, 25)
    assert payments.send_due_refunds() == 1
    order.refresh_from_db()
    assert (order.refunded_amount, order.refund_due) == (25, 0)
    assert state(order) == ("confirmed", "paid")


def test_money_of_an_unknown_second_transaction_is_a_payment_and_goes_back(order, memory_provider):
    payment = payments.start(order.pk)
    tell("captured", payment)
    again = PaymentEvent(event_id="evt-2", kind="captured", reference="other", payment_id=str(payment.public_id))
    assert payments.apply_event("memory", again).outcome == "applied"
    order.refresh_from_db()
    assert (order.paid_amount, order.refunds_under_way, order.payments.count()) == (50, 25, 2)
    assert payments.send_due_refunds() == 1
    assert order.events.get(kind="paid_twice").is_public is False


def test_later_event_with_another_amount_is_held(order, memory_provider):
    payment = payments.start(order.pk)
    tell("captured", payment)
    assert tell("captured", payment, event_id="evt-2", amount=Decimal(24)) == "held"
    assert state(order) == ("confirmed", "paid")
    assert order.events.get(kind="payment_held").is_public is False


def test_payment_without_a_reported_amount_is_recorded_as_such(order, memory_provider):
    payment = payments.start(order.pk)
    payments.apply_state(payment.pk, PaymentState(status="captured"))
    assert state(order) == ("confirmed", "paid")
    assert "25.00 KES" in order.events.get(kind="payment_amount_unknown").message


def test_fetched_amount_is_compared(order, memory_provider):
    payment = payments.start(order.pk)
    memory_provider.outcomes[payment.provider_reference] = "captured"
    memory_provider.amounts[payment.provider_reference] = Decimal(24)
    payments.refresh(payment)
    assert state(order) == ("pending", "unpaid")
    payment.refresh_from_db()
    assert payment.status == "held"


def test_refund_that_waits_is_applied_after_a_lost_webhook(order, memory_provider):
    payment = payments.start(order.pk)
    assert tell("refunded", payment, amount=Decimal(5)) == "waiting"
    memory_provider.outcomes[payment.provider_reference] = "captured"
    payments.refresh(payment)
    payments.reconcile()
    assert state(order) == ("confirmed", "part_refunded")


def test_declined_start_is_recorded(order, memory_provider):
    memory_provider.decline = True
    with pytest.raises(PaymentDeclined):
        payments.start(order.pk)
    assert state(order) == ("pending", "failed")
    memory_provider.decline = False
    tell("captured", payments.start(order.pk))
    assert state(order) == ("confirmed", "paid")


def test_start_goes_on_after_the_provider_was_away(order, memory_provider):
    memory_provider.is_down = True
    with pytest.raises(ProviderUnavailable):
        payments.start(order.pk)
    assert state(order) == ("pending", "unpaid")
    memory_provider.is_down = False
    assert payments.start(order.pk).status == "pending"
    assert Payment.objects.count() == 1


@pytest.mark.parametrize("end", ["paid", "cancelled", "free"])
def test_what_needs_no_payment_takes_none(place, memory_provider, end):
    if end == "free":
        Book.objects.update(sale_price=0)
    order = place(provider="memory")
    if end == "paid":
        tell("captured", payments.start(order.pk))
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
    tell("authorised", payment)
    assert state(order) == ("pending", "authorised")
    with pytest.raises(NotPayable):
        payments.start(order.pk)
    payments.capture(payment.pk, by=user)
    assert state(order) == ("confirmed", "paid")


def test_capture_again_changes_nothing(order, memory_provider):
    payment = payments.start(order.pk)
    tell("authorised", payment)
    payments.capture(payment.pk)
    payments.capture(payment.pk)
    assert memory_provider.calls.count("capture") == 1
    assert state(order) == ("confirmed", "paid")
    assert order.paid_amount == 25


def test_refused_capture_changes_nothing(order, memory_provider):
    payment = payments.start(order.pk)
    tell("authorised", payment)
    memory_provider.decline = True
    with pytest.raises(PaymentDeclined):
        payments.capture(payment.pk)
    assert state(order) == ("pending", "authorised")


def test_authorised_money_of_a_cancelled_order_is_not_taken_but_given_up(order, memory_provider):
    payment = payments.start(order.pk)
    tell("authorised", payment)
    memory_provider.outcomes[payment.provider_reference] = "authorised"
    lifecycle.cancel(order.pk)
    with pytest.raises(NotPayable):
        payments.capture(payment.pk)
    Payment.objects.update(updated_at=timezone.now() - timedelta(minutes=3))
    payments.reconcile()
    payment.refresh_from_db()
    assert (payment.status, memory_provider.calls[-1]) == ("cancelled", "cancel")
    assert state(order) == ("cancelled", "unpaid")
    assert order.paid_amount == 0


@pytest.fixture
def held(order, memory_provider):
    """A payment of an order over 25.00 of which the provider says that 20.00 came."""
    payment = payments.start(order.pk)
    assert tell("captured", payment, amount=Decimal(20)) == "held"
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
    ("came", "status", "due"), [("25.00", ("confirmed", "paid"), 0), ("20.00", ("pending", "unpaid"), 5)]
)
def test_staff_say_what_came_of_a_held_payment(order, held, user, came, status, due):
    payments.resolve(held.pk, amount=Decimal(came), by=user)
    assert state(order) == status
    assert (order.paid_amount, order.amount_due) == (Decimal(came), due)
    event = order.events.get(kind="payment_resolved")
    assert (event.is_public, event.actor) == (False, user)
    assert came in event.message
    with pytest.raises(NotPayable):
        payments.resolve(held.pk, amount=Decimal(came))
    assert tell("captured", held, event_id="evt-2", amount=Decimal(came)) == "ignored"
    order.refresh_from_db()
    assert order.paid_amount == Decimal(came)


def test_what_came_too_much_of_a_held_payment_goes_back(order, held, memory_provider):
    payments.resolve(held.pk, amount=Decimal(30))
    assert state(order) == ("confirmed", "paid")
    assert [refund.amount for refund in Refund.objects.all()] == [5]


def test_nothing_below_zero_came_of_a_held_payment(order, held):
    with pytest.raises(NotPayable):
        payments.resolve(held.pk, amount=Decimal(-1))
    held.refresh_from_db()
    assert held.status == "held"


def test_second_transaction_in_another_currency_is_held(order, memory_provider):
    payment = payments.start(order.pk)
    tell("captured", payment)
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


def test_staff_record_a_transfer_in_parts(place, memory_provider, user):
    order = place(provider="bank")
    payments.start(order.pk)
    payments.record_payment(order.pk, amount=Decimal(10), by=user)
    assert state(order) == ("pending", "unpaid")
    assert order.amount_due == 15
    payments.record_payment(order.pk, by=user)
    assert state(order) == ("confirmed", "paid")
    for amount in (None, Decimal("0.01")):
        with pytest.raises(NotPayable):
            payments.record_payment(order.pk, amount=amount, by=user)
    assert order.paid_amount == 25


@pytest.mark.parametrize("amount", ["0", "-1", "25.01"])
def test_impossible_amounts_are_not_recorded(place, memory_provider, amount):
    order = place(provider="bank")
    with pytest.raises(NotPayable):
        payments.record_payment(order.pk, amount=Decimal(amount))
    assert order.payments.count() == 0


def test_money_of_an_online_provider_is_not_recorded_by_hand(order):
    with pytest.raises(UnknownPaymentProvider):
        payments.record_payment(order.pk)


def test_refunds_never_exceed_what_was_captured(order, user, memory_provider):
    tell("captured", payments.start(order.pk))
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
    tell("captured", payments.start(order.pk))
    with django_capture_on_commit_callbacks(execute=True):
        payments.refund(order.pk, amount=Decimal(10), reason="Torn cover")
    refunds = [(payload["refund"], rest["refund"]) for name, payload, rest in announced if name == "order_refunded"]
    assert refunds == [({"amount": "10.00", "reason": "Torn cover"}, Refund.objects.get())]


def test_refund_waits_for_a_provider_that_is_away(order, memory_provider):
    tell("captured", payments.start(order.pk))
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


def test_refund_by_a_provider_that_is_not_configured_any_more_waits(place, memory_provider, shop_settings, settings):
    order = place(provider="memory")
    tell("captured", payments.start(order.pk))
    providers = settings.SHOP_ORDERS["PAYMENT_PROVIDERS"]
    shop_settings(PAYMENT_PROVIDERS={"bank": providers["bank"]})
    (refund,) = payments.refund(order.pk)
    assert (refund.status, refund.error) == ("queued", "Unknown payment provider: memory")
    shop_settings(PAYMENT_PROVIDERS=providers)
    Refund.objects.update(next_attempt_at=timezone.now())
    assert payments.send_due_refunds() == 1


def test_refund_by_a_provider_with_a_fault_waits_longer_each_time(order, memory_provider, monkeypatch):
    tell("captured", payments.start(order.pk))
    monkeypatch.setattr(memory_provider, "refund", lambda *args, **kwargs: {}["secret-key"])
    for attempts in (1, 2):
        with pytest.raises(KeyError):
            payments.refund(order.pk) if attempts == 1 else payments.send_refund(Refund.objects.get().pk)
        refund = Refund.objects.get()
        assert (refund.status, refund.attempts, refund.error) == ("queued", attempts, "KeyError")
        assert refund.next_attempt_at > timezone.now() + timedelta(minutes=4**attempts - 1)
        Refund.objects.update(next_attempt_at=timezone.now())


def test_refused_refund_leaves_the_money(order, memory_provider):
    tell("captured", payments.start(order.pk))
    memory_provider.decline = True
    assert [row.status for row in payments.refund(order.pk)] == ["failed"]
    assert state(order) == ("confirmed", "paid")
    assert order.events.get(kind="refund_failed").is_public is False
    memory_provider.decline = False
    assert [row.status for row in payments.refund(order.pk)] == ["succeeded"]


def test_webhook_of_our_own_refund_counts_once(order):
    payment = payments.start(order.pk)
    tell("captured", payment)
    payments.refund(order.pk, amount=Decimal(10))
    assert tell("refunded", payment, event_id="evt-2", amount=Decimal(10)) == "ignored"
    assert tell("refunded", payment, event_id="evt-3", amount=Decimal(12)) == "applied"
    order.refresh_from_db()
    assert order.refunded_amount == 12
    assert [row.amount for row in Refund.objects.order_by("id")] == [10, 2]
    assert tell("refunded", payment, event_id="evt-4", amount=Decimal(26)) == "held"


def test_webhook_may_be_faster_than_the_refunds_response(order):
    payment = payments.start(order.pk)
    tell("captured", payment)
    (queued,) = payments.queue_refund(order.pk, amount=Decimal(10))
    assert tell("refunded", payment, event_id="evt-2", amount=Decimal(10)) == "applied"
    queued.refresh_from_db()
    assert queued.status == "succeeded"
    payments.send_refund(queued.pk)
    order.refresh_from_db()
    assert (order.refunded_amount, Refund.objects.count()) == (10, 1)


@pytest.fixture
def failed(order):
    """A refund of 10 that went out and did not arrive."""
    payment = payments.start(order.pk)
    tell("captured", payment)
    (refund,) = payments.refund(order.pk, amount=Decimal(10))
    tell("refund_failed", payment, event_id="evt-failed", refund_id=str(refund.public_id), error="closed account")
    return refund


def tell_of_failure(payment, *, event_id, reference="re-1", amount=10):
    return tell("refund_failed", payment, event_id=event_id, amount=Decimal(amount), refund_reference=reference)


def test_refund_made_at_the_provider_that_fails_is_money_of_ours_again(order):
    payment = payments.start(order.pk)
    tell("captured", payment)
    tell("refunded", payment, event_id="evt-2", amount=Decimal(10))
    payments.refund(order.pk, amount=Decimal(10))
    assert tell_of_failure(payment, event_id="evt-3") == "applied"
    assert tell_of_failure(payment, event_id="evt-4") == "ignored"
    assert state(order) == ("confirmed", "part_refunded")
    assert order.refunded_amount == 10
    assert [(row.status, row.attempts) for row in Refund.objects.order_by("id")] == [("failed", 0), ("succeeded", 1)]
    assert order.events.get(kind="refund_failed").is_public is False


def test_refund_made_at_the_provider_may_fail_before_its_total_is_reported(order, memory_provider, monkeypatch):
    payment = payments.start(order.pk)
    tell("captured", payment)
    assert tell_of_failure(payment, event_id="evt-2") == "applied"
    assert tell("refunded", payment, event_id="evt-late", amount=Decimal(10)) == "waiting"
    answer = PaymentState(status="captured", captured=Decimal(25), refunded=Decimal(0))
    assert reconcile_by(memory_provider, monkeypatch, answer) == "ignored"
    assert state(order) == ("confirmed", "paid")


@pytest.mark.parametrize("fields", [{"reference": ""}, {"amount": 26}, {"amount": 0}])
def test_failure_of_a_refund_with_too_few_fields_changes_nothing(order, fields):
    payment = payments.start(order.pk)
    tell("captured", payment)
    assert tell_of_failure(payment, event_id="evt-2", **fields) == "ignored"
    assert Refund.objects.count() == 0


def reconcile_by(memory_provider, monkeypatch, answer):
    monkeypatch.setattr(memory_provider, "fetch", lambda *_args, **_kwargs: answer)
    payments.reconcile()
    return ProviderEvent.objects.get(provider_event_id="evt-late").outcome


@pytest.mark.parametrize(
    ("stands", "outcome", "refunded"), [(0, "ignored", 0), (10, "applied", 10), (4, "applied", 4), (26, "held", 0)]
)
def test_total_that_may_hold_a_failed_refund_is_asked_about(
    order, memory_provider, monkeypatch, failed, stands, outcome, refunded
):
    assert tell("refunded", failed.payment, event_id="evt-late", amount=Decimal(10)) == "waiting"
    assert tell("refunded", failed.payment, event_id="evt-late", amount=Decimal(10)) == "waiting"
    order.refresh_from_db()
    assert order.refunded_amount == 0
    answer = PaymentState(status="captured", captured=Decimal(25), refunded=Decimal(stands))
    assert reconcile_by(memory_provider, monkeypatch, answer) == outcome
    order.refresh_from_db()
    assert order.refunded_amount == refunded


@pytest.mark.parametrize("answer", [None, PaymentState(status="captured", captured=Decimal(25))])
def test_total_that_cannot_be_fetched_is_held_for_staff(order, memory_provider, monkeypatch, failed, answer):
    tell("refunded", failed.payment, event_id="evt-late", amount=Decimal(10))
    assert reconcile_by(memory_provider, monkeypatch, answer) == "held"
    order.refresh_from_db()
    assert order.refunded_amount == 0
    assert "10.00 KES" in order.events.get(kind="payment_held").message


def test_refund_that_fails_while_its_provider_is_asked_leaves_the_total_for_the_next_time(order, memory_provider):
    payment = payments.start(order.pk)
    tell("captured", payment)
    first, second = (payments.refund(order.pk, amount=Decimal(10))[0] for _time in range(2))
    tell("refund_failed", payment, event_id="evt-2", refund_id=str(first.public_id))
    tell("refunded", payment, event_id="evt-late", amount=Decimal(20))
    (event,) = inbox.unconfirmed()
    fetched_at = timezone.now()
    answer = PaymentState(status="captured", refunded=Decimal(10))
    tell("refund_failed", payment, event_id="evt-3", refund_id=str(second.public_id))
    assert inbox.confirm(event.pk, answer, fetched_at=fetched_at).outcome == "waiting"
    order.refresh_from_db()
    assert order.refunded_amount == 0


@pytest.fixture
def pending(order, memory_provider):
    """A refund that the provider has and did not bring to an end."""
    tell("captured", payments.start(order.pk))
    memory_provider.refund_status = "pending"
    (refund,) = payments.refund(order.pk, amount=Decimal(10))
    assert refund.status == "pending"
    memory_provider.calls.clear()
    return refund


def look_later():
    Refund.objects.update(next_attempt_at=timezone.now())
    return payments.reconcile()


@pytest.mark.parametrize(("said", "payment_status"), [("succeeded", "part_refunded"), ("failed", "paid")])
def test_refund_that_waits_for_long_is_asked_about(order, memory_provider, pending, said, payment_status):
    assert (payments.reconcile(), memory_provider.calls) == (0, [])
    assert (look_later(), memory_provider.calls) == (0, ["fetch_refund"])
    assert (payments.reconcile(), memory_provider.calls) == (0, ["fetch_refund"])
    memory_provider.refund_status = said
    assert look_later() == 1
    assert state(order) == ("confirmed", payment_status)
    pending.refresh_from_db()
    assert (pending.status, pending.provider_reference) == (said, f"refund_{pending.public_id}")
    assert look_later() == 0


def test_refund_that_the_provider_does_not_know_stays_pending_with_the_error(order, memory_provider, pending):
    for trouble in ("is_down", "forgets"):
        setattr(memory_provider, trouble, True)
        assert look_later() == 0
        pending.refresh_from_db()
        assert (pending.status, bool(pending.error)) == ("pending", True)
        setattr(memory_provider, trouble, False)
        look_later()
        pending.refresh_from_db()
        assert (pending.status, pending.error) == ("pending", "")


def test_refund_stays_pending_when_its_state_cannot_be_fetched(order, memory_provider, monkeypatch, pending):
    monkeypatch.delattr(memory_provider, "fetch_refund")
    assert look_later() == 0
    pending.refresh_from_db()
    assert (pending.status, pending.next_attempt_at > timezone.now()) == ("pending", True)


def test_refund_that_another_process_asks_about_is_left_alone(order, memory_provider, monkeypatch, pending):
    Refund.objects.update(next_attempt_at=timezone.now())
    inner = []

    def fetch_refund(provider, *args, **kwargs):
        inner.append(payments.reconcile())  # as in another process, while this one waits for the answer
        return RefundResult()

    monkeypatch.setattr(memory_provider, "fetch_refund", fetch_refund)
    assert (payments.reconcile(), inner) == (1, [0])
    order.refresh_from_db()
    assert order.refunded_amount == 10


def test_refund_returns_goods_to_stock_once(place, memory_provider):
    order = place(quantity=3, provider="memory")
    tell("captured", payments.start(order.pk))
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


def test_expiry_asks_the_provider_first(order, memory_provider):
    payment = payments.start(order.pk)
    Order.objects.update(expires_at=timezone.now())
    memory_provider.outcomes[payment.provider_reference] = "captured"
    assert payments.expire_due() == 0
    assert state(order) == ("confirmed", "paid")


def test_expiry_notes_a_payment_that_the_provider_does_not_know_any_more(order, memory_provider):
    payment = payments.start(order.pk)
    Order.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    memory_provider.forgets = True
    assert payments.expire_due() == 1
    payment.refresh_from_db()
    assert payment.status == "failed"
    assert state(order) == ("cancelled", "unpaid")


def test_expiry_waits_for_a_provider_that_is_away(order, memory_provider):
    payments.start(order.pk)
    Order.objects.update(expires_at=timezone.now())
    memory_provider.is_down = True
    assert payments.expire_due() == 0
    assert state(order) == ("pending", "unpaid")
    memory_provider.is_down = False
    assert payments.expire_due() == 1
    assert state(order) == ("cancelled", "unpaid")
    assert Book.objects.get().on_hand == 10


def test_lost_webhook_is_made_up_for(order, memory_provider):
    payment = payments.start(order.pk)
    memory_provider.outcomes[payment.provider_reference] = "captured"
    assert payments.reconcile() == 0
    Payment.objects.update(updated_at=timezone.now() - timedelta(minutes=3))
    assert payments.reconcile() == 1
    assert state(order) == ("confirmed", "paid")


def test_waiting_payments_of_cancelled_orders_are_given_up(order, memory_provider):
    payment = payments.start(order.pk)
    lifecycle.cancel(order.pk)
    Payment.objects.update(updated_at=timezone.now() - timedelta(minutes=3))
    assert payments.reconcile() == 1
    payment.refresh_from_db()
    assert payment.status == "cancelled"
    assert memory_provider.outcomes[payment.provider_reference] == "cancelled"


def test_unmatched_event_is_retried(order, memory_provider):
    payment = payments.start(order.pk)
    reference = payment.provider_reference
    Payment.objects.update(provider_reference="")
    payment.provider_reference = reference
    assert tell("captured", payment) == "unmatched"
    Payment.objects.update(provider_reference=reference)
    payments.reconcile()
    assert state(order) == ("confirmed", "paid")


def test_provider_that_is_gone_stops_nobody_elses_turn(place, memory_provider, shop_settings, settings):
    shop_settings(MAX_UNPAID_ORDERS=9)
    providers = settings.SHOP_ORDERS["PAYMENT_PROVIDERS"]
    shop_settings(PAYMENT_PROVIDERS={**providers, "old": providers["memory"]})
    stuck, expiring = place(provider="old", quantity=1), place(provider="memory", quantity=1)
    payments.start(stuck.pk)
    shop_settings(PAYMENT_PROVIDERS=providers)
    Order.objects.update(expires_at=timezone.now())
    Payment.objects.update(updated_at=timezone.now() - timedelta(minutes=3))
    assert payments.expire_due() == 1
    assert payments.reconcile() == 0
    assert state(stuck) == ("pending", "unpaid")
    assert state(expiring) == ("cancelled", "unpaid")
