"""Refunds are matched by our id or by the provider's reference, never by amount or by the order of arrival."""

from dataclasses import fields
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from shop_orders import customers, lifecycle, payments
from shop_orders.exceptions import InvalidInput, InvalidWebhook, NotPayable, PaymentDeclined, RefundTooLarge
from shop_orders.models import Order, Payment, ProviderEvent, Refund
from shop_orders.payment_providers import PaymentEvent, PaymentState, RefundResult, RefundState
from shop_orders.payments import provider_events

pytestmark = pytest.mark.django_db


@pytest.fixture
def order(place, memory_provider):
    return place(provider="memory")


@pytest.fixture
def payment(order, memory_provider):
    """A captured payment of 25.00."""
    return capture(payments.start(order.pk), memory_provider)


def capture(payment, memory_provider, *, event_id="captured"):
    memory_provider.outcomes[payment.provider_reference] = "captured"
    assert report("captured", payment, event_id=event_id, amount=payment.amount) == "applied"
    payment.refresh_from_db()
    return payment


def report(kind, payment, *, event_id, amount=None, **values):
    """Apply a provider event to a payment and return its outcome."""
    amount = None if amount is None else Decimal(amount)
    values = {"reference": payment.provider_reference, **values}
    return payments.apply_event("memory", PaymentEvent(event_id=event_id, kind=kind, amount=amount, **values)).outcome


def send(order, amount, memory_provider, status="succeeded"):
    memory_provider.refund_status = status
    (refund,) = payments.refund(order.pk, amount=Decimal(amount))
    return refund


def made_in_dashboard(memory_provider, payment, amount, *, reference="re-1", status="succeeded"):
    row = RefundState(status=status, amount=Decimal(amount), reference=reference)
    others = [one for one in memory_provider.made.get(payment.provider_reference, []) if one.reference != reference]
    memory_provider.made[payment.provider_reference] = [*others, row]


def books(order):
    """The refunded amount of the order, and the amounts and statuses of its refunds."""
    order.refresh_from_db()
    rows = Refund.objects.filter(payment__order=order).order_by("id")
    assert order.refunded_amount == sum(row.amount for row in rows if row.status == "succeeded")
    return order.refunded_amount, [(row.amount, row.status) for row in rows]


def outcome(event_id):
    return ProviderEvent.objects.get(provider_event_id=event_id).outcome


FULL = PaymentEvent(
    event_id="evt-1",
    kind="refunded",
    reference="ref-1",
    payment_id="payment-1",
    refund_id="refund-1",
    refund_reference="re-1",
    amount=Decimal("12.5000"),
    currency="KES",
    error="An error",
    data={"receipt": "NLJ7", "list": [1]},
    is_confirmed=False,
)
EMPTY = PaymentEvent(event_id="evt-2", kind="captured")


@pytest.mark.parametrize("event", [FULL, EMPTY])
def test_stored_event_has_every_field(event):
    row = provider_events.store("memory", event, None)
    assert provider_events.as_event(ProviderEvent.objects.get(pk=row.pk)) == event
    assert {field.name for field in fields(PaymentEvent)} == provider_events.COLUMNS.keys()
    assert len(set(provider_events.COLUMNS.values())) == len(provider_events.COLUMNS)


@pytest.mark.parametrize(
    "values",
    [
        {"event_id": ""},
        {"event_id": "e" * 256},
        {"reference": "a\0b"},
        {"reference": "\ud800"},
        {"reference": "r" * 256},
        {"refund_id": "r" * 256},
        {"currency": "SHILLINGS"},
        {"amount": Decimal("NaN")},
        {"amount": Decimal("Infinity")},
        {"amount": Decimal("1e11")},
        {"amount": Decimal("-1e11")},
        {"amount": "much"},
    ],
)
def test_event_that_cannot_be_stored_is_refused(values):
    with pytest.raises(InvalidWebhook):
        payments.apply_event("memory", PaymentEvent(**{"event_id": "evt-1", "kind": "captured", **values}))
    assert not ProviderEvent.objects.exists()


def test_confirmed_event_replaces_the_claim_with_its_id(order, memory_provider):
    payment = payments.start(order.pk)
    assert report("captured", payment, event_id="evt", amount=1, is_confirmed=False) == "waiting"
    assert report("captured", payment, event_id="evt", amount=25) == "applied"
    order.refresh_from_db()
    assert order.paid_amount == 25


def test_claim_is_still_a_claim_after_its_customer_was_anonymised(order, memory_provider, make_due):
    payment = payments.start(order.pk)
    report("captured", payment, event_id="evt", amount=25, is_confirmed=False)
    lifecycle.cancel(order.pk)
    customers.anonymise(order.customer)
    make_due()
    payments.reconcile()
    assert (outcome("evt"), books(order)[0]) == ("waiting", 0)


def test_refund_that_was_named_is_booked_whatever_the_total_says(order, payment, memory_provider):
    """A refund of 4 is queued, one of 9 was sent and is reported first."""
    (unsent,) = payments.queue_refund(order.pk, amount=Decimal(4))
    sent = send(order, 9, memory_provider, "pending")
    assert report("refunded", payment, event_id="evt", amount=9, refund_id=str(sent.public_id)) == "applied"
    assert books(order) == (9, [(4, "queued"), (9, "succeeded")])
    memory_provider.refund_status = "succeeded"
    payments.send_refund(unsent.pk)
    assert books(order) == (13, [(4, "succeeded"), (9, "succeeded")])


def test_total_without_ids_books_what_the_provider_lists(order, payment, memory_provider, make_due):
    payments.queue_refund(order.pk, amount=Decimal(4))
    send(order, 9, memory_provider, "pending")
    assert report("refunded", payment, event_id="evt", amount=9) == "waiting"
    memory_provider.refund_status = "succeeded"
    rows = memory_provider.made[payment.provider_reference]
    memory_provider.made[payment.provider_reference] = [
        RefundState(status="succeeded", amount=row.amount, refund_id=row.refund_id, reference=row.reference)
        for row in rows
    ]
    payments.reconcile()
    assert outcome("evt") == "applied"
    assert books(order) == (9, [(4, "queued"), (9, "succeeded")])


@pytest.mark.parametrize("first", [0, 1, 2])
def test_pending_refunds_whose_totals_arrive_in_any_order_are_booked_once(order, payment, memory_provider, first):
    rows = [send(order, amount, memory_provider, "pending") for amount in ("1.70", "1.70", "13.60")]
    for row in rows[first:] + rows[:first]:
        report("refunded", payment, event_id=f"evt-{row.pk}", amount="17.00", refund_id=str(row.public_id))
    assert books(order) == (17, [(row.amount, "succeeded") for row in rows])


def test_total_that_arrives_before_the_response_settles_no_unsent_refund(order, payment, memory_provider, monkeypatch):
    """A refund of 12.50 is sent. Before its response arrives, the rest is refunded, and the provider reports its
    total."""
    (first,) = payments.queue_refund(order.pk, amount=Decimal("12.50"))

    def refund(provider, state, *, reference, request):
        if request.refund_id == str(first.public_id):
            second = send(order, "12.50", memory_provider)
            report("refunded", payment, event_id="evt", amount=25)
            assert second.status == "succeeded"
        return RefundResult(reference=f"refund_{request.refund_id}")

    monkeypatch.setattr(memory_provider, "refund", refund)
    payments.send_refund(first.pk)
    half = (Decimal("12.50"), "succeeded")
    assert books(order) == (25, [half, half])


def test_unsent_refund_cannot_have_succeeded_or_failed(order, payment):
    (unsent,) = payments.queue_refund(order.pk, amount=Decimal(10))
    for kind in ("refunded", "refund_failed"):
        assert report(kind, payment, event_id=kind, amount=10, refund_id=str(unsent.public_id)) == "held"
    assert books(order) == (0, [(10, "queued")])
    assert order.events.filter(kind="payment_held", is_public=False).count() == 2


def test_webhook_of_a_sent_refund_may_arrive_before_the_response(order, payment, memory_provider, monkeypatch):
    def refund(provider, state, *, reference, request):
        event = {"refund_id": request.refund_id, "refund_reference": "re-9"}
        assert report("refunded", payment, event_id="evt", amount=10, **event) == "applied"
        return RefundResult(reference="re-9")

    monkeypatch.setattr(memory_provider, "refund", refund)
    (row,) = payments.refund(order.pk, amount=Decimal(10))
    assert books(order) == (10, [(10, "succeeded")])
    assert row.provider_reference == "re-9"


def test_refunds_whose_responses_were_lost_are_matched_by_id(order, payment, memory_provider):
    """Refunds of 60 % and 30 %, the response to the first one is lost. Their totals arrive, and nothing raises."""
    memory_provider.is_down = True
    (first,) = payments.refund(order.pk, amount=Decimal(15))
    memory_provider.is_down = False
    second = send(order, 7, memory_provider, "pending")
    assert report("refunded", payment, event_id="evt-1", amount=15, refund_id=str(first.public_id)) == "applied"
    assert report("refunded", payment, event_id="evt-2", amount=22, refund_id=str(second.public_id)) == "applied"
    assert books(order) == (22, [(15, "succeeded"), (7, "succeeded")])
    assert payments.refund(order.pk)[0].amount == 3


def test_refund_before_its_payment_waits(order, memory_provider, make_due):
    payment = payments.start(order.pk)
    made_in_dashboard(memory_provider, payment, 5)
    assert report("refunded", payment, event_id="evt", amount=5, refund_reference="re-1") == "waiting"
    capture(payment, memory_provider)
    make_due()
    payments.reconcile()
    assert (outcome("evt"), books(order)) == ("applied", (5, [(5, "succeeded")]))


def test_failure_of_a_refund_before_its_payment_waits_and_is_not_booked_later(order, memory_provider, make_due):
    payment = payments.start(order.pk)
    made_in_dashboard(memory_provider, payment, 5, status="failed")
    for kind in ("refund_failed", "refunded"):
        assert report(kind, payment, event_id=kind, amount=5, refund_reference="re-1") == "waiting"
    capture(payment, memory_provider)
    for _time in range(9):
        make_due()
        payments.reconcile()
    assert (outcome("refund_failed"), outcome("refunded")) == ("ignored", "held")
    assert books(order) == (0, [])


@pytest.mark.parametrize("names", [{"refund_reference": "re-1"}, {}])
def test_dashboard_refund_is_found_by_fetching(order, payment, memory_provider, names):
    made_in_dashboard(memory_provider, payment, 10)
    assert report("refunded", payment, event_id="evt", amount=10, **names) == "waiting"
    payments.reconcile()
    assert outcome("evt") == "applied"
    assert books(order) == (10, [(10, "succeeded")])
    assert report("refunded", payment, event_id="evt-2", amount=10) == "ignored"
    payments.refresh(payment)
    assert books(order) == (10, [(10, "succeeded")])


def test_dashboard_refund_replaces_unsent_refunds_that_no_longer_fit(order, payment, memory_provider):
    payments.queue_refund(order.pk, amount=Decimal(20))
    made_in_dashboard(memory_provider, payment, 10)
    payments.refresh(payment)
    assert books(order) == (10, [(20, "failed"), (10, "succeeded")])
    assert order.events.filter(kind="refund_failed").count() == 1


@pytest.mark.parametrize(("made", "credited", "owed"), [("10", 20, 10), ("20", 20, 0), ("24", 24, 0)])
def test_dashboard_refund_in_place_of_a_queued_one_is_credited_once(
    order, payment, memory_provider, made, credited, owed
):
    payments.queue_refund(order.pk, amount=Decimal(20))
    made_in_dashboard(memory_provider, payment, made)
    payments.refresh(payment)
    order.refresh_from_db()
    assert (order.credited_amount, order.refund_due, order.amount_due) == (credited, owed, 0)
    assert sum(credit.amount for credit in order.credits.all()) == credited


@pytest.mark.parametrize(
    ("status", "expected"), [("pending", (0, "pending")), ("succeeded", (10, "succeeded")), ("failed", (0, None))]
)
def test_listed_refund_has_the_status_that_the_provider_gives(order, payment, memory_provider, status, expected):
    made_in_dashboard(memory_provider, payment, 10, status=status)
    payments.refresh(payment)
    amount, rows = books(order)
    assert (amount, rows[0][1] if rows else None) == expected


def test_refund_that_the_provider_lists_as_failed_no_longer_counts(order, payment, memory_provider):
    made_in_dashboard(memory_provider, payment, 10)
    payments.refresh(payment)
    ours = send(order, 5, memory_provider)
    made_in_dashboard(memory_provider, payment, 10, status="failed")
    payments.refresh(payment)
    assert books(order) == (5, [(10, "failed"), (5, "succeeded")])
    memory_provider.made[payment.provider_reference] = [
        RefundState(
            status="failed", amount=Decimal(5), refund_id=str(ours.public_id), reference=ours.provider_reference
        )
    ]
    payments.refresh(payment)
    assert books(order) == (0, [(10, "failed"), (5, "failed")])


@pytest.mark.parametrize("status", ["pending", "succeeded"])
def test_refund_that_is_listed_without_our_id_is_not_booked_beside_ours(order, payment, memory_provider, status):
    """The response to our refund was lost, and the provider lists it without our id: it was booked twice."""
    (ours,) = payments.queue_refund(order.pk, amount=Decimal(10))
    Refund.objects.filter(pk=ours.pk).update(attempts=1, next_attempt_at=timezone.now())
    made_in_dashboard(memory_provider, payment, 10, reference=f"refund_{ours.public_id}", status=status)
    payments.refresh(payment)
    assert books(order) == (0, [(10, "queued")])
    memory_provider.refund_status = status
    payments.send_due_refunds()
    payments.refresh(payment)
    assert books(order) == (10 if status == "succeeded" else 0, [(10, status)])


def test_failed_refund_that_the_provider_lists_as_done_is_booked(order, payment, memory_provider):
    refund = send(order, 10, memory_provider)
    report("refund_failed", payment, event_id="evt", refund_id=str(refund.public_id), error="closed account")
    assert books(order) == (0, [(10, "failed")])
    payments.refresh(payment)
    assert books(order) == (10, [(10, "succeeded")])


def test_late_report_of_a_refund_that_has_failed_changes_nothing(order, payment, memory_provider, make_due):
    refund = send(order, 10, memory_provider)
    names = {"refund_id": str(refund.public_id)}
    report("refund_failed", payment, event_id="evt-1", **names)
    made_in_dashboard(memory_provider, payment, 10, reference=refund.provider_reference, status="failed")
    assert report("refunded", payment, event_id="evt-2", amount=10, **names) == "waiting"
    payments.reconcile()
    assert outcome("evt-2") == "ignored"
    assert books(order) == (0, [(10, "failed")])


def test_refund_that_changed_after_the_fetch_is_not_overwritten(order, payment, memory_provider, monkeypatch):
    refund = send(order, 10, memory_provider)
    fetch = memory_provider.fetch

    def slow(provider, state, *, reference):
        fetched = fetch(provider, state, reference=reference)
        report("refund_failed", payment, event_id="evt", refund_id=str(refund.public_id))
        return fetched

    monkeypatch.setattr(memory_provider, "fetch", slow)
    payments.refresh(payment)
    assert books(order) == (0, [(10, "failed")])


@pytest.mark.parametrize(
    "listed",
    [
        RefundState(status="succeeded", amount=Decimal(10)),
        RefundState(status="succeeded", amount=Decimal(26), reference="re-1"),
        RefundState(status="succeeded", amount=Decimal(0), reference="re-1"),
        RefundState(status="pending", amount=Decimal(-1), reference="re-1"),
    ],
)
def test_listed_refund_that_cannot_be_booked_is_held_once_and_the_others_are_applied(
    order, payment, memory_provider, listed
):
    other = RefundState(status="succeeded", amount=Decimal(3), reference="re-2")
    memory_provider.made[payment.provider_reference] = [listed, other]
    for _time in range(2):
        payments.refresh(payment)
    assert books(order) == (3, [(3, "succeeded")])
    assert ProviderEvent.objects.get(outcome="held").refund_reference == listed.reference
    assert order.events.get(kind="payment_held").is_public is False


def test_listed_refund_of_ours_with_another_amount_is_held(order, payment, memory_provider):
    refund = send(order, 10, memory_provider, "pending")
    memory_provider.made[payment.provider_reference] = [
        RefundState(status="succeeded", amount=Decimal(9), refund_id=str(refund.public_id), reference="re-1")
    ]
    payments.refresh(payment)
    assert books(order) == (0, [(10, "pending")])
    assert order.events.filter(kind="payment_held").count() == 1


def test_refund_in_another_currency_is_held(order, payment, memory_provider, monkeypatch):
    row = RefundState(status="succeeded", amount=Decimal("0.08"), reference="re-1")
    fetched = PaymentState(status="captured", refunds=[row], currency="USD")
    monkeypatch.setattr(memory_provider, "fetch", lambda *_args, **_kwargs: fetched)
    payments.refresh(payment)
    assert books(order) == (0, [])
    assert ProviderEvent.objects.filter(outcome="held").exists()


def test_refund_that_exceeds_the_recorded_payment_stays_pending_with_instructions(order, payment, memory_provider):
    refund = send(order, 25, memory_provider, "pending")
    Payment.objects.update(captured_amount=Decimal(20))
    memory_provider.refund_status = "succeeded"
    for _time in range(2):
        Refund.objects.update(next_attempt_at=timezone.now())
        payments.reconcile()
    refund.refresh_from_db()
    assert (refund.status, "exceeds what is recorded as paid" in refund.error) == ("pending", True)
    assert order.events.filter(kind="payment_held").count() == 1
    assert books(order)[0] == 0


@pytest.mark.parametrize("names", [{"refund_reference": "re-7"}, {}])
def test_reported_refund_that_is_not_listed_is_held_after_some_attempts(
    order, payment, memory_provider, make_due, names
):
    assert report("refunded", payment, event_id="evt", amount=10, **names) == "waiting"
    for _time in range(9):
        make_due()
        payments.reconcile()
    assert outcome("evt") == ("held" if names else "ignored")
    assert books(order) == (0, [])


# Providers that return only a total.


@pytest.fixture
def total_only(memory_provider):
    memory_provider.lists_refunds = False


def test_larger_total_without_ids_is_held_until_staff_record_it(
    order, payment, memory_provider, total_only, make_due, user
):
    made_in_dashboard(memory_provider, payment, 10)
    assert report("refunded", payment, event_id="evt", amount=10) == "waiting"
    payments.reconcile()
    assert (outcome("evt"), books(order)) == ("held", (0, []))
    held = order.events.get(kind="payment_held")
    assert "10.00 KES" in held.message
    assert "record what was refunded there" in held.message
    refund = payments.record_provider_refund(payment.pk, amount=Decimal(10), reference="re-1", by=user)
    assert (refund.actor, refund.provider_reference, outcome("evt")) == (user, "re-1", "applied")
    assert books(order) == (10, [(10, "succeeded")])
    payments.refresh(payment)
    assert books(order) == (10, [(10, "succeeded")])
    assert not ProviderEvent.objects.filter(outcome__in=("held", "waiting")).exists()


def test_held_total_that_settles_itself_needs_no_decision(order, payment, memory_provider, total_only):
    made_in_dashboard(memory_provider, payment, 10)
    payments.refresh(payment)
    assert list(Order.objects.needs_decision()) == [order]
    memory_provider.made.clear()
    payments.refresh(payment)
    assert not Order.objects.needs_decision().exists()
    made_in_dashboard(memory_provider, payment, 10)
    payments.refresh(payment)
    assert list(Order.objects.needs_decision()) == [order]
    payments.record_provider_refund(payment.pk, amount=Decimal(0))
    payments.refresh(payment)
    assert not Order.objects.needs_decision().exists()


def test_held_total_is_compared_again_once_a_refund_is_recorded(order, payment, memory_provider, total_only, make_due):
    refund = send(order, 10, memory_provider, "pending")
    Refund.objects.update(status="failed", updated_at=timezone.now() - timedelta(days=2))
    memory_provider.made.clear()
    made_in_dashboard(memory_provider, payment, 10)
    payments.refresh(payment)
    assert list(Order.objects.needs_decision()) == [order]
    Refund.objects.update(status="pending")
    assert report("refunded", payment, event_id="late", refund_id=str(refund.public_id)) == "applied"
    payments.reconcile()
    assert not Order.objects.needs_decision().exists()


def test_report_of_an_unsent_refund_needs_no_decision_once_it_is_made(order, payment, memory_provider):
    (unsent,) = payments.queue_refund(order.pk, amount=Decimal(10))
    named = {"amount": 10, "refund_id": str(unsent.public_id)}
    assert report("refunded", payment, event_id="evt", **named) == "held"
    assert report("refunded", payment, event_id="other", **named | {"amount": 9}) == "held"
    payments.send_refund(unsent.pk)
    assert (outcome("evt"), outcome("other")) == ("applied", "held")


def test_listed_refund_that_staff_have_decided_about_is_not_held_again(order, payment, memory_provider):
    made_in_dashboard(memory_provider, payment, 26)
    for decided in (False, True):
        payments.refresh(payment)
        assert Order.objects.needs_decision().exists() is not decided
        payments.record_provider_refund(payment.pk, amount=Decimal(0))
    assert order.events.filter(kind="payment_held").count() == 1


def test_total_waits_while_a_refund_is_under_way_or_has_failed_lately(
    order, payment, memory_provider, total_only, make_due
):
    refund = send(order, 10, memory_provider, "pending")
    assert report("refunded", payment, event_id="evt", amount=10) == "waiting"
    payments.reconcile()
    assert outcome("evt") == "waiting"
    report("refund_failed", payment, event_id="evt-2", refund_id=str(refund.public_id))
    make_due()
    payments.reconcile()
    assert outcome("evt") == "waiting"
    Refund.objects.update(updated_at=timezone.now() - timedelta(days=1, minutes=1))
    make_due()
    payments.reconcile()
    assert (outcome("evt"), books(order)) == ("held", (0, [(10, "failed")]))


def test_total_that_was_ours_is_ignored_when_its_refund_is_booked(
    order, payment, memory_provider, total_only, make_due
):
    refund = send(order, 10, memory_provider, "pending")
    report("refunded", payment, event_id="evt", amount=10)
    memory_provider.refund_status = "succeeded"
    make_due()
    payments.reconcile()
    make_due()
    payments.reconcile()
    refund.refresh_from_db()
    assert (refund.status, outcome("evt"), books(order)[0]) == ("succeeded", "ignored", 10)


def test_smaller_total_without_ids_has_the_refunds_fetched(order, payment, memory_provider, total_only):
    """A refund was reported as succeeded, then failed, and the event about its failure was lost."""
    refund = send(order, 10, memory_provider)
    made_in_dashboard(memory_provider, payment, 10, reference=refund.provider_reference, status="failed")
    memory_provider.refund_status = "failed"
    Payment.objects.update(next_check_at=timezone.now())
    payments.reconcile()
    assert books(order) == (0, [(10, "failed")])


def test_unconfirmed_event_of_a_provider_without_fetch_is_held_with_its_payment(
    place, memory_provider, monkeypatch, make_due
):
    order = place(provider="memory")
    payment = payments.start(order.pk)
    monkeypatch.setattr(memory_provider, "fetch", lambda *_args, **_kwargs: None)
    assert report("captured", payment, event_id="evt", amount=25, is_confirmed=False) == "waiting"
    for _time in range(10):
        make_due()
        payments.reconcile()
    payment.refresh_from_db()
    assert (outcome("evt"), payment.status) == ("held", "held")
    order.refresh_from_db()
    assert (order.status, order.paid_amount) == ("pending", 0)


def test_staff_say_that_nothing_was_refunded_at_the_provider(order, payment, memory_provider, total_only):
    made_in_dashboard(memory_provider, payment, 10)
    report("refunded", payment, event_id="evt", amount=10)
    payments.reconcile()
    assert payments.record_provider_refund(payment.pk, amount=Decimal(0)) is None
    assert (outcome("evt"), books(order)) == ("ignored", (0, []))


def test_impossible_refunds_at_the_provider_are_not_recorded(order, payment, memory_provider):
    with pytest.raises(RefundTooLarge):
        payments.record_provider_refund(payment.pk, amount=Decimal("25.01"))
    with pytest.raises(InvalidInput):
        payments.record_provider_refund(payment.pk, amount=Decimal(-1))
    payments.record_provider_refund(payment.pk, amount=Decimal(5), reference="re-1")
    with pytest.raises(InvalidInput):
        payments.record_provider_refund(payment.pk, amount=Decimal(5), reference="re-1")
    assert books(order) == (5, [(5, "succeeded")])
    Payment.objects.update(status="held")
    with pytest.raises(NotPayable):
        payments.record_provider_refund(payment.pk, amount=Decimal(1))


def test_failure_that_might_be_of_a_refund_without_a_reference_is_held(order, payment):
    payments.record_provider_refund(payment.pk, amount=Decimal(5))
    assert report("refund_failed", payment, event_id="evt", amount=5, refund_reference="re-1") == "held"
    assert books(order) == (5, [(5, "succeeded")])


def test_failure_that_names_no_refund_is_held(order, payment, memory_provider):
    send(order, 10, memory_provider)
    assert report("refund_failed", payment, event_id="evt", amount=10) == "held"
    assert books(order) == (10, [(10, "succeeded")])


def test_failure_of_a_refund_that_is_not_in_the_books_is_ignored(order, payment):
    assert report("refund_failed", payment, event_id="evt", amount=10, refund_reference="re-1") == "ignored"
    assert books(order) == (0, [])


@pytest.mark.parametrize("fetched", [None, PaymentState(status="captured", captured=Decimal(25))])
def test_total_that_cannot_be_fetched_is_held(order, payment, memory_provider, monkeypatch, fetched):
    monkeypatch.setattr(memory_provider, "fetch", lambda *_args, **_kwargs: fetched)
    assert report("refunded", payment, event_id="evt", amount=10) == "waiting"
    payments.reconcile()
    assert (outcome("evt"), books(order)) == ("held", (0, []))
    assert "10.00 KES" in order.events.get(kind="payment_held").message


# A second transaction, and a lost response.


def test_refunds_of_a_second_transaction_are_those_of_its_payment(order, payment, memory_provider):
    again = {"reference": "second", "payment_id": str(payment.public_id)}
    report("captured", payment, event_id="evt-1", amount=25, **again)
    second = order.payments.get(provider_reference="second")
    (refund,) = second.refunds.all()
    refund = payments.send_refund(refund.pk)
    by_payment_id = {"reference": "", "payment_id": str(payment.public_id)}
    names = {"refund_id": str(refund.public_id), "refund_reference": refund.provider_reference}
    assert report("refunded", payment, event_id="evt-2", amount=25, **by_payment_id, **names) == "ignored"
    del names["refund_id"]
    assert report("refund_failed", payment, event_id="evt-3", **by_payment_id, **names) == "applied"
    assert books(order) == (0, [(25, "failed")])
    assert [row.refunded_amount for row in order.payments.order_by("id")] == [0, 0]


def test_refund_whose_response_was_lost_does_not_fail_by_a_refusal(order, payment, memory_provider, monkeypatch):
    refund_at_provider = memory_provider.refund

    def refund(provider, state, *, reference, request):
        if request.refund_id in memory_provider.refunds:
            raise PaymentDeclined("It was refunded before.")
        refund_at_provider(provider, state, reference=reference, request=request)
        raise ConnectionError

    monkeypatch.setattr(memory_provider, "refund", refund)
    payments.refund(order.pk, amount=Decimal(10))
    assert books(order) == (0, [(10, "queued")])
    Refund.objects.update(next_attempt_at=timezone.now())
    memory_provider.forgets = True
    payments.send_due_refunds()
    assert books(order) == (0, [(10, "queued")])
    Refund.objects.update(next_attempt_at=timezone.now())
    memory_provider.forgets = False
    payments.send_due_refunds()
    assert books(order) == (10, [(10, "succeeded")])
