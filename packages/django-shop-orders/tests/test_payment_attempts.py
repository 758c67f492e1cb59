"""Payment attempts: the response to a start may be lost, the order may end meanwhile, and the provider is asked until
the attempt has ended."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from shop_orders import lifecycle, payments
from shop_orders.exceptions import (
    CannotChangeProvider,
    NotPayable,
    PaymentDeclined,
    ProviderNotReached,
    ProviderUnavailable,
    UnknownPaymentProvider,
)
from shop_orders.models import Order, Payment, ProviderEvent, Refund
from shop_orders.payment_providers import PaymentEvent, PaymentStart, PaymentState, RefundState
from shop_orders.payments import watching

pytestmark = pytest.mark.django_db


@pytest.fixture
def order(place, memory_provider):
    return place(provider="memory")


@pytest.fixture
def ringing(memory_provider, monkeypatch):
    """The provider rings a phone: a start cannot be repeated, and the attempt expires."""
    monkeypatch.setattr(memory_provider, "start_once_for", timedelta(minutes=2))


def report(kind, payment, *, event_id="evt-1", amount=None, **values):
    values = {"reference": payment.provider_reference, **values}
    event = PaymentEvent(event_id=event_id, kind=kind, amount=None if amount is None else Decimal(amount), **values)
    return payments.apply_event("memory", event).outcome


def state(order):
    order.refresh_from_db()
    return order.status, order.payment_status


def statuses(order):
    return list(order.payments.order_by("id").values_list("status", flat=True))


def out_of_time(order):
    Order.objects.filter(pk=order.pk).update(expires_at=timezone.now(), next_check_at=None)


def lose_start(order, memory_provider):
    """A start that reaches the provider, and whose response is lost."""
    memory_provider.loses_responses = True
    with pytest.raises(ProviderUnavailable):
        payments.start(order.pk, return_url="https://shop.example.org/first/", phone="+254712345678")
    memory_provider.loses_responses = False
    payment = order.payments.get()
    assert payment.provider_reference == ""
    return payment, f"memory_{payment.public_id}"


# The response to a start.


def test_start_whose_response_was_lost_is_repeated_and_its_payment_found(order, memory_provider, make_due):
    _payment, reference = lose_start(order, memory_provider)
    memory_provider.outcomes[reference] = "captured"
    for _time in range(2):
        make_due()
        payments.reconcile()
    assert state(order) == ("confirmed", "paid")
    assert memory_provider.calls == ["start", "start", "fetch"]
    assert len({request.payment_id for request in memory_provider.requests}) == 1


def test_order_is_not_expired_before_its_lost_start_was_repeated(order, memory_provider, make_due):
    _payment, reference = lose_start(order, memory_provider)
    memory_provider.outcomes[reference] = "captured"
    out_of_time(order)
    memory_provider.is_down = True
    assert payments.expire_due() == 0
    memory_provider.is_down = False
    make_due()
    assert payments.expire_due() == 0
    assert state(order) == ("confirmed", "paid")


def test_order_waits_for_a_ringing_phone_whose_provider_names_no_end(order, memory_provider, ringing, monkeypatch):
    monkeypatch.setattr(memory_provider, "cancel", lambda *_arguments, **_options: None)  # it cannot be stopped
    start = memory_provider.start
    monkeypatch.setattr(memory_provider, "start", lambda *arguments: replace(start(*arguments), expires_at=None))
    payment = payments.start(order.pk, phone="+254712345678")
    out_of_time(order)
    assert payments.expire_due() == 0
    assert timezone.now() < payment.expires_at <= timezone.now() + timedelta(minutes=2)
    memory_provider.outcomes[payment.provider_reference] = "failed"
    out_of_time(order)
    assert payments.expire_due() == 1


def test_page_of_a_lost_start_is_closed_before_its_order_expires(order, memory_provider):
    payment, reference = lose_start(order, memory_provider)
    out_of_time(order)
    assert payments.expire_due() == 1
    payment.refresh_from_db()
    assert (payment.status, memory_provider.outcomes[reference]) == ("cancelled", "cancelled")


def test_start_is_repeated_after_the_process_died_in_it(order, memory_provider, make_due, monkeypatch):
    class Death(BaseException):
        pass

    start = memory_provider.start

    def die(provider, request):
        start(provider, request)
        raise Death

    with monkeypatch.context() as patch:
        patch.setattr(memory_provider, "start", die)
        with pytest.raises(Death):
            payments.start(order.pk)
    make_due()
    payments.reconcile()
    assert order.payments.get().redirect_url


def test_repeated_start_sends_what_was_sent_first(order, memory_provider):
    lose_start(order, memory_provider)
    Order.objects.update(email="other@example.org", contact_name="Other", language="de")
    payments.start(
        order.pk, return_url="https://shop.example.org/second/", phone="+254700000000", base_url="https://b"
    )
    first, second = memory_provider.requests
    assert first == second
    assert (first.return_url, first.phone) == ("https://shop.example.org/first/", "+254712345678")


def test_start_that_was_certainly_not_sent_takes_new_parameters(order, memory_provider, monkeypatch):
    def not_reached(provider, request):
        raise ProviderNotReached

    with monkeypatch.context() as patch:
        patch.setattr(memory_provider, "start", not_reached)
        with pytest.raises(ProviderNotReached):
            payments.start(order.pk, phone="+254712345678")
    payments.start(order.pk, phone="+254700000000")
    assert memory_provider.requests[-1].phone == "+254700000000"
    assert order.payments.count() == 1


def test_request_is_kept_only_while_it_may_be_sent_again(order, memory_provider):
    payment, _reference = lose_start(order, memory_provider)
    assert payment.request["return_url"] == "https://shop.example.org/first/"
    payments.start(order.pk)
    payment.refresh_from_db()
    assert payment.request == {}


def test_personal_data_of_a_start_goes_with_the_customer(order, memory_provider):
    from shop_orders import customers

    payment, _reference = lose_start(order, memory_provider)
    lifecycle.cancel(order.pk)
    customers.anonymise(order.customer)
    payment.refresh_from_db()
    assert payment.request == {}


def test_refusal_of_one_of_two_starts_leaves_the_page_of_the_other_open(order, memory_provider, monkeypatch):
    start, calls = memory_provider.start, []

    def concurrent(provider, request):
        calls.append(request)
        if len(calls) == 1:
            with pytest.raises(PaymentDeclined):
                payments.start(order.pk)
            assert statuses(order) == ["started"]
            return start(provider, request)
        raise PaymentDeclined

    monkeypatch.setattr(memory_provider, "start", concurrent)
    payment = payments.start(order.pk)
    assert (payment.status, bool(payment.redirect_url), order.payments.count()) == ("pending", True, 1)
    assert state(order) == ("pending", "unpaid")
    memory_provider.outcomes[payment.provider_reference] = "captured"
    payments.refresh(payment)
    assert state(order) == ("confirmed", "paid")


def test_successful_start_after_a_refused_one_opens_the_payment_again(order, memory_provider, monkeypatch):
    start = memory_provider.start

    def refused_meanwhile(provider, request):
        Payment.objects.update(status="failed", unknown_starts=0)
        return start(provider, request)

    monkeypatch.setattr(memory_provider, "start", refused_meanwhile)
    assert payments.start(order.pk).status == "pending"


def test_refusal_after_a_lost_response_counts_only_when_it_is_repeated(order, memory_provider, make_due):
    payment, _reference = lose_start(order, memory_provider)
    memory_provider.decline = True
    with pytest.raises(PaymentDeclined):
        payments.start(order.pk)
    assert statuses(order) == ["started"]
    for _time in range(2):
        make_due()
        payments.reconcile()
        assert statuses(order) == ["started"]
    make_due()
    payments.reconcile()
    assert statuses(order) == ["failed"]
    payment.refresh_from_db()
    assert payment.unknown_starts == 0


def test_checks_without_a_response_are_no_refusals_of_a_start(order, memory_provider, make_due):
    """The customer paid on a page that the shop does not know of; the order was cancelled after one refusal."""
    _payment, reference = lose_start(order, memory_provider)
    memory_provider.outcomes[reference] = "captured"
    memory_provider.is_down = True
    for _time in range(5):
        make_due()
        payments.reconcile()
    memory_provider.is_down, memory_provider.decline = False, True
    out_of_time(order)
    make_due()
    payments.expire_due()
    assert (statuses(order), state(order)[0]) == (["started"], "pending")
    memory_provider.decline = False
    for _time in range(2):
        make_due()
        payments.reconcile()
    assert (statuses(order), state(order)) == (["captured"], ("confirmed", "paid"))


def test_start_that_never_reached_its_provider_ends(order, memory_provider, make_due, monkeypatch):
    def not_reached(provider, request):
        raise ProviderNotReached

    monkeypatch.setattr(memory_provider, "start", not_reached)
    with pytest.raises(ProviderNotReached):
        payments.start(order.pk)
    lifecycle.confirm(order.pk)
    make_due()
    payments.reconcile()
    assert statuses(order) == ["started"]
    Payment.objects.update(created_at=timezone.now() - timedelta(hours=1, minutes=1))
    make_due()
    payments.reconcile()
    assert statuses(order) == ["cancelled"]


# A phone: the start cannot be repeated.


@pytest.fixture
def unanswered(order, memory_provider, ringing):
    """A push whose response was lost, long after the phone stopped ringing."""
    payment, _reference = lose_start(order, memory_provider)
    assert payment.status == "pending"
    payment.expires_at = timezone.now() - timedelta(minutes=11)
    payment.save()
    return payment


def test_lost_push_is_not_repeated_and_is_held_for_staff(order, memory_provider, unanswered, make_due, user):
    out_of_time(order)
    assert payments.expire_due() == 0
    unanswered.refresh_from_db()
    assert (unanswered.status, memory_provider.calls) == ("held", ["start"])
    assert order.number in unanswered.error
    assert "enter the amount received" in order.events.get(kind="payment_held").message
    make_due()
    assert (payments.expire_due(), payments.reconcile()) == (0, 0)
    payments.resolve(unanswered.pk, amount=Decimal(25), by=user)
    assert state(order) == ("confirmed", "paid")


def test_lost_push_is_waited_for_while_its_callback_may_come(order, memory_provider, unanswered, make_due):
    unanswered.expires_at = timezone.now() - timedelta(minutes=9)
    unanswered.save()
    out_of_time(order)
    make_due()
    assert (payments.expire_due(), payments.reconcile()) == (0, 0)
    assert statuses(order) == ["pending"]


@pytest.mark.parametrize(("kind", "status"), [("captured", "paid"), ("failed", "failed")])
def test_callback_of_a_lost_push_settles_the_held_payment(order, memory_provider, unanswered, make_due, kind, status):
    make_due()
    payments.reconcile()
    assert statuses(order) == ["held"]
    names = {"reference": "ws-1", "payment_id": str(unanswered.public_id)}
    amount = 25 if kind == "captured" else None
    assert report(kind, unanswered, amount=amount, **names) == "applied"
    assert state(order)[1] == status


def test_unconfirmed_event_sets_no_reference(order, memory_provider, unanswered):
    names = {"reference": "forged", "payment_id": str(unanswered.public_id)}
    assert report("captured", unanswered, amount=25, is_confirmed=False, **names) == "waiting"
    unanswered.refresh_from_db()
    assert unanswered.provider_reference == ""


# Another transaction.


def test_other_transaction_is_a_separate_payment_while_the_first_is_open(order, memory_provider, make_due):
    first = payments.start(order.pk)
    names = {"reference": "second", "payment_id": str(first.public_id)}
    assert report("captured", first, amount=25, **names) == "applied"
    first.refresh_from_db()
    assert (first.provider_reference, statuses(order)) == (f"memory_{first.public_id}", ["pending", "captured"])
    assert state(order) == ("confirmed", "paid")
    assert "paid twice" in order.events.get(kind="paid_twice").message
    memory_provider.outcomes[first.provider_reference] = "captured"
    make_due()
    payments.reconcile()
    order.refresh_from_db()
    assert (order.paid_amount, Refund.objects.get().amount) == (50, 25)


def test_start_whose_response_was_lost_is_repeated_although_another_transaction_was_reported(
    order, memory_provider, make_due
):
    """The customer paid on a page that the shop does not know of, then again; only the second payment was reported."""
    payment, reference = lose_start(order, memory_provider)
    memory_provider.outcomes[reference] = memory_provider.outcomes["second"] = "captured"
    names = {"reference": "second", "payment_id": str(payment.public_id)}
    assert report("captured", payment, amount=25, **names) == "applied"
    for _time in range(3):
        make_due()
        payments.reconcile()
    assert sorted(order.payments.values_list("provider_reference", "status")) == [
        (reference, "captured"),
        ("second", "captured"),
    ]
    order.refresh_from_db()
    assert (order.paid_amount, order.refund_due + order.refunds_under_way) == (50, 25)
    assert memory_provider.calls.count("start") == 2


def test_start_whose_transaction_was_reported_is_repeated_once(order, memory_provider, make_due):
    payment, reference = lose_start(order, memory_provider)
    memory_provider.outcomes[reference] = "captured"
    report("captured", payment, amount=25, reference=reference, payment_id=str(payment.public_id))
    for _time in range(3):
        make_due()
        payments.reconcile()
    payment.refresh_from_db()
    assert (payment.unknown_starts, payment.request, statuses(order)) == (0, {}, ["captured"])
    assert memory_provider.calls.count("start") == 2


def test_push_whose_transaction_was_reported_is_not_repeated(order, memory_provider, unanswered, make_due):
    names = {"reference": "ws-1", "payment_id": str(unanswered.public_id)}
    report("failed", unanswered, **names)
    memory_provider.outcomes["ws-1"] = "failed"
    for _time in range(3):
        make_due()
        payments.reconcile()
    unanswered.refresh_from_db()
    assert (unanswered.status, unanswered.unknown_starts, unanswered.next_check_at) == ("failed", 0, None)
    assert memory_provider.calls == ["start", "fetch"]


def test_end_of_another_attempt_does_not_end_this_one(order, memory_provider):
    first = payments.start(order.pk)
    names = {"reference": "second", "payment_id": str(first.public_id)}
    for kind in ("failed", "cancelled", "pending"):
        assert report(kind, first, event_id=kind, **names) == "ignored"
    assert statuses(order) == ["pending"]


def test_same_second_transaction_is_one_payment_however_it_is_reported(order, memory_provider, make_due):
    first = payments.start(order.pk)
    names = {"reference": "second", "payment_id": str(first.public_id)}
    memory_provider.outcomes["second"] = "captured"
    assert report("captured", first, event_id="claim", amount=25, is_confirmed=False, **names) == "waiting"
    assert report("captured", first, event_id="evt", amount=25, **names) == "applied"
    make_due()
    payments.reconcile()
    assert ProviderEvent.objects.get(provider_event_id="claim").outcome == "ignored"
    assert order.payments.count() == 2


def test_start_that_returns_another_reference_is_another_payment(order, memory_provider, monkeypatch):
    payment, reference = lose_start(order, memory_provider)
    report("captured", payment, amount=25, reference="ref-1", payment_id=str(payment.public_id))
    Order.objects.update(paid_amount=0, payment_status="unpaid", status="pending")
    Payment.objects.update(status="started", captured_amount=0)
    assert payments.start(order.pk).provider_reference == reference
    assert sorted(order.payments.values_list("provider_reference", flat=True)) == [reference, "ref-1"]


def test_reference_of_another_order_is_held(place, order, memory_provider, monkeypatch):
    first = payments.start(order.pk)
    reused = PaymentStart(reference=first.provider_reference, redirect_url="https://pay.example.org/1")
    monkeypatch.setattr(memory_provider, "start", lambda provider, request: reused)
    second = place(provider="memory", quantity=1)
    payment = payments.start(second.pk)
    assert (payment.status, payment.provider_reference) == ("held", "")
    assert second.events.filter(kind="payment_held").exists()


# The order ends while the start is on its way.


@pytest.mark.parametrize("is_down", [False, True])
def test_page_of_an_order_that_was_cancelled_during_the_start_is_closed(
    order, memory_provider, monkeypatch, make_due, is_down
):
    start = memory_provider.start

    def cancelled_meanwhile(provider, request):
        started = start(provider, request)
        lifecycle.cancel(order.pk)
        memory_provider.is_down = is_down
        return started

    with monkeypatch.context() as patch:
        patch.setattr(memory_provider, "start", cancelled_meanwhile)
        with pytest.raises(NotPayable):
            payments.start(order.pk)
    assert statuses(order) == ["pending" if is_down else "cancelled"]
    memory_provider.is_down = False
    make_due()
    payments.reconcile()
    assert (statuses(order), list(memory_provider.outcomes.values())) == (["cancelled"], ["cancelled"])


def test_other_pages_of_a_paid_order_are_closed(order, memory_provider):
    first = payments.start(order.pk)
    Payment.objects.update(expires_at=timezone.now())
    second = payments.start(order.pk)
    report("captured", second, amount=25)
    payments.reconcile()
    first.refresh_from_db()
    assert (first.status, memory_provider.outcomes[first.provider_reference]) == ("cancelled", "cancelled")


def test_payment_that_ended_is_asked_about_once_more(order, memory_provider, make_due):
    """The PIN was entered late, and its callback was lost."""
    payment = payments.start(order.pk)
    report("failed", payment)
    memory_provider.outcomes[payment.provider_reference] = "captured"
    make_due()
    payments.reconcile()
    assert state(order) == ("confirmed", "paid")


def test_payment_that_has_ended_is_not_asked_about_for_ever(order, memory_provider, make_due):
    payment = payments.start(order.pk)
    report("failed", payment)
    memory_provider.outcomes[payment.provider_reference] = "failed"
    for _time in range(3):
        make_due()
        payments.reconcile()
    assert memory_provider.calls.count("fetch") == 1


def test_ended_payment_is_asked_about_while_its_provider_says_that_it_is_open(order, memory_provider, make_due):
    payment = payments.start(order.pk)
    report("failed", payment)
    for _time in range(3):
        make_due()
        payments.reconcile()
    memory_provider.outcomes[payment.provider_reference] = "captured"
    make_due()
    payments.reconcile()
    assert state(order) == ("confirmed", "paid")


def test_late_money_of_a_cancelled_order_is_found_and_refunded(order, memory_provider, make_due):
    payment = payments.start(order.pk)
    report("failed", payment)
    lifecycle.cancel(order.pk)
    memory_provider.outcomes[payment.provider_reference] = "captured"
    make_due()
    payments.reconcile()
    assert payments.send_due_refunds() == 1
    order.refresh_from_db()
    assert (order.paid_amount, order.refunded_amount) == (25, 25)


def test_deposit_that_was_authorised_after_its_order_ended_is_released(order, memory_provider, make_due):
    payment = payments.start(order.pk)
    lifecycle.cancel(order.pk)
    payments.reconcile()
    assert statuses(order) == ["cancelled"]
    memory_provider.outcomes[payment.provider_reference] = "authorised"
    make_due()
    payments.reconcile()
    assert (statuses(order), memory_provider.outcomes[payment.provider_reference]) == (["cancelled"], "cancelled")


# Refunds whose webhook was lost.


def test_dashboard_refund_is_found_within_a_day_for_a_month(order, memory_provider):
    payment = payments.start(order.pk)
    report("captured", payment, amount=25)
    memory_provider.outcomes[payment.provider_reference] = "captured"
    payment.refresh_from_db()
    assert timedelta(hours=23) < payment.next_check_at - timezone.now() <= timedelta(days=1)
    for day in range(1, 33):
        Payment.objects.exclude(next_check_at=None).update(next_check_at=timezone.now())
        if day == 5:
            memory_provider.made[payment.provider_reference] = [
                RefundState(status="succeeded", amount=Decimal(10), reference="re-1")
            ]
        payments.reconcile()
        order.refresh_from_db()
        assert order.refunded_amount == (10 if day >= 5 else 0)
    assert memory_provider.calls.count("fetch") == watching.CAPTURED_CHECKS
    payment.refresh_from_db()
    assert payment.next_check_at is None


def test_outage_does_not_shorten_the_month(order, memory_provider):
    payment = payments.start(order.pk)
    report("captured", payment, amount=25)
    memory_provider.is_down = True
    for _time in range(40):
        Payment.objects.exclude(next_check_at=None).update(next_check_at=timezone.now())
        payments.reconcile()
    payment.refresh_from_db()
    assert (payment.checks, payment.next_check_at is None) == (0, False)


def test_captured_payment_whose_provider_cannot_be_asked_is_left_alone(order, memory_provider, monkeypatch):
    monkeypatch.setattr(memory_provider, "fetch", lambda *_args, **_kwargs: None)
    payment = payments.start(order.pk)
    report("captured", payment, amount=25)
    Payment.objects.update(next_check_at=timezone.now())
    payments.reconcile()
    payment.refresh_from_db()
    assert payment.next_check_at is None


# Jobs postpone what they cannot finish.


def test_unsettled_payments_do_not_delay_the_others(place, memory_provider, shop_settings):
    shop_settings(MAX_UNPAID_ORDERS=99)
    for _number in range(4):
        payments.start(place(provider="memory", quantity=1).pk)
    good = payments.start(place(provider="memory", quantity=1).pk)
    memory_provider.outcomes[good.provider_reference] = "captured"
    Payment.objects.update(next_check_at=timezone.now() - timedelta(hours=1))
    Payment.objects.filter(pk=good.pk).update(next_check_at=timezone.now())
    assert [payments.reconcile(limit=4) for _run in range(2)] == [0, 1]
    assert not Payment.objects.filter(next_check_at__lte=timezone.now()).exists()


def test_payment_without_a_response_is_checked_at_growing_intervals(order, memory_provider):
    payment = payments.start(order.pk)
    memory_provider.is_down = True
    waits = []
    for _time in range(9):
        Payment.objects.update(next_check_at=timezone.now())
        payments.reconcile()
        payment.refresh_from_db()
        waits.append(round((payment.next_check_at - timezone.now()).total_seconds() / 60))
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 360]


def test_provider_that_does_not_respond_is_skipped_for_the_rest_of_a_run(place, memory_provider, shop_settings):
    shop_settings(MAX_UNPAID_ORDERS=99)
    for _number in range(8):
        payments.start(place(provider="memory", quantity=1).pk)
    memory_provider.calls.clear()
    memory_provider.is_down = True
    Payment.objects.update(next_check_at=timezone.now())
    payments.reconcile()
    assert memory_provider.calls == ["fetch"] * 5
    assert not Payment.objects.filter(next_check_at__lte=timezone.now()).exists()


def test_payment_without_any_response_is_shown_to_staff_who_resolve_it(order, memory_provider, make_due, user):
    payment = payments.start(order.pk)
    memory_provider.is_down = True
    for _time in range(12):
        make_due()
        payments.reconcile()
    payment.refresh_from_db()
    assert (payment.status, payment.needs_decision) == ("pending", True)
    event = order.events.get(kind="payment_unknown")
    assert (event.is_public, "enter the amount received" in event.message) == (False, True)
    payments.resolve(payment.pk, amount=Decimal(0), by=user)
    assert statuses(order) == ["cancelled"]


def test_payment_needs_no_decision_once_its_provider_responds_again(order, memory_provider, make_due):
    payment = payments.start(order.pk)
    memory_provider.is_down = True
    for _time in range(12):
        make_due()
        payments.reconcile()
    memory_provider.is_down = False
    make_due()
    payments.reconcile()
    payment.refresh_from_db()
    assert (payment.error, payment.needs_decision) == ("", False)
    with pytest.raises(NotPayable):
        payments.resolve(payment.pk, amount=Decimal(0))


@pytest.fixture
def old_provider(memory_provider, shop_settings, settings):
    """A function that removes the provider from the settings, or adds it again."""
    providers = settings.SHOP_ORDERS["PAYMENT_PROVIDERS"]

    def switch(*, is_there):
        kept = {alias: config for alias, config in providers.items() if is_there or alias != "memory"}
        shop_settings(PAYMENT_PROVIDERS=kept)

    return switch


def test_order_of_a_removed_provider_expires_and_its_payment_is_shown(order, memory_provider, old_provider, make_due):
    payment = payments.start(order.pk)
    old_provider(is_there=False)
    out_of_time(order)
    assert payments.expire_due() == 1
    payment.refresh_from_db()
    assert (payment.status, payment.needs_decision) == ("pending", True)
    for _time in range(3):
        make_due()
        payments.reconcile()
    assert "not in the settings any more" in order.events.get(kind="payment_unknown").message
    old_provider(is_there=True)
    memory_provider.outcomes[payment.provider_reference] = "captured"
    make_due()
    payments.reconcile()
    order.refresh_from_db()
    assert (order.status, order.paid_amount, order.refund_due + order.refunds_under_way) == ("cancelled", 25, 25)


def test_payments_of_a_removed_provider_do_not_delay_others(place, memory_provider, shop_settings, old_provider):
    shop_settings(MAX_UNPAID_ORDERS=99)
    for _number in range(4):
        payments.start(place(provider="memory", quantity=1).pk)
    bank = payments.start(place(provider="bank", quantity=1).pk)
    lifecycle.cancel(bank.order_id)
    old_provider(is_there=False)
    Payment.objects.update(next_check_at=timezone.now() - timedelta(hours=1))
    Payment.objects.filter(pk=bank.pk).update(next_check_at=timezone.now())
    assert payments.reconcile(limit=2) == 1
    bank.refresh_from_db()
    assert bank.status == "cancelled"


def test_money_of_a_removed_provider_can_be_resolved_but_not_captured(order, memory_provider, old_provider):
    payment = payments.start(order.pk)
    report("authorised", payment)
    old_provider(is_there=False)
    with pytest.raises(UnknownPaymentProvider):
        payments.capture(payment.pk)
    Payment.objects.update(status="held")
    payments.resolve(payment.pk, amount=Decimal(30))
    order.refresh_from_db()
    assert (order.status, order.paid_amount, order.refund_due) == ("confirmed", 30, 5)
    assert order.events.filter(kind="refund_due").exists()


# Expiry.


def test_expiry_waits_for_an_open_attempt_until_its_own_end(order, memory_provider, monkeypatch, make_due):
    payment = payments.start(order.pk)
    ends_at = timezone.now() + timedelta(minutes=10)
    Payment.objects.update(expires_at=ends_at)
    out_of_time(order)
    assert payments.expire_due() == 0
    order.refresh_from_db()
    assert (state(order), order.next_check_at) == (("pending", "unpaid"), ends_at)
    assert memory_provider.outcomes[payment.provider_reference] == "pending"
    Payment.objects.update(expires_at=timezone.now())
    make_due()
    assert payments.expire_due() == 1
    assert memory_provider.outcomes[payment.provider_reference] == "cancelled"


def test_authorised_money_is_kept_after_its_page_has_ended(order, memory_provider, make_due):
    payment = payments.start(order.pk)
    Payment.objects.update(expires_at=timezone.now())
    memory_provider.outcomes[payment.provider_reference] = "authorised"
    for _time in range(2):
        make_due()
        payments.reconcile()
    assert (statuses(order), "cancel" in memory_provider.calls) == (["authorised"], False)


def test_page_is_closed_when_its_own_time_is_over(order, memory_provider, make_due):
    payment = payments.start(order.pk)
    Payment.objects.update(expires_at=timezone.now())
    make_due()
    payments.reconcile()
    assert (statuses(order), memory_provider.outcomes[payment.provider_reference]) == (["cancelled"], "cancelled")
    assert payments.start(order.pk).pk != payment.pk


def test_page_is_closed_before_its_order_expires(order, memory_provider):
    payments.start(order.pk)
    out_of_time(order)
    assert payments.expire_due() == 1
    assert memory_provider.calls == ["start", "fetch", "cancel", "fetch"]
    assert (statuses(order), state(order)) == (["cancelled"], ("cancelled", "unpaid"))


def test_payment_made_while_its_page_is_being_closed_is_recorded(order, memory_provider, monkeypatch):
    payment = payments.start(order.pk)
    out_of_time(order)

    def paid_meanwhile(provider, state, *, reference):
        memory_provider.outcomes[reference] = "captured"
        raise PaymentDeclined("It is complete.")

    monkeypatch.setattr(memory_provider, "cancel", paid_meanwhile)
    assert payments.expire_due() == 0
    payment.refresh_from_db()
    assert (payment.status, state(order)) == ("captured", ("confirmed", "paid"))


def test_order_whose_page_cannot_be_closed_expires_and_stays_watched(order, memory_provider, monkeypatch, make_due):
    payment = payments.start(order.pk)
    out_of_time(order)
    monkeypatch.setattr(memory_provider, "cancel", lambda *_args, **_kwargs: None)
    assert payments.expire_due() == 1
    assert (statuses(order), state(order)[0]) == (["pending"], "cancelled")
    memory_provider.outcomes[payment.provider_reference] = "captured"
    make_due()
    payments.reconcile()
    order.refresh_from_db()
    assert (order.paid_amount, order.refund_due + order.refunds_under_way) == (25, 25)


def test_expiry_asks_about_a_payment_that_has_just_failed(order, memory_provider):
    payment = payments.start(order.pk)
    report("failed", payment)
    memory_provider.outcomes[payment.provider_reference] = "captured"
    out_of_time(order)
    assert payments.expire_due() == 0
    assert state(order) == ("confirmed", "paid")


def test_time_to_pay_is_not_renewed_by_new_attempts(order, memory_provider):
    out_of_time(order)
    with pytest.raises(NotPayable):
        payments.start(order.pk)
    assert order.payments.count() == 0
    assert payments.expire_due() == 1


def test_orders_that_cannot_expire_yet_do_not_delay_the_others(place, memory_provider, shop_settings):
    shop_settings(MAX_UNPAID_ORDERS=99)
    for _number in range(4):
        payments.start(place(provider="memory", quantity=1).pk)
    Order.objects.update(expires_at=timezone.now() - timedelta(hours=2))
    good = place(provider="bank", quantity=1)
    Order.objects.filter(pk=good.pk).update(expires_at=timezone.now() - timedelta(hours=1))
    memory_provider.is_down = True
    assert [payments.expire_due(limit=4) for _run in range(2)] == [0, 1]
    assert state(good)[0] == "cancelled"


def test_expiry_cancels_only_the_order_that_is_overdue(place, memory_provider, shop_settings):
    shop_settings(MAX_UNPAID_ORDERS=99)
    other, due = place(provider="bank", quantity=1), place(provider="bank", quantity=1)
    out_of_time(due)
    assert payments.expire_due() == 1
    assert (state(due)[0], state(other)[0]) == ("cancelled", "pending")


# Another payment method.


def test_pending_order_cannot_change_to_a_provider_that_confirms_it_unpaid(place, memory_provider):
    order = place(provider="bank")
    before = order.expires_at
    with pytest.raises(CannotChangeProvider):
        payments.start(order.pk, provider="on_delivery")
    order.refresh_from_db()
    assert (order.payment_provider, order.status, order.expires_at) == ("bank", "pending", before)
    assert order.payments.count() == 0
    assert [provider.alias for provider in payments.providers_for(order)] == ["memory", "bank"]


def test_confirmed_order_can_be_paid_online_and_on_delivery_again(place, memory_provider):
    order = place(provider="on_delivery")
    payments.start(order.pk, provider="memory")
    payments.start(order.pk, provider="on_delivery")
    order.refresh_from_db()
    assert (order.payment_provider, order.status, order.expires_at) == ("on_delivery", "confirmed", None)
    assert [provider.alias for provider in payments.providers_for(order)] == ["memory", "on_delivery", "bank"]


def test_changing_back_and_forth_does_not_extend_the_deadline(order, memory_provider):
    placed = timezone.now() - timedelta(minutes=20)
    Order.objects.update(placed_at=placed, expires_at=placed + timedelta(minutes=30))
    deadlines = []
    for alias in ("bank", "memory", "bank", "memory"):
        payments.start(order.pk, provider=alias)
        order.refresh_from_db()
        deadlines.append(order.expires_at - placed)
    assert deadlines == [timedelta(days=7)] * 4


def test_change_after_the_time_of_the_first_provider_counts_from_the_placement(order, memory_provider):
    Order.objects.update(placed_at=timezone.now() - timedelta(days=8), expires_at=timezone.now())
    with pytest.raises(NotPayable):
        payments.start(order.pk, provider="bank")
    order.refresh_from_db()
    assert order.payment_provider == "memory"


def test_change_to_an_unlimited_provider_keeps_the_deadline(order, memory_provider, monkeypatch):
    from shop_orders.payment_providers import BankTransfer

    before = order.expires_at
    monkeypatch.setattr(BankTransfer, "expires_after", None, raising=False)
    monkeypatch.setattr(BankTransfer, "__init__", lambda self, **options: setattr(self, "alias", "bank"))
    monkeypatch.setattr(BankTransfer, "start", lambda self, request: PaymentStart(reference="b", instructions="Pay."))
    payments.start(order.pk, provider="bank")
    order.refresh_from_db()
    assert order.expires_at == before


def test_payment_without_a_reference_is_not_asked_about(order, memory_provider, monkeypatch):
    payment, _reference = lose_start(order, memory_provider)
    failed = PaymentState(status="failed")
    monkeypatch.setattr(memory_provider, "fetch", lambda *_args, **_kwargs: failed)
    assert payments.refresh(payment).status == "started"


def test_state_of_another_reference_is_ignored(order, memory_provider, monkeypatch):
    """A state that ``fetch`` returns with another reference is not that of this payment."""
    payment = payments.start(order.pk)
    other = PaymentState(status="captured", reference="another", captured=Decimal(25))
    monkeypatch.setattr(memory_provider, "fetch", lambda *_args, **_kwargs: other)
    with pytest.raises(ProviderUnavailable):
        payments.refresh(payment)
    assert state(order) == ("pending", "unpaid")
