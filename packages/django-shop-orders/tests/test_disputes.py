"""Disputes, through Stripe's real client: money that was taken back is in the books; no message claims a refund."""

import hashlib
import hmac
import json
import time
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone
from shop_orders import lifecycle, payments, tracking
from shop_orders.exceptions import RefundTooLarge
from shop_orders.models import OrderEvent, Payment, ProviderEvent, Refund
from shop_orders.payment_providers import PaymentEvent, PaymentState
from shop_orders.payments import inquiries
from testproject.books.models import Book
from testproject.providers import FakeStripe

pytest.importorskip("stripe", reason="needs the extra [stripe]")
pytestmark = pytest.mark.django_db


@pytest.fixture
def fake_stripe():
    with FakeStripe().running() as server:
        yield server


@pytest.fixture
def card(place, shop_settings, fake_stripe):
    """A payment of 25.00 that was captured."""
    options = {"api_key": "sk_test", "webhook_secrets": ["whsec_1"], "api_base": fake_stripe.url}
    backend = "shop_orders.payment_providers.StripeCheckout"
    shop_settings(PAYMENT_PROVIDERS={"card": {"BACKEND": backend, "OPTIONS": options}})
    payment = payments.start(place(provider="card").pk, base_url="http://testserver")
    fake_stripe.pay(payment.provider_reference)
    return payments.refresh(payment)


@pytest.fixture
def send(client, make_due):
    """Send a webhook call about a dispute, then let the job ask Stripe."""
    numbers = iter(range(100))

    def call(kind, dispute, *, asked=True):
        event = {"id": f"evt_{next(numbers)}", "object": "event", "type": f"charge.dispute.{kind}"}
        body, now = json.dumps({**event, "data": {"object": dispute}}).encode(), int(time.time())
        signed = hmac.new(b"whsec_1", f"{now}.".encode() + body, hashlib.sha256).hexdigest()
        headers = {"Stripe-Signature": f"t={now},v1={signed}"}
        assert client.post("/pay/webhooks/card/", body, "application/json", headers=headers).status_code == 200
        if asked:
            make_due()
            payments.reconcile()
        return ProviderEvent.objects.get(provider_event_id=event["id"]).outcome

    return call


def intent(payment):
    return f"pi_{payment.provider_reference}"


def account(payment):
    payment.refresh_from_db()
    order = payment.order
    order.refresh_from_db()
    return order.refunded_amount, payment.refunded_amount, order.amount_due, order.refund_due, order.payment_status


def event_messages(payment):
    return [event.message for event in payment.order.events.filter(kind="payment_disputed").order_by("id")]


def test_money_that_is_taken_back_counts_as_refunded_until_it_is_paid_out_again(card, fake_stripe, send):
    row = fake_stripe.dispute(intent(card), 2500, moved=[-2500])
    assert send("created", row) == "applied"
    assert send("funds_withdrawn", row) == "ignored"
    assert account(card) == (25, 25, 25, 0, "refunded")
    (message,) = event_messages(card)
    assert message.startswith("The customer disputes this payment with their bank, and 25.00 KES was taken back.")
    assert "Respond on the page of Card until 2026-12-01. Do not refund it, and do not send goods" in message
    with pytest.raises(RefundTooLarge):
        payments.refund(card.order_id, amount=Decimal(1))
    row = fake_stripe.dispute(intent(card), 2500, status="won", moved=[-2500, 2500])
    send("closed", row)
    send("funds_reinstated", row)
    assert account(card) == (0, 0, 0, 0, "paid")
    assert event_messages(card)[1:] == ["The dispute was won: 25.00 KES."]
    assert Refund.objects.get().status == "failed"


def test_nobody_is_told_of_a_refund(card, fake_stripe, send):
    before = set(OrderEvent.objects.values_list("pk", flat=True))
    send("created", fake_stripe.dispute(intent(card), 2500, moved=[-2500]))
    send("closed", fake_stripe.dispute(intent(card), 2500, status="won", moved=[-2500, 2500]))
    new = OrderEvent.objects.exclude(pk__in=before)
    assert [event.kind for event in new if event.is_public] == []
    assert [event.kind for event in new if event.signal and event.payload["notify"]] == []
    assert {event.kind for event in new} == {"payment_status_changed", "payment_disputed"}


def test_lost_dispute_is_credited_once(card, fake_stripe, send):
    send("created", fake_stripe.dispute(intent(card), 1000, moved=[-1000]))
    assert account(card) == (10, 10, 10, 0, "part_refunded")
    row = fake_stripe.dispute(intent(card), 1000, status="lost", moved=[-1000])
    for _time in range(2):
        send("closed", row)
    assert account(card) == (10, 10, 0, 0, "part_refunded")
    credit = card.order.credits.get()
    assert (credit.kind, credit.amount, credit.reason) == ("goodwill", 10, "The dispute was lost.")
    assert [text.split(":")[0] for text in event_messages(card)][1:] == ["The dispute was lost"]


def test_inquiry_moves_no_money(card, fake_stripe, send):
    send("created", fake_stripe.dispute(intent(card), 2500, status="warning_needs_response"))
    assert account(card) == (0, 0, 0, 0, "paid")
    assert "If the customer is right, refund the payment instead." in event_messages(card)[0]
    send("closed", fake_stripe.dispute(intent(card), 2500, status="warning_closed"))
    assert (account(card), Refund.objects.count()) == ((0, 0, 0, 0, "paid"), 0)


def test_events_in_any_order_give_the_state_at_the_provider(card, fake_stripe, send):
    first = fake_stripe.dispute(intent(card), 2500, moved=[-2500])
    last = fake_stripe.dispute(intent(card), 2500, status="won", moved=[-2500, 2500])
    for kind, row in (("funds_reinstated", last), ("closed", last), ("created", first), ("funds_withdrawn", first)):
        send(kind, row)
    assert account(card) == (0, 0, 0, 0, "paid")
    assert Refund.objects.count() == 0


def test_dispute_whose_webhook_is_lost_is_found(card, fake_stripe, make_due):
    fake_stripe.dispute(intent(card), 2500, moved=[-2500])
    make_due()
    payments.reconcile()
    assert account(card)[:2] == (25, 25)


def test_event_waits_while_stripe_cannot_be_asked(card, fake_stripe, send):
    row = fake_stripe.dispute(intent(card), 2500, moved=[-2500])
    send("created", row, asked=False)
    fake_stripe.refusal = 401, {"error": {"type": "invalid_request_error", "message": "Expired API Key provided"}}
    payments.reconcile()
    assert account(card) == (0, 0, 0, 0, "paid")
    assert ProviderEvent.objects.get(provider_event_id="evt_0").outcome == "waiting"


def test_key_that_may_not_read_disputes_still_fetches_payments(card, fake_stripe, send):
    fake_stripe.disputes_refused = True
    assert payments.refresh(card).status == "captured"
    assert send("created", fake_stripe.dispute(intent(card), 2500, moved=[-2500])) == "held"
    assert "Look at it on the provider's page, then" in card.order.events.filter(kind="payment_held").last().message
    assert account(card)[0] == 0


def test_refund_in_the_dashboard_beside_a_dispute_is_recorded(card, fake_stripe, send, make_due):
    """A total of refunds at the provider does not include what a dispute took back."""
    send("created", fake_stripe.dispute(intent(card), 1000, moved=[-1000]))
    fake_stripe.refund(intent(card), 500)
    charge = PaymentEvent(
        event_id="evt_total", kind="refunded", payment_id=str(card.public_id), amount=Decimal(5), currency="KES"
    )
    assert payments.apply_event("card", charge).outcome == "waiting"
    make_due()
    payments.reconcile()
    assert account(card)[:2] == (15, 15)


def test_queued_refund_that_no_longer_fits_is_not_sent(card, fake_stripe, send):
    (queued,) = payments.queue_refund(card.order_id)
    send("created", fake_stripe.dispute(intent(card), 2500, moved=[-2500]))
    queued.refresh_from_db()
    assert (queued.status, account(card)[:2]) == ("failed", (25, 25))
    payments.send_due_refunds()
    assert fake_stripe.refunds == []


def test_dispute_that_exceeds_the_payment_is_shown_to_staff(card, fake_stripe, send):
    payments.refund(card.order_id, amount=Decimal(20))
    send("created", fake_stripe.dispute(intent(card), 2500, moved=[-2500]))
    assert account(card)[:2] == (20, 20)
    assert "The dispute could not be recorded" in event_messages(card)[0]


def test_customers_see_no_refund_and_staff_see_the_dispute(card, fake_stripe, send, user):
    send("created", fake_stripe.dispute(intent(card), 2500, moved=[-2500]))
    shown = Client(headers={"Authorization": f"Bearer user-{user.pk}"}).get(f"/api/orders/orders/{card.order.number}/")
    assert shown.json()["refunds"] == []
    assert tracking.of(card.order).events[-1].kind != "payment_disputed"
    staff = get_user_model().objects.create_superuser("test-staff", "staff@example.org", "pw")
    api = Client(headers={"Authorization": f"Bearer user-{staff.pk}"})
    (row,) = api.get(f"/api/orders/staff/orders/{card.order.number}/").json()["refunds"]
    assert (row["kind"], row["amount"], row["status"]) == ("dispute", "25.00", "succeeded")


def test_provider_that_lists_no_disputes_leaves_the_event_to_staff(place, memory_provider, make_due):
    payment = payments.start(place(provider="memory").pk)
    payments.apply_state(payment.pk, PaymentState(status="captured", captured=Decimal(25)), fetched_at=timezone.now())
    reference = Payment.objects.get().provider_reference
    memory_provider.outcomes[reference] = "captured"
    payments.apply_event(
        "memory", PaymentEvent(event_id="d-1", kind="disputed", reference=reference, refund_reference="d")
    )
    make_due()
    payments.reconcile()
    assert ProviderEvent.objects.get(provider_event_id="d-1").outcome == "held"


def test_dispute_of_a_cancelled_and_refunded_order_changes_neither_status_nor_stock(card, fake_stripe, send):
    lifecycle.cancel(card.order_id)
    payments.refund(card.order_id)
    before = (account(card), Book.objects.get().on_hand)
    send("created", fake_stripe.dispute(intent(card), 2500, moved=[-2500]))
    assert (account(card), Book.objects.get().on_hand) == before
    assert card.order.status == "cancelled"
    assert "The dispute could not be recorded" in event_messages(card)[0]


def test_state_that_was_fetched_earlier_does_not_undo_a_later_one(card, fake_stripe):
    """Two workers ask Stripe; the one that asked first is slower."""
    fake_stripe.dispute(intent(card), 2500, moved=[-2500])
    old, asked_first = inquiries.ask(card), timezone.now()
    fake_stripe.dispute(intent(card), 2500, status="won", moved=[-2500, 2500])
    payments.refresh(card)
    payments.apply_state(card.pk, old, fetched_at=asked_first)
    assert account(card) == (0, 0, 0, 0, "paid")
    assert event_messages(card) == ["The dispute was won: 25.00 KES."]
    fake_stripe.dispute(intent(card), 2500, moved=[-2500])
    payments.refresh(card)
    assert account(card)[:2] == (25, 25)


def test_money_of_a_lost_dispute_that_is_paid_out_again_is_not_credited(card, fake_stripe, send):
    lost = fake_stripe.dispute(intent(card), 2500, status="lost", moved=[-2500])
    send("closed", lost)
    assert account(card) == (25, 25, 0, 0, "refunded")
    send("funds_reinstated", fake_stripe.dispute(intent(card), 2500, status="lost", moved=[-2500, 1000]))
    assert account(card) == (15, 15, 0, 0, "part_refunded")
    for _time in range(2):
        send("funds_reinstated", fake_stripe.dispute(intent(card), 2500, status="lost", moved=[-2500, 2500]))
    assert account(card) == (0, 0, 0, 0, "paid")
    assert event_messages(card)[-1].startswith("The dispute was lost, but Card has paid out 25.00 KES again.")
    credited = card.order.credits.order_by("id")
    assert [credit.amount for credit in credited] == [25, -10, -15]
    assert sum(Decimal(line["amount"]) for credit in credited for line in credit.tax_lines) == 0
    send("closed", lost)
    fake_stripe.dispute(intent(card), 2500, status="lost", moved=[-2500])
    payments.refresh(card)
    assert account(card) == (25, 25, 0, 0, "refunded")


def test_money_that_is_paid_out_again_for_a_cancelled_order_has_to_be_refunded(card, fake_stripe, send):
    send("closed", fake_stripe.dispute(intent(card), 2500, status="lost", moved=[-2500]))
    lifecycle.cancel(card.order_id)
    send("funds_reinstated", fake_stripe.dispute(intent(card), 2500, status="lost", moved=[-2500, 2500]))
    assert account(card) == (0, 0, 0, 25, "paid")


def test_won_dispute_whose_money_was_converted_at_another_rate_is_paid_out(card, fake_stripe, send):
    send("created", fake_stripe.dispute(intent(card), 2500, moved=[-1910]))
    assert account(card)[:2] == (25, 25)
    send("closed", fake_stripe.dispute(intent(card), 2500, status="won", moved=[-1910, 1893]))
    assert account(card) == (0, 0, 0, 0, "paid")


def test_each_dispute_of_a_payment_is_counted(card, fake_stripe, send):
    first = fake_stripe.dispute(intent(card), 1000, moved=[-1000])
    second = {**fake_stripe.dispute(intent(card), 1500, moved=[-1500]), "id": "dp_second"}
    fake_stripe.disputes = [first, second]
    for row in (second, first, second):
        send("created", row)
    assert account(card) == (25, 25, 25, 0, "refunded")
    fake_stripe.disputes[1] = {**second, "status": "lost"}
    fake_stripe.dispute(intent(card), 1000, status="won", moved=[-1000, 1000])
    send("closed", second)
    assert account(card) == (15, 15, 0, 0, "part_refunded")
