"""The demo's simulated M-Pesa, used with the shop's real client and its webhook."""

from __future__ import annotations

import threading
from decimal import Decimal
from urllib.parse import urlsplit

import pytest
from demo import daraja
from demo.models import MobileRequest, MobileTransfer
from django.test import Client
from django.urls import include, path
from shop_catalog import inventory, products
from shop_orders import carts, checkout, payments
from shop_orders.models import IncomingPayment, Payment
from shop_orders.payment_providers import Mpesa
from shop_orders.payments import candidates

pytestmark = pytest.mark.django_db(transaction=True)
OPTIONS = {
    "consumer_key": "demo",
    "consumer_secret": "demo",
    "short_code": "174379",
    "passkey": "demo",
    "webhook_secret": "a-long-random-text",
    "initiator": "demo",
    "initiator_secret": "demo",
    "site_url": "http://shop.example.org",
}


@pytest.fixture(scope="module")
def service():
    server = daraja.server("127.0.0.1", 0)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def order(service, settings, monkeypatch):
    """An unpaid order of 12 shillings. Reports are sent by ``run_late``, in the same thread; no request times out."""

    def report(calls):
        for url, body in calls:
            assert Client().post(urlsplit(url).path, body, "application/json").status_code == 200

    def later(function, *arguments, wait_seconds=0):
        if not wait_seconds:
            late.append((function, arguments))

    late = []
    monkeypatch.setattr(daraja, "_report", report)
    monkeypatch.setattr(daraja, "_later", later)
    Mpesa._tokens.clear()
    mpesa = {"BACKEND": "shop_orders.payment_providers.Mpesa", "OPTIONS": {**OPTIONS, "api_base": service}}
    providers = {**settings.SHOP_ORDERS["PAYMENT_PROVIDERS"], "mobile_money": mpesa}
    settings.SHOP_ORDERS = {**settings.SHOP_ORDERS, "PAYMENT_PROVIDERS": providers}
    settings.SITE_URL = "http://shop.example.org"
    products.create(sku="PEN", name="Pen", price=Decimal(12))
    inventory.receive({"PEN": 5}, reference="first")
    cart, _token = carts.add_to_cart("PEN")
    contact = checkout.Contact(email="guest@example.org", phone="0712 345 678")
    order = checkout.place_order(cart, contact=contact, provider="mobile_money", delivery="pickup")
    order.late = late
    daraja.register_shop()
    return order


def run_late(order):
    while order.late:
        function, arguments = order.late.pop(0)
        function(*arguments)
    order.refresh_from_db()
    return order.payment_status, order.paid_amount


def ring(order):
    payments.start(order.pk, phone="0712 345 678", base_url="http://shop.example.org")
    return MobileRequest.objects.latest("pk")


def test_pin_pays_the_order_once_although_it_is_reported_twice(order):
    request = ring(order)
    assert [row.account for row in daraja.waiting("254712345678")] == [order.number]
    for _time in range(2):
        daraja.answer_request(request, daraja.PAID)
    assert run_late(order) == ("paid", 12)
    assert IncomingPayment.objects.get().status == "duplicate"
    assert daraja.waiting() == []


@pytest.mark.parametrize("result", [daraja.CANCELLED, daraja.TIMED_OUT, daraja.WRONG_PIN])
def test_refusals_fail_the_payment(order, result):
    daraja.answer_request(ring(order), result)
    assert run_late(order) == ("failed", 0)


def test_payment_with_a_lost_report_is_found_by_the_status_query(order):
    daraja.answer_request(ring(order), daraja.PAID, is_lost=True)
    assert (run_late(order), order.late) == (("unpaid", 0), [])
    payments.refresh(Payment.objects.get())
    assert run_late(order) == ("paid", 12)


def test_request_without_a_response_times_out(order, monkeypatch):
    ring(order)
    monkeypatch.setattr(daraja, "RINGS_FOR", daraja.RINGS_FOR * 0)
    payments.refresh(Payment.objects.get())
    assert run_late(order) == ("failed", 0)


def test_money_by_hand_is_confirmed_and_pays_the_order(order):
    daraja.send_by_hand("254712345678", 12, order.number.lower())
    assert run_late(order) == ("paid", 12)
    daraja.send_by_hand("254712345678", 500, "rent")
    run_late(order)
    assert list(IncomingPayment.objects.order_by("pk").values_list("status", "reason")) == [
        ("recorded", ""),
        ("held", "no_order"),
    ]


class Urls:
    """The URLs of a demo."""

    urlpatterns = (path("demo/", include("demo.urls")), path("", include("config.urls")))


def test_handset_on_the_inbox_page(order, client, settings):
    settings.ROOT_URLCONF = Urls
    request = ring(order)
    page = client.get("/demo/inbox/").content.decode()
    assert f"account {order.number}?" in page
    assert (
        client.get("/demo/inbox/?to=%2B254799999999", headers={"Accept": "application/json"}).json()["requests"] == []
    )
    responses = [("pay", "12", daraja.WRONG_PIN), ("refuse", "", daraja.CANCELLED), ("lose", "1234", daraja.PAID)]
    for response, pin, result in responses:
        MobileRequest.objects.update(result="")
        order.late.clear()
        url = f"/demo/inbox/handset/{request.pk}/"
        assert client.post(url, {"answer": response, "pin": pin}).status_code == 302
        request.refresh_from_db()
        assert (request.result, bool(order.late)) == (result, response != "lose")
    assert client.get(url).status_code == 405
    assert client.post("/demo/inbox/handset/0/", {"answer": "pay", "pin": "1234"}).status_code == 404


def test_form_of_the_handset_sends_money_by_hand(order, client, settings):
    settings.ROOT_URLCONF = Urls
    for wrong in ({}, {"phone": "1", "amount": "5"}, {"phone": "254712345678", "amount": "0"}):
        assert client.post("/demo/inbox/pay-by-hand/", wrong).status_code == 302
    assert not MobileTransfer.objects.exists()
    fields = {"phone": "254712345678", "account": order.number, "amount": "12"}
    page = client.post("/demo/inbox/pay-by-hand/", fields, follow=True).content.decode()
    assert MobileTransfer.objects.get().receipt in page
    assert run_late(order) == ("paid", 12)


def test_money_to_a_till_has_no_order_and_waits_for_staff_with_its_candidates(order, client, settings):
    settings.ROOT_URLCONF = Urls
    providers = settings.SHOP_ORDERS["PAYMENT_PROVIDERS"]
    mpesa = providers["mobile_money"]
    options = {**mpesa["OPTIONS"], "kind": "till", "till_number": "5084320"}
    providers = {**providers, "mobile_money": {**mpesa, "OPTIONS": options}}
    settings.SHOP_ORDERS = {**settings.SHOP_ORDERS, "PAYMENT_PROVIDERS": providers}
    daraja.register_shop()
    page = client.get("/demo/inbox/").content.decode()
    assert ("till number 5084320" in page, 'name="account"' in page) == (True, False)
    client.post("/demo/inbox/pay-by-hand/", {"phone": "254712345678", "amount": "12", "account": order.number})
    assert MobileTransfer.objects.get().account == ""
    assert run_late(order) == ("unpaid", 0)
    held = IncomingPayment.objects.get()
    assert (held.reason, held.is_confirmed) == ("no_order", True)
    assert [candidate.matches for candidate in candidates.of(held)] == [["amount", "phone"]]
    payments.assign_incoming(held.pk, order.pk)
    order.refresh_from_db()
    assert order.payment_status == "paid"
