"""A provider that was removed from the settings: staff do its work, and messages say how."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from shop_orders import form_tokens, lifecycle, payments
from shop_orders.admin.steps import possible_steps
from shop_orders.exceptions import RefundByHand, RefundTooLarge, UnknownPaymentProvider
from shop_orders.models import Order, Payment, ProviderEvent, Refund
from shop_orders.payment_providers import PaymentEvent, PaymentState

pytestmark = pytest.mark.django_db

CAPTURED = PaymentState(status="captured", captured=Decimal(25))


@pytest.fixture
def remove(memory_provider, shop_settings, settings):
    """A function that removes providers from the settings."""
    providers = settings.SHOP_ORDERS["PAYMENT_PROVIDERS"]
    return lambda *gone: shop_settings(
        PAYMENT_PROVIDERS={alias: config for alias, config in providers.items() if alias not in gone}
    )


@pytest.fixture
def order(place, memory_provider):
    return place(provider="memory")


@pytest.fixture
def card(order):
    return payments.start(order.pk)


@pytest.fixture
def days_pass(make_due):
    """A function that runs the jobs of several days, after the time to pay of all orders."""

    def pass_by():
        Order.objects.update(expires_at=timezone.now() - timedelta(days=5))
        for _run in range(9):
            make_due()
            payments.reconcile()
            payments.send_due_refunds()
            payments.expire_due()

    return pass_by


@pytest.fixture
def report(card):
    """A function that stores an event about the payment."""

    def store(kind, **values):
        values = {"reference": card.provider_reference, "amount": Decimal(5), **values}
        return payments.apply_event("memory", PaymentEvent(event_id=f"evt-{kind}", kind=kind, **values))

    return store


@pytest.fixture
def shopkeeper(client):
    client.force_login(get_user_model().objects.create_superuser("test-admin", "admin@example.org", "pw"))
    return client


@pytest.fixture
def staff_post():
    staff = get_user_model().objects.create_superuser("test-staff", "staff@example.org", "pw")
    client = Client(headers={"Authorization": f"Bearer user-{staff.pk}"})
    return lambda path, body: client.post(f"/api/orders/staff/orders/{path}", body, "application/json")


def step(client, order, name, **values):
    url = reverse("admin:shop_orders_step", args=[order.pk, name])
    return client.post(url, {"form_token": form_tokens.new_token(), **values}, follow=True).content.decode()


def refunds():
    rows = Refund.objects.order_by("id").select_related("payment")
    return [(row.payment.provider, row.amount, row.status) for row in rows]


def state(row):
    row.refresh_from_db()
    return row.status


# Refunds.


def test_refund_is_refused_and_staff_record_what_they_sent_back(order, card, remove, user):
    payments.apply_state(card.pk, CAPTURED)
    remove("memory")
    for wish in ({}, {"amount": Decimal(10)}, {"lines": {"978-1": 1}}, {"amount": Decimal(10), "credit": False}):
        with pytest.raises(RefundByHand) as refused:
            payments.refund(order.pk, **wish, by=user)
    assert str(refused.value) == (
        "memory is not in the settings any more. Send the money back on the page of the provider, or in another way, "
        "then record it as a refund made at the provider. Only 0.00 KES can be refunded here."
    )
    assert refused.value.extra == {"payment_provider": "memory", "refundable": "0.00"}
    assert (refunds(), order.credits.count()) == ([], 0)
    payments.record_provider_refund(card.pk, amount=Decimal(10), by=user)
    order.refresh_from_db()
    assert (refunds(), order.refunded_amount) == ([("memory", 10, "succeeded")], 10)


def test_refund_that_is_too_large_is_refused_as_such(order, card, remove):
    payments.apply_state(card.pk, CAPTURED)
    remove("memory")
    with pytest.raises(RefundTooLarge):
        payments.refund(order.pk, amount=Decimal(26))


def test_only_money_of_configured_providers_is_refunded(order, card, remove):
    payments.record_payment(order.pk, amount=Decimal(10), provider="bank")
    Payment.objects.filter(pk=card.pk).update(amount=Decimal(15))
    payments.apply_state(card.pk, PaymentState(status="captured", captured=Decimal(15)))
    remove("bank")
    payments.refund(order.pk, amount=Decimal(12))
    assert refunds() == [("memory", 12, "succeeded")]
    for amount in (None, Decimal(4)):
        with pytest.raises(RefundByHand, match=r"^bank .* Only 3\.00 KES can be refunded here\.$"):
            payments.refund(order.pk, amount=amount)
    payments.refund(order.pk, amount=Decimal(3))
    order.refresh_from_db()
    assert (order.refundable_amount, possible_steps(order).count("refund")) == (10, 0)


def test_staff_are_told_in_the_admin_and_record_the_refund(order, card, remove, shopkeeper):
    payments.apply_state(card.pk, CAPTURED)
    payments.record_payment(order.pk, amount=Decimal(5), provider="bank")
    remove("memory")
    page = step(shopkeeper, order, "refund", amount="20", notify="on")
    assert (
        "is not in the settings any more. Send the money back on the page of the provider, or in another way" in page
    )
    form = shopkeeper.get(reverse("admin:shop_orders_step", args=[order.pk, "record_refund"])).content.decode()
    assert (
        "Not in the settings any more: memory. Send the money back on the page of the provider, or in another way."
        in form
    )
    step(shopkeeper, order, "record_refund", payment=card.pk, amount="20", notify="on")
    assert refunds() == [("memory", 20, "succeeded")]


def test_staff_are_told_by_the_api_and_record_the_refund(order, card, remove, staff_post):
    payments.apply_state(card.pk, CAPTURED)
    remove("memory")
    refused = staff_post(f"{order.number}/refund/", {})
    assert (refused.status_code, refused.json()["code"]) == (409, "refund_by_hand")
    assert refused.json()["payment_provider"] == "memory"
    made = staff_post(f"{order.number}/payments/{card.public_id}/record-refund/", {"amount": "25.00"})
    assert (made.status_code, made.json()["payment_status"]) == (200, "refunded")


def test_refund_from_before_the_removal_says_what_to_do(order, card, remove, days_pass):
    payments.apply_state(card.pk, CAPTURED)
    (queued,) = payments.queue_refund(order.pk, amount=Decimal(5))
    remove("memory")
    days_pass()
    queued.refresh_from_db()
    assert queued.error == (
        "Unknown payment provider: memory. "
        "Look at the provider's page, send the money back there, and enter the result."
    )
    assert list(Order.objects.needs_decision()) == [order]
    payments.resolve_refund(queued.pk, succeeded=True)
    assert list(Order.objects.needs_decision()) == []


def test_surplus_is_refunded_from_the_payment_that_brought_it(order, card, memory_provider):
    """The newest payment has money too, but only staff can refund it."""
    payments.record_payment(order.pk, amount=Decimal(25), provider="bank")
    payments.apply_state(card.pk, CAPTURED)
    payments.send_due_refunds()
    assert refunds() == [("memory", 25, "succeeded")]
    assert len(memory_provider.refunds) == 1


@pytest.mark.parametrize("is_cancelled", [True, False])
def test_staff_refund_late_and_doubled_money_of_a_removed_provider(order, card, remove, is_cancelled, days_pass):
    if is_cancelled:
        lifecycle.cancel(order.pk)
    else:
        payments.record_payment(order.pk, amount=Decimal(25), provider="bank")
    remove("memory")
    days_pass()
    card.refresh_from_db()
    assert card.needs_decision
    payments.resolve(card.pk, amount=Decimal(25))
    assert (refunds(), list(Order.objects.refund_due())) == ([], [order])
    assert "Send 25.00 KES back by memory" in order.events.get(kind="refund_due").message
    payments.record_provider_refund(card.pk, amount=Decimal(25))
    assert list(Order.objects.refund_due()) == []


# Payments and events.


def test_authorised_money_is_shown_and_resolved(order, card, remove):
    payments.apply_state(card.pk, PaymentState(status="authorised"))
    remove("memory")
    with pytest.raises(UnknownPaymentProvider, match="then enter the amount received"):
        payments.capture(card.pk)
    card.refresh_from_db()
    assert (card.needs_decision, "resolve" in possible_steps(order)) == (True, True)
    payments.resolve(card.pk, amount=Decimal(25))
    assert state(card) == "captured"


def test_order_with_an_unconfirmed_report_is_held_and_ends(order, card, remove, report, days_pass):
    report("captured", amount=Decimal(25), is_confirmed=False)
    remove("memory")
    days_pass()
    assert (state(order), state(card), card.needs_decision) == ("pending", "held", True)
    assert "does not confirm it" in card.error
    payments.resolve(card.pk, amount=Decimal(0))
    days_pass()
    assert (state(order), ProviderEvent.objects.get().outcome) == ("cancelled", "held")


def test_staff_decide_about_an_unconfirmed_report_while_the_provider_is_removed(
    order, card, memory_provider, report, days_pass
):
    report("captured", amount=Decimal(25), is_confirmed=False)
    memory_provider.is_down = True
    days_pass()
    assert (state(order), state(card), card.needs_decision) == ("pending", "pending", True)
    payments.resolve(card.pk, amount=Decimal(0))
    days_pass()
    assert (state(order), ProviderEvent.objects.get().outcome) == ("cancelled", "held")


def test_confirmation_of_a_report_that_was_held_is_applied(order, card, memory_provider, report, days_pass):
    report("captured", amount=Decimal(1), is_confirmed=False)
    memory_provider.is_down = True
    for _time in range(2):
        days_pass()
    assert ProviderEvent.objects.get().outcome == "held"
    payments.resolve(card.pk, amount=Decimal(0))
    assert report("captured", amount=Decimal(25)).outcome == "applied"
    order.refresh_from_db()
    assert (order.paid_amount, ProviderEvent.objects.count()) == (25, 1)


@pytest.mark.parametrize(("kind", "name"), [("refunded", "record_refund"), ("disputed", "resolve_dispute")])
def test_unsettled_refunds_and_disputes_are_held(order, card, remove, report, days_pass, kind, name):
    payments.apply_state(card.pk, CAPTURED)
    report(kind, refund_reference="r-1")
    remove("memory")
    days_pass()
    order.refresh_from_db()
    assert (ProviderEvent.objects.get().outcome, list(Order.objects.needs_decision())) == ("held", [order])
    assert name in possible_steps(order)


def test_checks_of_captured_payments_end(card, remove, make_due):
    payments.apply_state(card.pk, CAPTURED)
    remove("memory")
    for _day in range(30):
        make_due()
        payments.reconcile()
    card.refresh_from_db()
    assert card.next_check_at is None


def test_money_of_a_removed_bank_transfer_is_recorded_for_another_provider(place, memory_provider, remove, shopkeeper):
    order = place(provider="bank")
    payments.start(order.pk)
    remove("bank")
    with pytest.raises(UnknownPaymentProvider, match=r"^Unknown payment provider: bank. .* for: on_delivery\.$"):
        payments.record_payment(order.pk, amount=Decimal(25))
    assert "pay" in possible_steps(order)
    step(shopkeeper, order, "pay", amount="25", provider="on_delivery", notify="on")
    order.refresh_from_db()
    assert (order.status, order.paid_amount) == ("confirmed", 25)
