"""Disputes that are held for review: staff enter what the provider's page shows."""

from dataclasses import replace
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse
from shop_orders import lifecycle, payments
from shop_orders.admin import possible_steps
from shop_orders.exceptions import InvalidInput, InvalidTransition, RefundTooLarge
from shop_orders.models import Order, OrderEvent, Payment, ProviderEvent, Refund
from shop_orders.payment_providers import (
    DisputeState,
    PaymentEvent,
    PaymentState,
    RefundState,
    refund_needs_decision,
)

pytestmark = pytest.mark.django_db
SEEN = "Seen on the provider's page"


@pytest.fixture
def paid(place, memory_provider):
    """A payment of 25.00 that was captured."""
    payment = payments.start(place(provider="memory").pk)
    return payments.apply_state(payment.pk, PaymentState(status="captured", captured=Decimal(25)))


def hold(payment, reference="dp-1", name="d-1"):
    row = {"provider": "memory", "provider_event_id": name, "kind": "disputed", "outcome": "held"}
    return ProviderEvent.objects.create(payment=payment, refund_reference=reference, **row)


def outcomes():
    return list(ProviderEvent.objects.filter(kind="disputed").order_by("id").values_list("outcome", flat=True))


def books(payment):
    order = Order.objects.get(pk=payment.order_id)
    return order.refunded_amount, order.credited_amount, order.amount_due


def test_money_that_was_taken_back_is_recorded_and_the_event_closed(paid, user):
    hold(paid)
    payments.resolve_dispute(paid.pk, amount=Decimal(20), reason=SEEN, by=user)
    assert (books(paid), outcomes()) == ((20, 0, 20), ["applied"])
    refund = paid.refunds.get()
    assert (refund.kind, refund.provider_reference, refund.reason, refund.notify) == ("dispute", "dp-1", SEEN, False)
    event = OrderEvent.objects.get(kind="dispute_resolved")
    assert (event.is_public, event.actor) == (False, user)
    assert event.message == f"Dispute resolved: the provider took back 20.00 KES. {SEEN}"


def test_lost_dispute_is_credited(paid):
    hold(paid)
    payments.resolve_dispute(paid.pk, amount=Decimal(20), reason=SEEN, is_lost=True)
    assert books(paid) == (20, 20, 0)


def test_dispute_that_moved_no_money_is_dismissed(paid):
    hold(paid)
    payments.resolve_dispute(paid.pk, amount=Decimal(0), reason="A question of the bank only")
    assert (books(paid), outcomes()) == ((0, 0, 0), ["ignored"])


@pytest.mark.parametrize("amount", [0, 5, 25])
def test_recorded_amount_is_corrected(paid, amount):
    hold(paid)
    payments.resolve_dispute(paid.pk, amount=Decimal(20), reason=SEEN, is_lost=True)
    hold(paid, name="d-2")
    payments.resolve_dispute(paid.pk, amount=Decimal(amount), reason=SEEN)
    assert books(paid)[0] == amount
    paid.refresh_from_db()
    assert paid.refunded_amount == amount
    assert paid.refunds.count() == 1


def test_provider_that_reports_the_dispute_later_counts_it_once(paid):
    hold(paid)
    payments.resolve_dispute(paid.pk, amount=Decimal(20), reason=SEEN)
    listed = DisputeState(reference="dp-1", amount=Decimal(20), status="open", is_withdrawn=True)
    payments.apply_state(paid.pk, PaymentState(status="captured", captured=Decimal(25), disputes=[listed]))
    assert books(paid)[0] == 20


def test_each_dispute_is_resolved_by_its_reference(paid):
    hold(paid)
    hold(paid, "dp-2", "d-2")
    with pytest.raises(InvalidInput, match="dp-1, dp-2"):
        payments.resolve_dispute(paid.pk, amount=Decimal(5), reason=SEEN)
    payments.resolve_dispute(paid.pk, amount=Decimal(5), reason=SEEN, reference="dp-2")
    assert outcomes() == ["held", "applied"]
    payments.resolve_dispute(paid.pk, amount=Decimal(5), reason=SEEN)
    assert (outcomes(), books(paid)[0]) == (["applied", "applied"], 10)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"amount": Decimal("25.01")}, RefundTooLarge),
        ({"amount": Decimal(-1)}, InvalidInput),
        ({"reason": " "}, InvalidInput),
        ({"reference": "dp-9"}, InvalidTransition),
    ],
)
def test_what_cannot_be_recorded_changes_nothing(paid, options, error):
    hold(paid)
    with pytest.raises(error):
        payments.resolve_dispute(paid.pk, **{"amount": Decimal(5), "reason": SEEN, **options})
    assert (books(paid), outcomes(), paid.refunds.count()) == ((0, 0, 0), ["held"], 0)


def test_dispute_that_was_resolved_is_not_resolved_again(paid):
    hold(paid)
    payments.resolve_dispute(paid.pk, amount=Decimal(5), reason=SEEN)
    with pytest.raises(InvalidTransition):
        payments.resolve_dispute(paid.pk, amount=Decimal(5), reason=SEEN)
    assert books(paid)[0] == 5


def test_dispute_of_a_payment_without_money_can_only_be_dismissed(place, memory_provider):
    payment = payments.start(place(provider="memory").pk)
    hold(payment)
    with pytest.raises(RefundTooLarge):
        payments.resolve_dispute(payment.pk, amount=Decimal(5), reason=SEEN)
    payments.resolve_dispute(payment.pk, amount=Decimal(0), reason=SEEN)
    assert (outcomes(), Payment.objects.get().status) == (["ignored"], "pending")


def test_step_is_offered_while_a_dispute_is_held(paid, client):
    client.force_login(get_user_model().objects.create_superuser("test-admin", "admin@example.org", "pw"))
    assert "resolve_dispute" not in possible_steps(paid.order)
    row = hold(paid)
    assert "resolve_dispute" in possible_steps(paid.order)
    address = reverse("admin:shop_orders_step", args=[paid.order_id, "resolve_dispute"])
    page = client.get(address).content.decode()
    assert "dp-1" in page
    token = page.split('name="form_token" value="')[1].split('"')[0]
    client.post(address, {"form_token": token, "dispute": row.pk, "amount": "5", "reason": SEEN})
    assert (books(paid)[0], outcomes()) == (5, ["applied"])


def staff_get(path):
    staff = get_user_model().objects.create_superuser("test-lister", "lister@example.org", "pw")
    return Client(headers={"Authorization": f"Bearer user-{staff.pk}"}).get(f"/api/orders/staff/orders/{path}").json()


def test_held_dispute_is_listed_until_it_is_resolved(paid, place, client):
    place()
    row = hold(paid)
    ProviderEvent.objects.filter(pk=row.pk).update(detail="Look at the provider's page.")
    assert list(Order.objects.needs_decision()) == [paid.order]
    assert [found["number"] for found in staff_get("?needs_decision=true")["items"]] == [paid.order.number]
    client.force_login(get_user_model().objects.get(username="test-lister"))
    page = client.get(reverse("admin:shop_orders_order_changelist"), {"needs_decision": "yes"})
    assert [found.number for found in page.context["cl"].result_list] == [paid.order.number]
    payments.resolve_dispute(paid.pk, amount=Decimal(0), reason=SEEN)
    assert list(Order.objects.needs_decision()) == []


def test_api_names_the_held_disputes_of_each_payment(paid):
    hold(paid)
    hold(paid, "", "d-2")
    (payment,) = staff_get(f"{paid.order.number}/")["payments"]
    assert payment["held_disputes"] == [{"reference": "dp-1", "detail": ""}, {"reference": "", "detail": ""}]


def test_orders_with_an_unclear_payment_or_refund_need_a_decision(paid, shop_settings):
    """Each by the same rule as the step for it."""
    order = paid.order
    removed, known = ("gone", "memory")
    refund = Refund.objects.create(payment=paid, amount=1)
    states = [
        (status, error, alias) for status in Refund.Status for error in ("", "Odd.") for alias in (removed, known)
    ]
    found = []
    for status, error, alias in states:
        Payment.objects.filter(pk=paid.pk).update(provider=alias)
        Refund.objects.filter(pk=refund.pk).update(status=status, error=error)
        is_listed = Order.objects.needs_decision().exists()
        assert is_listed == refund_needs_decision(Refund.objects.get()) == ("resolve_refund" in possible_steps(order))
        found.append(is_listed)
    assert sum(found) == 3
    refund.delete()
    for status in Payment.Status:
        for error in ("", "Odd."):
            Payment.objects.filter(pk=paid.pk).update(status=status, error=error)
            order = Order.objects.get()
            assert Order.objects.needs_decision().exists() == ("resolve" in possible_steps(order))


@pytest.mark.parametrize("kind", ["refunded", "refund_failed"])
def test_held_report_of_a_refund_is_listed_until_staff_have_looked_at_it(paid, kind):
    payments.refund(paid.order_id)
    hold(paid)
    ProviderEvent.objects.update(kind=kind)
    assert list(Order.objects.needs_decision()) == [paid.order]
    assert "record_refund" in possible_steps(Order.objects.get())
    payments.record_provider_refund(paid.pk, amount=Decimal(0))
    assert (list(Order.objects.needs_decision()), "record_refund" in possible_steps(Order.objects.get())) == (
        [],
        False,
    )


def test_api_resolves_a_dispute_once_per_key(paid):
    hold(paid)
    staff = get_user_model().objects.create_superuser("test-staff", "staff@example.org", "pw")
    headers = {"Authorization": f"Bearer user-{staff.pk}", "Idempotency-Key": "k-1"}
    address = f"/api/orders/staff/orders/{paid.order.number}/payments/{paid.public_id}/resolve-dispute/"
    values = {"amount": "5.00", "reason": SEEN, "is_lost": True}
    for _attempt in range(2):
        response = Client(headers=headers).post(address, values, "application/json")
        assert response.json()["refunds"][0]["amount"] == "5.00"
    assert books(paid) == (5, 5, 0)


@pytest.mark.parametrize(("status", "credited"), [("open", 0), ("lost", 20)])
@pytest.mark.parametrize(("amount", "currency"), [(1, "USD"), (25, "KES")])
def test_provider_never_replaces_the_amount_that_staff_entered_by_another(paid, status, credited, amount, currency):
    """By one in another currency, or by one that was held because it is larger than what is left."""
    payments.refund(paid.order_id, amount=Decimal(5), credit=False)
    state = PaymentState(status="captured", captured=Decimal(25), currency=currency)
    hold(paid)
    payments.resolve_dispute(paid.pk, amount=Decimal(20), reason=SEEN)
    listed = DisputeState(reference="dp-1", amount=Decimal(amount), status=status, is_withdrawn=True)
    for _check in range(2):
        payments.apply_state(paid.pk, replace(state, disputes=[listed]))
    assert books(paid) == (25, credited, 25 - credited)
    assert paid.refunds.get(kind="dispute").amount == 20
    payments.apply_state(paid.pk, replace(state, disputes=[replace(listed, is_withdrawn=False)]))
    assert books(paid) == (5, 0, 5)


def test_larger_amount_of_a_lost_dispute_is_credited_too(paid):
    hold(paid)
    payments.resolve_dispute(paid.pk, amount=Decimal(20), reason=SEEN, is_lost=True)
    hold(paid, name="d-2")
    payments.resolve_dispute(paid.pk, amount=Decimal(25), reason=SEEN, is_lost=True)
    assert books(paid) == (25, 25, 0)


def test_dispute_without_an_id_is_never_taken_for_another(paid):
    """Two staff resolve it; the second finds only another dispute."""
    hold(paid, "")
    hold(paid, "dp-2", "d-2")
    with pytest.raises(InvalidInput, match='"", dp-2'):
        payments.resolve_dispute(paid.pk, amount=Decimal(5), reason=SEEN)
    payments.resolve_dispute(paid.pk, amount=Decimal(5), reason=SEEN, reference="")
    with pytest.raises(InvalidTransition):
        payments.resolve_dispute(paid.pk, amount=Decimal(5), reason=SEEN, reference="")
    assert (outcomes(), books(paid)[0]) == (["applied", "held"], 5)


def test_dispute_without_an_id_is_no_refund_without_a_reference(paid):
    """Otherwise it might be any refund that the provider lists, and none would be recorded."""
    hold(paid, "")
    payments.resolve_dispute(paid.pk, amount=Decimal(5), reason=SEEN)
    made = RefundState(status="succeeded", amount=Decimal(10), reference="r-1")
    payments.apply_state(paid.pk, PaymentState(status="captured", captured=Decimal(25), refunds=[made]))
    assert books(paid)[0] == 15


def listed_as(amount=25, status="open"):
    return DisputeState(reference="dp-1", amount=Decimal(amount), is_withdrawn=True, status=status)


def check(payment, *disputes, currency="KES"):
    state = PaymentState(status="captured", captured=Decimal(25), currency=currency, disputes=list(disputes))
    payments.apply_state(payment.pk, state)


@pytest.mark.parametrize("currency", ["KES", "USD"])
def test_dispute_that_cannot_be_recorded_leaves_queued_refunds(paid, currency):
    payments.refund(paid.order_id, amount=Decimal(20), credit=False)
    for _check in range(2):
        check(paid, listed_as(), currency=currency)
    (queued,) = payments.queue_refund(paid.order_id, amount=Decimal(5), credit=False)
    check(paid, listed_as(), currency=currency)
    queued.refresh_from_db()
    assert (queued.status, outcomes()) == ("queued", ["held"])


def test_held_dispute_that_is_counted_later_needs_no_decision(paid):
    refund = payments.refund(paid.order_id, amount=Decimal(20), credit=False)[0]
    hold(paid)
    check(paid, listed_as())
    assert outcomes() == ["held", "held"]
    event = PaymentEvent(event_id="f-1", kind="refund_failed", refund_id=str(refund.public_id), amount=Decimal(20))
    payments.apply_event("memory", event)
    check(paid, listed_as())
    assert (outcomes(), books(paid)[0]) == (["applied", "applied"], 25)


@pytest.mark.parametrize("status", ["open", "lost"])
def test_provider_that_takes_back_more_is_counted(paid, status):
    for amount in (25, 10, 15, 15):
        check(paid, listed_as(amount, status=status))
        assert books(paid) == (amount, amount if status == "lost" else 0, 0 if status == "lost" else amount)


def test_money_of_a_dispute_is_not_missing_in_a_total_of_refunds(paid, memory_provider, make_due):
    """Otherwise every check of the payment would ask about each of its refunds."""
    memory_provider.lists_refunds = False
    memory_provider.outcomes[paid.provider_reference] = "captured"
    payments.refund(paid.order_id, amount=Decimal(5))
    hold(paid)
    payments.resolve_dispute(paid.pk, amount=Decimal(10), reason=SEEN)
    memory_provider.calls.clear()
    make_due()
    payments.reconcile()
    assert memory_provider.calls == ["fetch"]


def events_of(order):
    return list(order.events.filter(kind="payment_disputed").order_by("id").values_list("message", flat=True))


def owe_again(order_id):
    """The customer pays a cancelled order again, and later owes 10.00 of it."""
    payments.record_payment(order_id, amount=Decimal(25), provider="bank", notify=False)
    lifecycle.reinstate(order_id)
    payments.refund(order_id, amount=Decimal(10), credit=False)


def test_lost_dispute_is_decided_once_even_if_nothing_was_owed_then(paid):
    """The cancellation had credited the whole order."""
    lifecycle.cancel(paid.order_id)
    check(paid, listed_as(status="lost"))
    assert books(paid) == (25, 25, 0)
    (message,) = events_of(paid.order)
    assert message.endswith("25.00 KES of it was not credited, because the customer did not owe that much.")
    owe_again(paid.order_id)
    for _check in range(2):
        check(paid, listed_as(status="lost"))
        assert (books(paid), len(events_of(paid.order))) == ((35, 0, 10), 1)


def test_lost_dispute_that_staff_decided_is_never_credited_by_a_check(paid):
    lifecycle.cancel(paid.order_id)
    hold(paid)
    payments.resolve_dispute(paid.pk, amount=Decimal(25), reason=SEEN, is_lost=True)
    message = OrderEvent.objects.get(kind="dispute_resolved").message
    assert message.endswith("25.00 KES of it was not credited, because the customer did not owe that much.")
    owe_again(paid.order_id)
    check(paid, listed_as(status="lost"))
    assert books(paid) == (35, 0, 10)


def test_part_of_a_lost_dispute_that_is_not_credited_is_shown_although_its_loss_was_known(paid):
    """It could not be recorded at first, because its money had been refunded."""
    refund = payments.refund(paid.order_id, amount=Decimal(20))[0]
    check(paid, listed_as(status="lost"))
    event = PaymentEvent(event_id="f-1", kind="refund_failed", refund_id=str(refund.public_id), amount=Decimal(20))
    payments.apply_event("memory", event)
    for _check in range(2):
        check(paid, listed_as(status="lost"))
    assert (books(paid), len(events_of(paid.order))) == ((25, 25, 0), 2)
    assert "20.00 KES of it was not credited" in events_of(paid.order)[1]
