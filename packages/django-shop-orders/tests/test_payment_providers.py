import json
import time
from decimal import Decimal

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client, RequestFactory
from shop_orders import payments
from shop_orders.exceptions import InvalidWebhook
from shop_orders.models import Payment
from shop_orders.payment_providers import HostedTestProvider, signatures

SECRETS = ["new-secret", "old-secret"]


def signed_request(body, *, secret="new-secret", message_id="evt-1", timestamp=None, sign=None):
    timestamp = int(time.time()) if timestamp is None else timestamp
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    signature = sign or signatures.sign(secret, message_id=message_id, timestamp=timestamp, body=body)
    headers = {"webhook-id": message_id, "webhook-timestamp": str(timestamp), "webhook-signature": signature}
    return RequestFactory().post("/", body, content_type="application/json", headers=headers)


PAID = {"kind": "captured", "reference": "ref-1", "amount": "12.50", "currency": "KES"}


@pytest.mark.parametrize("secret", SECRETS)
def test_old_and_new_webhook_secrets_are_accepted(secret):
    provider = HostedTestProvider(alias="test", secrets=SECRETS)
    (event,) = provider.read_webhook(signed_request(PAID, secret=secret))
    assert (event.kind, event.amount, event.event_id) == ("captured", Decimal("12.50"), "evt-1")


@pytest.mark.parametrize(
    "request_",
    [
        signed_request(PAID, secret="wrong"),
        signed_request(PAID, timestamp=int(time.time()) - 301),
        signed_request(PAID, timestamp=int(time.time()) + 3600),
        signed_request(PAID, sign="v1,"),
        signed_request(PAID, sign="v1,AAAA"),
        signed_request(PAID, sign="ü"),
        signed_request(PAID, message_id=""),
        signed_request(b"not json"),
        signed_request({"kind": "captured"}),
        signed_request([1]),
        signed_request({**PAID, "kind": "given"}),
        signed_request({**PAID, "amount": "NaN"}),
        signed_request({**PAID, "amount": "much"}),
        RequestFactory().post("/", PAID, content_type="application/json"),
    ],
)
def test_forged_stale_and_malformed_webhooks_are_refused(request_):
    with pytest.raises(InvalidWebhook):
        list(HostedTestProvider(alias="test", secrets=SECRETS).read_webhook(request_))


def test_signature_covers_the_body():
    good = signed_request(PAID)
    forged = signed_request({**PAID, "amount": "0.01"}, sign=good.headers["webhook-signature"])
    with pytest.raises(InvalidWebhook):
        list(HostedTestProvider(alias="test", secrets=SECRETS).read_webhook(forged))


@pytest.fixture
def hosted(place, shop_settings):
    shop_settings(
        PAYMENT_PROVIDERS={
            "test": {"BACKEND": "shop_orders.payment_providers.HostedTestProvider", "OPTIONS": {"secrets": SECRETS}}
        }
    )
    order = place(provider="test")
    return payments.start(order.pk, base_url="http://testserver", return_url="http://testserver/done/")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("choice", "status", "payment_status"),
    [
        ("pay", "confirmed", "paid"),
        ("authorise", "pending", "authorised"),
        ("refuse", "pending", "failed"),
        ("lose", "pending", "unpaid"),
    ],
)
def test_each_button_of_the_hosted_page_sets_its_status(client, hosted, choice, status, payment_status):
    page = client.get(hosted.redirect_url)
    assert page.status_code == 200
    assert "25.00 KES" in page.content.decode()
    response = client.post(hosted.redirect_url, {"choice": choice})
    assert (response.status_code, response["Location"]) == (302, "http://testserver/done/")
    order = Payment.objects.get().order
    assert (order.status, order.payment_status) == (status, payment_status)


@pytest.mark.django_db
def test_refresh_recovers_a_lost_webhook(client, hosted):
    client.post(hosted.redirect_url, {"choice": "lose"})
    payments.refresh(Payment.objects.get())
    assert Payment.objects.get().order.payment_status == "paid"


@pytest.mark.django_db
def test_hosted_page_does_not_redirect_to_another_host(client, hosted):
    payments.add_data(hosted.pk, return_url="https://evil.example.org/")
    response = client.post(hosted.redirect_url, {"choice": "pay"})
    assert response.status_code == 200


@pytest.mark.django_db
def test_hosted_page_returns_to_an_odd_address_of_this_site(client, hosted):
    payments.add_data(hosted.pk, return_url="NaN")
    assert client.post(hosted.redirect_url, {"choice": "pay"}).status_code == 302


def test_hosted_page_needs_csrf_and_a_known_button(hosted):
    assert Client(enforce_csrf_checks=True).post(hosted.redirect_url, {"choice": "pay"}).status_code == 403
    assert Client().post(hosted.redirect_url, {"choice": "steal"}).status_code == 400
    assert Payment.objects.get().order.payment_status == "unpaid"


@pytest.mark.django_db
def test_webhook_url_applies_only_signed_requests(hosted):
    client = Client(enforce_csrf_checks=True)
    body = json.dumps({**PAID, "reference": hosted.provider_reference, "amount": "25.00"}).encode()
    assert client.post("/pay/webhooks/test/", body, "application/json").status_code == 400
    assert client.post("/pay/webhooks/gold/", body, "application/json").status_code == 404
    assert client.get("/pay/webhooks/test/").status_code == 405
    assert Payment.objects.get().status == "pending"
    signed = signed_request(body)
    headers = {name: signed.headers[name] for name in ("webhook-id", "webhook-timestamp", "webhook-signature")}
    for _time in range(2):
        assert client.post("/pay/webhooks/test/", body, "application/json", headers=headers).status_code == 200
    assert Payment.objects.get().order.paid_amount == 25


@pytest.mark.parametrize("secrets", ["whsec_one", [], [""], ["good", " "], [None]])
def test_invalid_secrets_are_refused(secrets):
    with pytest.raises(ImproperlyConfigured, match='"secrets" must be a list of secrets, none of them empty'):
        HostedTestProvider(alias="test", secrets=secrets)
