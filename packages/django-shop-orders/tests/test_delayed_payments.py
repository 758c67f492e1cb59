"""Payments that arrive days after the customer has paid, such as bank debits and vouchers at Stripe."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from shop_orders import lifecycle, payments
from shop_orders.models import Order, ProviderEvent
from shop_orders.payment_providers import PaymentEvent, PaymentState, payment_provider
from testproject.providers import FakeStripe
from testproject.services import stripe_call

pytest.importorskip("stripe", reason="needs the extra [stripe]")

pytestmark = pytest.mark.django_db

SECRET = "whsec_new"


@pytest.fixture
def fake_stripe():
    with FakeStripe().running() as server:
        yield server


@pytest.fixture
def card(place, shop_settings, fake_stripe):
    options = {"api_key": "sk_test", "webhook_secrets": [SECRET], "api_base": fake_stripe.url}
    backend = "shop_orders.payment_providers.StripeCheckout"
    shop_settings(PAYMENT_PROVIDERS={"card": {"BACKEND": backend, "OPTIONS": options}})
    return payments.start(place(provider="card").pk, base_url="http://testserver")


def send_event(client, fake_stripe, payment, kind, event_id):
    """Send the webhook about the session as it is at Stripe now."""
    session = json.loads(json.dumps(fake_stripe.sessions[payment.provider_reference]))
    event = {"id": event_id, "object": "event", "type": f"checkout.session.{kind}", "data": {"object": session}}
    call = stripe_call(event, SECRET)
    headers = {"Stripe-Signature": call.headers["Stripe-Signature"]}
    response = client.post("/pay/webhooks/card/", call.body, "application/json", headers=headers)
    assert response.status_code == 200


def later(**delta):
    """Let the time of orders and payments be over."""
    past = timezone.now() - timedelta(**delta)
    Order.objects.update(expires_at=past, next_check_at=None)
    for payment in Order.objects.get().payments.exclude(expires_at=None):
        payment.expires_at = past
        payment.save()


def state(payment):
    payment.refresh_from_db()
    payment.order.refresh_from_db()
    return payment.status, payment.order.status, payment.order.payment_status


@pytest.mark.parametrize("is_webhook_lost", [False, True])
@pytest.mark.parametrize("intent", ["processing", "requires_action"])
def test_order_is_kept_while_its_money_is_on_its_way(client, card, fake_stripe, make_due, intent, is_webhook_lost):
    fake_stripe.delay(card.provider_reference, intent)
    if not is_webhook_lost:
        send_event(client, fake_stripe, card, "completed", "evt_1")
    for _day in range(3):
        later(days=1)
        make_due()
        assert payments.expire_due() == 0
        payments.reconcile()
    assert state(card) == ("processing", "pending", "unpaid")
    assert fake_stripe.sessions[card.provider_reference]["status"] == "complete"
    fake_stripe.pay(card.provider_reference)
    if is_webhook_lost:
        make_due()
        payments.reconcile()
    else:
        send_event(client, fake_stripe, card, "async_payment_succeeded", "evt_2")
    assert state(card) == ("captured", "confirmed", "paid")
    assert card.captured_amount == 25


@pytest.mark.parametrize("is_webhook_lost", [False, True])
def test_order_expires_when_its_money_has_failed(client, card, fake_stripe, make_due, is_webhook_lost):
    fake_stripe.delay(card.provider_reference)
    send_event(client, fake_stripe, card, "completed", "evt_1")
    later(days=1)
    assert payments.expire_due() == 0
    fake_stripe.fail(card.provider_reference, "Your bank has refused it.")
    if is_webhook_lost:
        make_due()
        payments.reconcile()
        assert card.order.payments.get().error == "Your bank has refused it."
    else:
        send_event(client, fake_stripe, card, "async_payment_failed", "evt_2")
    assert state(card)[:2] == ("failed", "pending")
    assert payments.expire_due() == 1
    assert state(card)[:2] == ("failed", "cancelled")


@pytest.mark.parametrize(("outcome", "expected"), [("succeeded", "captured"), ("failed", "failed")])
def test_events_may_arrive_in_the_wrong_order(client, card, fake_stripe, outcome, expected):
    fake_stripe.delay(card.provider_reference)
    before = dict(fake_stripe.sessions[card.provider_reference])
    if outcome == "succeeded":
        fake_stripe.pay(card.provider_reference)
    else:
        fake_stripe.fail(card.provider_reference)
    send_event(client, fake_stripe, card, f"async_payment_{outcome}", "evt_2")
    fake_stripe.sessions[card.provider_reference] = before
    send_event(client, fake_stripe, card, "completed", "evt_1")
    assert state(card)[0] == expected
    assert ProviderEvent.objects.get(provider_event_id="evt_1").outcome == "ignored"


def test_second_visit_starts_no_second_payment(card, fake_stripe):
    fake_stripe.delay(card.provider_reference)
    payments.refresh(card)
    later(hours=1)
    again = payments.start(card.order_id)
    assert (again.pk, again.status, again.redirect_url) == (card.pk, "processing", "")
    assert len(fake_stripe.sessions) == 1


def test_money_that_arrives_for_a_cancelled_order_is_sent_back(client, card, fake_stripe, make_due):
    fake_stripe.delay(card.provider_reference)
    payments.refresh(card)
    lifecycle.cancel(card.order_id)
    make_due()
    payments.reconcile()
    assert state(card) == ("processing", "cancelled", "unpaid")
    fake_stripe.pay(card.provider_reference)
    send_event(client, fake_stripe, card, "async_payment_succeeded", "evt_2")
    payments.send_due_refunds()
    assert [row["amount"] for row in fake_stripe.refunds] == [2500]
    assert state(card)[2] == "refunded"


def test_unanswered_question_about_the_money_keeps_the_order(card, fake_stripe):
    fake_stripe.delay(card.provider_reference)
    fake_stripe.intents_refused = True
    later(hours=1)
    assert payments.expire_due() == 0
    assert state(card) == ("pending", "pending", "unpaid")


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_report_of_money_on_its_way_reopens_only_by_asking(place, memory_provider, status):
    order = place(provider="memory")
    payment = payments.start(order.pk)
    payments.apply_state(payment.pk, PaymentState(status=status))
    event = PaymentEvent(event_id="evt-1", kind="processing", reference=payment.provider_reference)
    assert payments.apply_event("memory", event).outcome == "ignored"
    payment = payments.apply_state(payment.pk, PaymentState(status="processing"))
    assert (payment.status, payment.error) == ("processing", "")


def test_staff_decide_about_money_of_a_removed_provider(place, memory_provider, shop_settings, make_due):
    order = place(provider="memory")
    payment = payments.start(order.pk)
    payments.apply_state(payment.pk, PaymentState(status="processing"))
    shop_settings(PAYMENT_PROVIDERS={"other": {"BACKEND": "shop_orders.testing.MemoryPaymentProvider"}})
    later(days=1)
    make_due()
    payments.reconcile()
    assert payments.expire_due() == 0
    payment.refresh_from_db()
    assert payment.needs_decision
    payments.resolve(payment.pk, amount=Decimal(0))
    assert payments.expire_due() == 1


def test_fetched_state_is_that_of_the_payment_intent(card, fake_stripe):
    def fetched():
        return payment_provider("card").fetch({}, reference=card.provider_reference)

    assert fetched().status == "pending"
    fake_stripe.delay(card.provider_reference)
    assert fetched().status == "processing"
    fake_stripe.fail(card.provider_reference, "No funds")
    assert (fetched().status, fetched().error) == ("failed", "No funds")
    fake_stripe.delay(card.provider_reference, "canceled")
    assert fetched().status == "cancelled"
