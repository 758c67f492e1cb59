"""Stripe and M-Pesa, tested against local servers that follow their documentation."""

import hashlib
import hmac
import json
import time
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import RequestFactory
from django.utils import timezone
from shop_orders import checkout, lifecycle, payments
from shop_orders.exceptions import InvalidWebhook, PaymentDeclined, ProviderUnavailable
from shop_orders.models import Order, Payment, ProviderEvent, Refund
from shop_orders.payment_providers import payment_provider
from testproject.providers import FakeDaraja, FakeStripe

stripe_module = pytest.importorskip("stripe", reason="needs the extra [stripe]")
pytest.importorskip("requests", reason="needs the extra [mpesa]")

from shop_orders.payment_providers import Mpesa, PaymentRequest, StripeCheckout  # noqa: E402
from shop_orders.payment_providers.stripe_objects import from_stripe, to_stripe  # noqa: E402

PHONE = checkout.Contact(phone="0712 345 678")
SECRETS = ["whsec_new", "whsec_old"]
MPESA = {
    "consumer_key": "consumer",
    "consumer_secret": "hidden",
    "short_code": "174379",
    "passkey": "passkey-1",
    "webhook_secret": "a-long-random-text",
}
MPESA_OPTIONS = {}
"""Provider options that the settings of the running test use."""


@pytest.fixture
def fake_stripe():
    with FakeStripe().running() as server:
        yield server


@pytest.fixture
def daraja():
    Mpesa._tokens.clear()
    with FakeDaraja().running() as server:
        yield server
    Mpesa._tokens.clear()


def stripe_call(event, *, secret="whsec_new", timestamp=None):
    body = json.dumps(event).encode()
    timestamp = int(time.time()) if timestamp is None else timestamp
    signed = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    headers = {"Stripe-Signature": f"t={timestamp},v1={signed}"}
    return RequestFactory().post("/", body, content_type="application/json", headers=headers)


def session_event(kind, session, event_id="evt_1"):
    return {"id": event_id, "object": "event", "type": f"checkout.session.{kind}", "data": {"object": session}}


def test_stripe_rejects_forged_and_stale_webhooks(fake_stripe):
    provider = StripeCheckout(alias="card", api_key="sk_test", webhook_secrets=SECRETS, api_base=fake_stripe.url)
    with pytest.raises(InvalidWebhook):
        list(provider.read_webhook(stripe_call({}, secret="wrong")))
    with pytest.raises(InvalidWebhook):
        list(provider.read_webhook(stripe_call({"id": "evt"}, timestamp=int(time.time()) - 3600)))


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("12.50", "KES", 1250),
        ("500", "JPY", 500),
        ("500", "UGX", 50000),
        ("7", "ISK", 700),
        ("900", "MGA", 900),
        ("900", "XOF", 900),
        ("12.340", "KWD", 12340),
        ("0.050", "TND", 50),
    ],
)
def test_stripe_amounts_use_its_own_minor_units(amount, currency, minor):
    assert to_stripe(Decimal(amount), currency) == minor
    assert from_stripe(minor, currency) == Decimal(amount)


def test_stripe_declines_an_amount_that_would_be_rounded(fake_stripe):
    with pytest.raises(PaymentDeclined):
        to_stripe(Decimal("12.345"), "KWD")
    provider = StripeCheckout(alias="card", api_key="sk_test", webhook_secrets=SECRETS, api_base=fake_stripe.url)
    assert "KWD" in provider.refuses(amount=Decimal("12.345"), currency="KWD")
    assert provider.refuses(amount=Decimal("12.340"), currency="KWD") == ""


@pytest.mark.parametrize(("email", "sent"), [("ann@example.org", "ann@example.org"), ("jörg@example.org", None)])
def test_stripe_asks_for_an_address_itself_if_it_has_other_letters(fake_stripe, email, sent):
    provider = StripeCheckout(alias="card", api_key="sk_test", webhook_secrets=SECRETS, api_base=fake_stripe.url)
    amount = {"amount": Decimal(1), "currency": "KES"}
    provider.start(PaymentRequest(payment_id="1", order_number="A", description="A", email=email, **amount))
    assert fake_stripe.calls[-1][2].get("customer_email") == sent


@pytest.fixture
def card(place, shop_settings, fake_stripe):
    options = {"api_key": "sk_test", "webhook_secrets": SECRETS, "api_base": fake_stripe.url}
    backend = "shop_orders.payment_providers.StripeCheckout"
    shop_settings(PAYMENT_PROVIDERS={"card": {"BACKEND": backend, "OPTIONS": options}})
    return payments.start(place(provider="card").pk, base_url="http://testserver")


def state(payment):
    payment.refresh_from_db()
    payment.order.refresh_from_db()
    return payment.status, payment.order.status, payment.order.payment_status


@pytest.mark.django_db
@pytest.mark.parametrize("secret", SECRETS)
def test_stripe_webhook_pays_the_order(client, card, fake_stripe, secret):
    assert card.redirect_url.startswith("https://checkout.stripe.example.org/")
    fake_stripe.pay(card.provider_reference)
    call = stripe_call(session_event("completed", fake_stripe.sessions[card.provider_reference]), secret=secret)
    for _time in range(2):
        response = client.post(
            "/pay/webhooks/card/",
            call.body,
            "application/json",
            headers={"Stripe-Signature": call.headers["Stripe-Signature"]},
        )
        assert response.status_code == 200
    assert state(card) == ("captured", "confirmed", "paid")
    assert card.order.paid_amount == 25


@pytest.mark.django_db
def test_stripe_event_of_another_shop_on_the_account_is_unmatched(client, card, fake_stripe):
    session = {"id": "cs_other", "payment_status": "paid", "amount_total": 100, "currency": "kes"}
    call = stripe_call(session_event("completed", {**session, "metadata": {"payment_id": "4711"}}))
    headers = {"Stripe-Signature": call.headers["Stripe-Signature"]}
    response = client.post("/pay/webhooks/card/", call.body, content_type="application/json", headers=headers)
    assert response.status_code == 200
    assert ProviderEvent.objects.get().outcome == "unmatched"
    assert state(card) == ("pending", "pending", "unpaid")


@pytest.mark.django_db
def test_stripe_refresh_recovers_a_lost_webhook(card, fake_stripe):
    fake_stripe.pay(card.provider_reference)
    payments.refresh(card)
    assert state(card) == ("captured", "confirmed", "paid")


@pytest.mark.django_db
def test_stripe_refund_is_sent_and_counted_once(card, fake_stripe):
    fake_stripe.pay(card.provider_reference)
    payments.refresh(card)
    (refund,) = payments.refund(card.order_id, amount=Decimal(10))
    assert (refund.status, [row["amount"] for row in fake_stripe.refunds]) == ("succeeded", [1000])
    provider = payment_provider("card")
    (read,) = provider.read_webhook(stripe_call(charge_event(card, 1000, "evt_9")))
    assert payments.apply_event("card", read).outcome == "ignored"
    card.order.refresh_from_db()
    assert card.order.refunded_amount == 10


def refund_event(kind, refund, status, event_id):
    metadata = {"refund_id": str(refund.public_id)}
    thing = {
        "id": refund.provider_reference,
        "object": "refund",
        "status": status,
        "metadata": metadata,
        "failure_reason": "unknown",
    }
    return {"id": event_id, "object": "event", "type": kind, "data": {"object": thing}}


@pytest.mark.django_db
def test_stripe_refund_that_fails_later_is_no_longer_counted(client, card, fake_stripe):
    fake_stripe.pay(card.provider_reference)
    payments.refresh(card)
    (refund,) = payments.refund(card.order_id)
    assert state(card)[2] == "refunded"
    for kind, status, event_id in (
        ("refund.updated", "succeeded", "evt_1"),
        ("refund.failed", "failed", "evt_2"),
        ("charge.refund.updated", "failed", "evt_3"),
        ("refund.failed", "failed", "evt_2"),
    ):
        call = stripe_call(refund_event(kind, refund, status, event_id))
        headers = {"Stripe-Signature": call.headers["Stripe-Signature"]}
        response = client.post("/pay/webhooks/card/", call.body, content_type="application/json", headers=headers)
        assert response.status_code == 200
    refund.refresh_from_db()
    assert state(card) == ("captured", "confirmed", "paid")
    assert (refund.status, refund.error, card.refunded_amount) == ("failed", "unknown", 0)
    assert card.order.events.filter(kind="refund_failed").count() == 1
    assert [row.status for row in payments.refund(card.order_id)] == ["succeeded"]


def charge_event(payment, refunded, event_id):
    metadata = {"payment_id": str(payment.public_id)}
    charge = {"id": "ch_1", "object": "charge", "amount_refunded": refunded, "currency": "kes", "metadata": metadata}
    return {"id": event_id, "object": "event", "type": "charge.refunded", "data": {"object": charge}}


@pytest.mark.django_db
def test_stripe_refunded_total_with_a_failed_refund_is_confirmed_first(card, fake_stripe):
    fake_stripe.pay(card.provider_reference)
    payments.refresh(card)
    (refund,) = payments.refund(card.order_id, amount=Decimal(10))
    provider = payment_provider("card")

    def apply(event):
        (read,) = provider.read_webhook(stripe_call(event))
        return payments.apply_event("card", read).outcome

    assert apply(refund_event("refund.failed", refund, "failed", "evt_1")) == "applied"
    fake_stripe.refunds[0]["status"] = "failed"
    assert apply(charge_event(card, 1000, "evt_2")) == "waiting"
    payments.reconcile()
    assert ProviderEvent.objects.get(provider_event_id="evt_2").outcome == "ignored"
    assert state(card)[2] == "paid"
    assert (card.order.refunded_amount, Refund.objects.count()) == (0, 1)

    fake_stripe.refund(f"pi_{card.provider_reference}", 700)
    assert apply(charge_event(card, 700, "evt_3")) == "waiting"
    payments.reconcile()
    assert state(card)[2] == "part_refunded"
    assert [(row.amount, row.status) for row in Refund.objects.order_by("id")] == [(10, "failed"), (7, "succeeded")]


@pytest.mark.django_db
@pytest.mark.parametrize("is_known", [True, False])
def test_stripe_dashboard_refund_is_matched_by_its_payment_intent(card, fake_stripe, is_known):
    fake_stripe.pay(card.provider_reference)
    payments.refresh(card)
    provider, intent = payment_provider("card"), f"pi_{card.provider_reference}"
    refund = fake_stripe.refund(intent, 1000)
    subject = {**refund, "payment_intent": intent if is_known else "pi_of_another_shop"}

    def apply(kind, event_id):
        event = {"id": event_id, "object": "event", "type": kind, "data": {"object": subject}}
        (read,) = provider.read_webhook(stripe_call(event))
        assert (read.refund_reference, read.payment_id) == ("re_0", str(card.public_id) if is_known else "")
        return payments.apply_event("card", read).outcome

    assert apply("refund.created", "evt_1") == ("waiting" if is_known else "unmatched")
    payments.reconcile()
    assert state(card)[2] == ("part_refunded" if is_known else "paid")
    subject |= {"status": "failed", "failure_reason": "unknown"}
    assert apply("refund.failed", "evt_2") == ("applied" if is_known else "unmatched")
    assert state(card)[2] == "paid"
    assert list(Refund.objects.values_list("status", "error")) == ([("failed", "unknown")] if is_known else [])


@pytest.mark.django_db
def test_stripe_query_about_a_dashboard_refund_is_repeated_by_the_next_call(client, card, fake_stripe):
    refund = fake_stripe.refund(f"pi_{card.provider_reference}", 1000)
    event = {"id": "evt_1", "object": "event", "type": "refund.created", "data": {"object": refund}}
    call = stripe_call(event)
    headers = {"Stripe-Signature": call.headers["Stripe-Signature"]}
    fake_stripe.refusal = STRIPE_REFUSALS[1]
    response = client.post("/pay/webhooks/card/", call.body, content_type="application/json", headers=headers)
    assert (response.status_code, ProviderEvent.objects.count()) == (503, 0)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("reported", "status", "payment_status"),
    [
        ("succeeded", "succeeded", "refunded"),
        ("failed", "failed", "paid"),
        ("canceled", "failed", "paid"),
        ("requires_action", "pending", "paid"),
    ],
)
def test_stripe_pending_refund_is_fetched(card, fake_stripe, reported, status, payment_status):
    fake_stripe.pay(card.provider_reference)
    payments.refresh(card)
    fake_stripe.refund_status = "pending"
    assert [row.status for row in payments.refund(card.order_id)] == ["pending"]
    fake_stripe.refunds[0]["status"] = reported
    Refund.objects.update(next_attempt_at=timezone.now())
    payments.reconcile()
    assert (Refund.objects.get().status, state(card)[2]) == (status, payment_status)


@pytest.mark.django_db
def test_stripe_session_of_a_cancelled_order_is_expired(card, fake_stripe):
    lifecycle.cancel(card.order_id)
    Payment.objects.update(next_check_at=timezone.now())
    payments.reconcile()
    assert fake_stripe.sessions[card.provider_reference]["status"] == "expired"
    assert state(card)[0] == "cancelled"


STRIPE_REFUSALS = [
    (400, {"error": {"type": "invalid_request_error", "code": "parameter_unknown"}}),
    (401, {"error": {"type": "invalid_request_error", "message": "Expired API Key provided"}}),
    (403, {"error": {"type": "invalid_request_error", "message": "The key has no access"}}),
    (404, {"error": {"type": "invalid_request_error", "code": "resource_missing"}}),
    (402, {"error": {"type": "card_error", "code": "card_declined"}}),
    (409, {"error": {"type": "idempotency_error"}}),
    (429, {"error": {"type": "invalid_request_error", "code": "rate_limit"}}),
    (500, {"error": {"type": "api_error"}}),
    (503, "<html><body>Bad gateway</body></html>"),
]


@pytest.mark.django_db
@pytest.mark.parametrize("refusal", STRIPE_REFUSALS)
def test_stripe_refused_fetch_leaves_payment_and_refund_unchanged(card, fake_stripe, refusal, make_due):
    fake_stripe.pay(card.provider_reference)
    fake_stripe.refusal = refusal
    Order.objects.update(expires_at=timezone.now())
    Payment.objects.update(next_check_at=timezone.now())
    assert (payments.reconcile(), payments.expire_due()) == (0, 0)
    assert state(card) == ("pending", "pending", "unpaid")
    with pytest.raises(ProviderUnavailable):
        payments.refresh(card)
    fake_stripe.refusal = None
    make_due()
    assert payments.expire_due() == 0
    assert state(card) == ("captured", "confirmed", "paid")
    fake_stripe.refusal = refusal
    assert [row.status for row in payments.refund(card.order_id)] == ["queued"]
    fake_stripe.refusal = None
    Refund.objects.update(next_attempt_at=timezone.now())
    payments.send_due_refunds()
    assert (state(card)[2], len(fake_stripe.refunds)) == ("refunded", 1)


@pytest.mark.django_db
def test_stripe_refund_is_not_repeated_after_its_idempotency_key_expired(card, fake_stripe):
    fake_stripe.pay(card.provider_reference)
    payments.refresh(card)
    (refund,) = payments.queue_refund(card.order_id, amount=Decimal(10))
    fake_stripe.refund(f"pi_{card.provider_reference}", 1000, refund_id=str(refund.public_id))
    assert payments.send_refund(refund.pk).provider_reference == "re_0"
    assert len(fake_stripe.refunds) == 1


@pytest.mark.django_db
def test_stripe_completed_session_that_is_unpaid_captures_nothing(card, fake_stripe):
    session = {**fake_stripe.sessions[card.provider_reference], "status": "complete"}
    (event,) = payment_provider("card").read_webhook(stripe_call(session_event("completed", session)))
    payments.apply_event("card", event)
    assert (event.kind, event.amount) == ("processing", None)
    assert state(card) == ("processing", "pending", "unpaid")
    session |= {"payment_status": "paid"}
    call = stripe_call(session_event("async_payment_succeeded", session, "evt_2"))
    payments.apply_event("card", *payment_provider("card").read_webhook(call))
    assert state(card) == ("captured", "confirmed", "paid")


CONVERTED = {
    "currency": "eur",
    "amount_total": 1700,
    "currency_conversion": {"amount_total": 2500, "fx_rate": "0.68", "source_currency": "kes"},
}
PRESENTED = {"presentment_details": {"presentment_amount": 1700, "presentment_currency": "eur"}}


@pytest.mark.django_db
@pytest.mark.parametrize("shown", [CONVERTED, PRESENTED])
@pytest.mark.parametrize("is_webhook_lost", [True, False])
def test_stripe_converted_amount_is_recorded_in_the_currency_of_the_order(card, fake_stripe, shown, is_webhook_lost):
    fake_stripe.sessions[card.provider_reference].update(shown)
    fake_stripe.pay(card.provider_reference)
    if is_webhook_lost:
        payments.refresh(card)
    else:
        call = stripe_call(session_event("completed", fake_stripe.sessions[card.provider_reference]))
        payments.apply_event("card", *payment_provider("card").read_webhook(call))
    assert state(card) == ("captured", "confirmed", "paid")
    assert (card.captured_amount, card.order.paid_amount) == (25, 25)
    payments.refund(card.order_id, amount=Decimal(10))
    assert [row["amount"] for row in fake_stripe.refunds] == [680 if shown is CONVERTED else 1000]
    fetched = payment_provider("card").fetch({}, reference=card.provider_reference)
    assert [(row.amount, row.refund_id) for row in fetched.refunds] == [(10, str(Refund.objects.get().public_id))]


def receipt_of(reference):
    return "NLJ7RT61" + reference[-1:].upper()


def mpesa_call(reference, *, code=0, amount="12", secret=MPESA["webhook_secret"], payment_id="x" * 36):
    metadata = {"Item": [{"Name": "Amount", "Value": float(amount)}, {"Name": "MpesaReceiptNumber"}]}
    metadata["Item"][1]["Value"] = receipt_of(reference)
    callback = {"MerchantRequestID": "1", "CheckoutRequestID": reference, "ResultCode": code, "ResultDesc": "Done"}
    if code == 0:
        callback["CallbackMetadata"] = metadata
    body = {"Body": {"stkCallback": callback}}
    request = RequestFactory().post("/", json.dumps(body), content_type="application/json")
    request.resolver_match = SimpleNamespace(kwargs={"secret": f"{secret}-{payment_id}"})
    return request


@pytest.fixture
def push(unpaid_order):
    return send_push(unpaid_order)


@pytest.mark.django_db
def test_mpesa_sends_a_push_to_the_phone(push, daraja):
    _method, path, body = daraja.calls[-1]
    assert path == "/mpesa/stkpush/v1/processrequest"
    assert (body["Amount"], body["PhoneNumber"], body["PartyB"]) == (12, "254712345678", "174379")
    assert body["TransactionType"] == "CustomerPayBillOnline"
    secret = f"{MPESA['webhook_secret']}-{push.public_id}"
    assert body["CallBackURL"] == f"https://shop.example.org/pay/webhooks/mpesa/{secret}/"
    assert len(body["AccountReference"]) <= 12
    assert push.instructions


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("result", "status", "payment_status"),
    [("0", "captured", "paid"), ("1032", "cancelled", "failed"), ("1", "failed", "failed")],
)
def test_mpesa_callback_is_confirmed_by_a_query(client, push, daraja, result, status, payment_status):
    daraja.results[push.provider_reference] = result
    body = mpesa_call(push.provider_reference, code=int(result)).body
    url = f"/pay/webhooks/mpesa/{MPESA['webhook_secret']}-{push.public_id}/"
    for _time in range(2):
        response = client.post(url, body, "application/json")
        assert (response.status_code, response.json()) == (200, {"ResultCode": 0, "ResultDesc": "Accepted"})
    assert (state(push)[0], state(push)[2]) == (status, payment_status)


@pytest.mark.django_db
def test_mpesa_forged_success_changes_nothing(client, push, daraja):
    url = f"/pay/webhooks/mpesa/{MPESA['webhook_secret']}-{push.public_id}/"
    assert client.post(url, mpesa_call(push.provider_reference).body, "application/json").status_code == 200
    assert state(push) == ("pending", "pending", "unpaid")
    wrong = url.replace("a-long-random-text", "guess")
    assert client.post(wrong, mpesa_call(push.provider_reference).body, "application/json").status_code == 400
    assert client.post("/pay/webhooks/mpesa/", b"{}", "application/json").status_code == 400
    assert client.post(url, b'{"Body": []}', "application/json").status_code == 400


@pytest.mark.django_db
def test_mpesa_wrong_amount_is_held(client, push, daraja):
    daraja.results[push.provider_reference] = "0"
    url = f"/pay/webhooks/mpesa/{MPESA['webhook_secret']}-{push.public_id}/"
    client.post(url, mpesa_call(push.provider_reference, amount="1").body, "application/json")
    assert state(push) == ("held", "pending", "unpaid")


@pytest.mark.django_db
def test_mpesa_refresh_recovers_a_lost_callback(push, daraja):
    daraja.results[push.provider_reference] = "0"
    payments.refresh(push)
    assert state(push) == ("captured", "confirmed", "paid")


@pytest.mark.django_db
@pytest.mark.parametrize("waits_as_result", [False, True])
def test_mpesa_payment_waits_until_the_customer_enters_the_pin(push, daraja, waits_as_result):
    daraja.waits_as_result = waits_as_result
    payments.refresh(push)
    assert state(push) == ("pending", "pending", "unpaid")


@pytest.fixture
def unpaid_order(place, shop_settings, daraja, book):
    book.sale_price = 12
    book.save()
    MPESA_OPTIONS.update(MPESA, api_base=daraja.url)
    backend = "shop_orders.payment_providers.Mpesa"
    shop_settings(PAYMENT_PROVIDERS={"mpesa": {"BACKEND": backend, "OPTIONS": MPESA_OPTIONS}})
    return place(provider="mpesa", quantity=1, contact=PHONE)


def send_push(order):
    return payments.start(order.pk, phone="0712 345 678", base_url="https://shop.example.org")


def call_back(client, payment, reference, **fields):
    url = f"/pay/webhooks/mpesa/{MPESA['webhook_secret']}-{payment.public_id}/"
    response = client.post(url, mpesa_call(reference, **fields).body, "application/json")
    assert response.status_code == 200


def private_events(order):
    return list(order.events.filter(is_public=False).order_by("id").values_list("kind", flat=True))


@pytest.mark.django_db
def test_mpesa_push_with_a_lost_response_is_not_sent_again(unpaid_order, daraja):
    daraja.loses_responses = True
    with pytest.raises(ProviderUnavailable):
        send_push(unpaid_order)
    daraja.loses_responses = False
    payment = send_push(unpaid_order)
    assert (payment.status, str(payment.instructions)) == ("pending", str(Mpesa.instructions))
    assert len(daraja.pushes) == Payment.objects.count() == 1


@pytest.mark.django_db
def test_mpesa_push_that_was_not_sent_is_retried_at_once(unpaid_order, daraja):
    daraja.error = (503, {"errorCode": "500.003.1001"})
    with pytest.raises(ProviderUnavailable):
        send_push(unpaid_order)
    daraja.error = None
    assert send_push(unpaid_order).provider_reference == "ws_CO_0"
    assert len(daraja.pushes) == Payment.objects.count() == 1


@pytest.mark.django_db
def test_mpesa_callback_of_a_push_with_a_lost_response_pays_the_order(client, unpaid_order, daraja):
    daraja.loses_responses = True
    with pytest.raises(ProviderUnavailable):
        send_push(unpaid_order)
    daraja.loses_responses, daraja.results["ws_CO_0"] = False, "0"
    payment = Payment.objects.get()
    call_back(client, payment, "ws_CO_0")
    assert state(payment) == ("captured", "confirmed", "paid")
    assert payment.provider_reference == "ws_CO_0"


@pytest.mark.django_db
def test_mpesa_second_payment_is_recorded_and_shown_to_staff(client, unpaid_order, daraja):
    first = send_push(unpaid_order)
    Payment.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    second = send_push(unpaid_order)
    assert (len(daraja.pushes), first.pk == second.pk) == (2, False)
    daraja.results.update({"ws_CO_0": "0", "ws_CO_1": "0"})
    call_back(client, first, "ws_CO_0")
    call_back(client, second, "ws_CO_1")
    unpaid_order.refresh_from_db()
    assert (unpaid_order.paid_amount, unpaid_order.refund_due) == (24, 12)
    assert private_events(unpaid_order) == ["refund_due"]
    assert Refund.objects.count() == 0
    payments.refund(unpaid_order.pk, amount=Decimal(12))
    unpaid_order.refresh_from_db()
    assert (unpaid_order.refunded_amount, unpaid_order.refund_due) == (12, 0)


@pytest.mark.django_db
def test_mpesa_push_that_was_paid_twice_makes_two_payments(client, unpaid_order, daraja):
    payment = send_push(unpaid_order)
    daraja.results.update({"ws_CO_0": "0", "ws_CO_7": "0"})
    call_back(client, payment, "ws_CO_0")
    for _time in range(2):
        call_back(client, payment, "ws_CO_7")
    unpaid_order.refresh_from_db()
    assert (unpaid_order.paid_amount, unpaid_order.refund_due) == (24, 12)
    assert private_events(unpaid_order) == ["paid_twice", "refund_due"]
    assert [(row.provider_reference, row.status) for row in Payment.objects.order_by("id")] == [
        ("ws_CO_0", "captured"),
        ("ws_CO_7", "captured"),
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("is_down", [False, True])
def test_mpesa_unconfirmed_callback_is_stored_and_applied_later(client, push, daraja, is_down, make_due):
    daraja.error = (503, {"errorCode": "500.003.1001"}) if is_down else None
    call_back(client, push, push.provider_reference)
    assert state(push) == ("pending", "pending", "unpaid")
    stored = ProviderEvent.objects.get()
    assert (stored.outcome, stored.kind, stored.amount, stored.receipt) == ("waiting", "captured", 12, "NLJ7RT610")
    daraja.error = None
    assert payments.reconcile() == 0
    daraja.results[push.provider_reference] = "0"
    assert payments.reconcile() == 0
    make_due()
    assert payments.reconcile() == 1
    assert state(push) == ("captured", "confirmed", "paid")
    assert private_events(push.order) == []
    stored.refresh_from_db()
    assert stored.outcome == "applied"


@pytest.mark.django_db
def test_mpesa_order_does_not_expire_while_a_callback_waits(client, push, daraja, make_due):
    call_back(client, push, push.provider_reference)
    Order.objects.update(expires_at=timezone.now())
    assert payments.expire_due() == 0
    daraja.results[push.provider_reference] = "1032"
    make_due()
    assert payments.expire_due() == 1
    assert state(push)[:2] == ("cancelled", "cancelled")


@pytest.mark.django_db
def test_mpesa_stored_callback_with_a_wrong_amount_is_held(client, push, daraja):
    call_back(client, push, push.provider_reference, amount="1")
    daraja.results[push.provider_reference] = "0"
    payments.reconcile()
    assert state(push) == ("held", "pending", "unpaid")
    assert private_events(push.order) == ["payment_held"]


@pytest.mark.django_db
@pytest.mark.parametrize(("amount", "events"), [("12", []), ("1", ["payment_held"])])
def test_mpesa_amount_is_checked_when_the_callback_follows_the_query(client, push, daraja, amount, events):
    daraja.results[push.provider_reference] = "0"
    payments.refresh(push)
    assert state(push) == ("captured", "confirmed", "paid")
    assert private_events(push.order) == ["payment_amount_unknown"]
    call_back(client, push, push.provider_reference, amount=amount)
    assert private_events(push.order) == ["payment_amount_unknown", *events]
    assert ProviderEvent.objects.get().outcome == ("held" if events else "ignored")


@pytest.mark.django_db
def test_mpesa_access_token_is_reused(push, daraja):
    payments.refresh(push)
    payments.refresh(push)
    assert [path for _method, path, _body in daraja.calls].count("/oauth/v1/generate") == 1


TOKEN_REFUSALS = [
    (404, {"requestId": "1", "errorCode": "404.001.03", "errorMessage": "Invalid Access Token"}),
    (400, {"requestId": "1", "errorCode": "400.003.01", "errorMessage": "Invalid Access Token"}),
    (401, {"requestId": "1", "errorCode": "404.001.04", "errorMessage": "Invalid Authentication Header"}),
    (401, ""),
    (401, "<html><body>Unauthorized</body></html>"),
]
REFUSED_QUERIES = [
    *TOKEN_REFUSALS,
    (200, ""),
    (200, "<html><body>A page of the gateway</body></html>"),
    (200, []),
    (200, {}),
    (200, {"ResponseCode": "1", "ResultCode": "1032", "ResultDesc": "Request cancelled by user"}),
    (200, {"ResponseCode": "1", "ResultCode": "0", "ResultDesc": "Done"}),
    (302, ""),
    (403, {"errorCode": "403.001.01"}),
    (403, "<html><body>Forbidden</body></html>"),
    (404, "<html><body>Not found</body></html>"),
    (400, {"errorCode": "400.002.02", "errorMessage": "Bad Request - Invalid CheckoutRequestID"}),
    (429, {"errorCode": "500.003.02", "errorMessage": "Spike arrest"}),
    (500, {"errorCode": "500.003.02"}),
    (503, "<html><body>Bad gateway</body></html>"),
]
"""Responses to a query that do not state the payment's status."""


@pytest.mark.parametrize(
    "error", [(200, {"ResultCode": "none"}), (200, {"ResultCode": "1", "CheckoutRequestID": "y"})]
)
@pytest.mark.django_db
def test_mpesa_unrelated_query_response_changes_nothing(push, daraja, error):
    daraja.error = error
    with pytest.raises(ProviderUnavailable):
        payments.refresh(push)
    assert state(push) == ("pending", "pending", "unpaid")


@pytest.mark.django_db
@pytest.mark.parametrize("refusal", TOKEN_REFUSALS)
def test_mpesa_refused_token_is_renewed_and_the_query_repeated(push, daraja, refusal):
    daraja.results[push.provider_reference] = "0"
    daraja.token, daraja.refusal = 2, refusal
    payments.refresh(push)
    assert state(push) == ("captured", "confirmed", "paid")
    assert [path.rsplit("/", 1)[1] for _method, path, _body in daraja.calls[-3:]] == ["query", "generate", "query"]


@pytest.mark.django_db
@pytest.mark.parametrize("refusal", REFUSED_QUERIES)
def test_mpesa_refused_query_leaves_the_payment_pending(client, push, daraja, refusal, make_due):
    call_back(client, push, push.provider_reference)
    daraja.error = refusal
    Order.objects.update(expires_at=timezone.now())
    Payment.objects.update(next_check_at=timezone.now())
    assert (payments.reconcile(), payments.expire_due()) == (0, 0)
    assert state(push) == ("pending", "pending", "unpaid")
    assert ProviderEvent.objects.get().outcome == "waiting"
    with pytest.raises(ProviderUnavailable):
        payments.refresh(push)
    daraja.error, daraja.results[push.provider_reference] = None, "0"
    make_due()
    assert (payments.expire_due(), state(push)) == (0, ("captured", "confirmed", "paid"))


@pytest.mark.django_db
@pytest.mark.parametrize("refusal", TOKEN_REFUSALS)
def test_mpesa_push_is_repeated_with_a_new_token(unpaid_order, daraja, refusal):
    Mpesa._tokens[daraja.url, "consumer"] = "token-0", time.monotonic() + 60
    daraja.refusal = refusal
    assert send_push(unpaid_order).provider_reference == "ws_CO_0"
    assert len(daraja.results) == 1


@pytest.mark.django_db
@pytest.mark.parametrize("trouble", ["no token is valid", "no token is given", "no connection", "too many requests"])
def test_mpesa_push_that_was_not_sent_is_sent_by_the_next_request(unpaid_order, daraja, trouble, monkeypatch):
    daraja.token = 0 if trouble == "no token is valid" else 1
    daraja.gives_tokens = trouble != "no token is given"
    if trouble == "too many requests":
        Mpesa._tokens[daraja.url, "consumer"] = "token-1", time.monotonic() + 60
        daraja.error = (429, {"errorCode": "500.003.02"})
    if trouble == "no connection":
        Mpesa._tokens["http://127.0.0.1:1", "consumer"] = "token-1", time.monotonic() + 60
        monkeypatch.setitem(MPESA_OPTIONS, "api_base", "http://127.0.0.1:1")
    with pytest.raises(ProviderUnavailable):
        send_push(unpaid_order)
    monkeypatch.setitem(MPESA_OPTIONS, "api_base", daraja.url)
    daraja.token, daraja.gives_tokens, daraja.error = 1, True, None
    assert send_push(unpaid_order).provider_reference == "ws_CO_0"
    assert Payment.objects.count() == len(daraja.results) == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    "response",
    [
        (200, {}),
        (200, ""),
        (200, {"ResponseCode": "0"}),
        (403, {"errorCode": "403.001.01"}),
        (404, "<html></html>"),
        (500, {"errorCode": "500.001.1001"}),
    ],
)
def test_mpesa_push_with_an_unclear_response_may_have_been_sent(unpaid_order, daraja, response):
    Mpesa._tokens[daraja.url, "consumer"] = "token-1", time.monotonic() + 60
    daraja.error = response
    with pytest.raises(ProviderUnavailable):
        send_push(unpaid_order)
    daraja.error = None
    assert state(send_push(unpaid_order)) == ("pending", "pending", "unpaid")
    assert daraja.results == {}


@pytest.mark.django_db
def test_mpesa_refused_push_is_declined(unpaid_order, daraja):
    Mpesa._tokens[daraja.url, "consumer"] = "token-1", time.monotonic() + 60
    daraja.error = (400, {"errorCode": "400.002.02", "errorMessage": "Bad Request - Invalid PhoneNumber"})
    with pytest.raises(PaymentDeclined):
        send_push(unpaid_order)
    assert Payment.objects.get().status == "failed"


@pytest.mark.parametrize("secrets", ["whsec_one", [], [""]])
def test_stripe_rejects_guessable_webhook_secrets(secrets):
    with pytest.raises(ImproperlyConfigured, match="webhook_secrets"):
        StripeCheckout(alias="card", api_key="sk_test", webhook_secrets=secrets)


@pytest.mark.parametrize("secret", ["", "short", "with/a/slash/in/the/middle", "a" * 15])
def test_mpesa_rejects_a_guessable_webhook_secret(secret):
    with pytest.raises(ImproperlyConfigured, match="at least 16"):
        Mpesa(alias="mpesa", **{**MPESA, "webhook_secret": secret})
