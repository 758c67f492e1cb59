from __future__ import annotations

import re
from decimal import Decimal

import pytest
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from shop_catalog import inventory, products
from shop_notify.models import Notification
from shop_orders import customers, form_tokens
from shop_orders.models import Order
from shop_orders.payment_providers import HostedTestProvider, Needs
from storefront import shipping

from .conftest import GUEST, Visitor

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("atomic_requests")]


def test_a_guest_buys(visitor, mug):
    visitor.add("MUG", 2)
    text = visitor.enter_details()
    assert visitor.path == "/checkout/review/"
    assert "+254712345678" in text
    assert "KSh\N{NO-BREAK SPACE}2,250.00" in text  # two mugs and the delivery
    text = visitor.place()
    assert "Thank you for your order" in text
    order = Order.objects.get()
    assert (order.total, order.status, order.email) == (Decimal("2250.0000"), "confirmed", "guest@example.org")
    assert order.shipping_address["line1"] == "Riverside Drive 12"
    mug.refresh_from_db()
    assert mug.available_quantity == 8
    assert Notification.objects.filter(reference=order.number, audience="customer").count() == 2
    assert not mail.outbox


def test_the_cart_is_empty_afterwards_and_a_new_one_begins(visitor, mug):
    visitor.buy("MUG")
    assert "Nothing in it yet" in visitor.get("/cart/")
    visitor.add("MUG")
    assert "Market mug" in visitor.get("/cart/")


def test_a_customer_buys_and_keeps_the_address(customer, mug):
    order = customer.buy("MUG", save_address="on")
    assert customer.path == f"/orders/{order.number}/thanks/"
    assert "token=" not in customer.page.request["QUERY_STRING"]
    assert [row.line1 for row in order.customer.addresses.all()] == ["Riverside Drive 12"]
    kept = order.customer.addresses.get()
    again = customer.buy("MUG", address=str(kept.public_id), line1="", city="")
    assert again.shipping_address["line1"] == "Riverside Drive 12"


def test_collection_needs_no_address_and_costs_nothing(visitor, mug):
    order = visitor.buy("MUG", delivery="pickup", line1="", city="")
    assert order.shipping_address == {}
    assert order.total == Decimal(950)


def test_delivery_is_free_from_a_sum(visitor, mug):
    assert visitor.buy("MUG", 6).total == Decimal(5700)


def test_missing_values_are_reported_at_their_fields(visitor, mug):
    visitor.add("MUG")
    text = visitor.enter_details(email="nonsense", phone="12", line1="", payment="gold", delivery="rocket")
    assert visitor.path == "/checkout/"
    for name in ("email", "phone", "payment", "delivery"):
        assert f'id="id_{name}_error"' in text
    text = visitor.enter_details(line1="", name="")
    assert 'id="id_line1_error"' in text
    assert 'value="Nairobi"' in text
    assert not Order.objects.exists()


def test_what_a_payment_method_needs_is_asked_for_at_its_field(visitor, mug, settings, monkeypatch):
    monkeypatch.setattr(HostedTestProvider, "needs", Needs(phone=True, minimum=Decimal(5000)))
    provider = {"BACKEND": "hosted_test", "OPTIONS": {"secrets": ["x" * 32]}}
    bank = {"BACKEND": "bank_transfer", "OPTIONS": {"account": "KE12"}}
    settings.SHOP_ORDERS = {**settings.SHOP_ORDERS, "PAYMENT_PROVIDERS": {"bank": bank, "card": provider}}
    visitor.add("MUG", 2)
    assert "takes amounts from 5000.00 KES" in visitor.get("/checkout/")
    text = visitor.enter_details(payment="card")
    assert visitor.path == "/checkout/"
    assert 'id="id_payment_error"' in text
    monkeypatch.setattr(HostedTestProvider, "needs", Needs(phone=True))
    text = visitor.enter_details(payment="card", phone="")
    assert visitor.path == "/checkout/"
    assert "Enter a phone number: Test payment needs it." in text
    visitor.enter_details(payment="card")
    assert visitor.path == "/checkout/review/"
    assert not Order.objects.exists()


def test_order_by_the_api_pays_for_its_delivery_as_by_the_pages(visitor, mug):
    api = Client()
    added = api.post("/api/v1/orders/cart/add_item/", {"product": "MUG", "quantity": 2}, "application/json")
    assert added.json()["can_be_ordered"]  # the delivery is chosen at checkout
    address = {"line1": "Riverside Drive 12", "city": "Nairobi", "country": "KE"}

    def place(**choices):
        body = {"contact": {"email": "guest@example.org"}, "payment_provider": "on_delivery", **choices}
        headers = {"X-Cart-Token": added.headers["X-Cart-Token"]}
        return api.post("/api/v1/orders/orders/", body, "application/json", headers=headers)

    for choices in ({"shipping_address": address}, {"delivery": "rocket"}, {"delivery": "home"}):
        refused = place(**choices)
        assert (refused.status_code, refused.json()["code"]) == (409, "checkout_refused")
    assert not Order.objects.exists()
    placed = place(delivery="home", shipping_address=address).json()
    visitor.add("MUG", 2)
    visitor.enter_details(delivery="home")
    visitor.place()
    assert Order.objects.latest("pk").total == Decimal(placed["total"]) == 2250


def test_a_double_click_gives_one_order(visitor, mug):
    visitor.add("MUG")
    visitor.enter_details()
    sent = visitor.placing()
    first = visitor.place(sent).count("Thank you for your order")
    second = visitor.place(sent).count("Thank you for your order")
    assert first == second > 0
    assert Order.objects.count() == 1


def test_two_tabs_check_out_one_cart_once(visitor, mug):
    visitor.add("MUG")
    visitor.enter_details()
    one = visitor.placing()
    visitor.get("/checkout/review/")
    other = visitor.placing()
    visitor.place(one)
    visitor.add("MUG", 3)
    visitor.get("/cart/")
    visitor.place(other)
    assert Order.objects.count() == 1
    mug.refresh_from_db()
    assert mug.available_quantity == 9


def test_two_tabs_of_a_customer_lead_to_the_same_order(customer, mug):
    customer.add("MUG")
    customer.enter_details()
    sent = customer.placing()
    customer.place(sent)
    number = Order.objects.get().number
    customer.add("MUG", 3)
    customer.place(sent)
    assert customer.path == f"/orders/{number}/thanks/"
    assert Order.objects.count() == 1


def test_a_price_that_changed_is_shown_before_anything_is_ordered(visitor, mug):
    visitor.add("MUG")
    visitor.enter_details()
    sent = visitor.placing()
    products.set_price(mug, price=Decimal(1000))
    text = visitor.place(sent)
    assert "the total is now KSh\N{NO-BREAK SPACE}1,350.00" in text
    assert visitor.path == "/checkout/review/"
    assert not Order.objects.exists()
    visitor.place()
    assert Order.objects.get().total == Decimal(1350)


def test_details_that_changed_in_another_tab_are_shown_before_anything_is_ordered(visitor, mug):
    visitor.add("MUG")
    visitor.enter_details(delivery="home")
    sent = visitor.placing()
    visitor.enter_details(delivery="home", line1="Another road 9")
    text = visitor.place(sent)
    assert "Your cart or your details were changed in another window." in text
    assert "Another road 9" in text
    assert not Order.objects.exists()
    visitor.place()
    assert Order.objects.get().shipping_address["line1"] == "Another road 9"


@pytest.mark.parametrize("total", ["", "1e999999", "NaN", "-1300.00", "1300.00001", "\uff11\uff13\uff10\uff10"])
def test_an_invalid_total_orders_nothing(visitor, mug, total):
    visitor.add("MUG")
    visitor.enter_details()
    visitor.place({**visitor.placing(), "expected_total": total})
    assert visitor.path == "/checkout/review/"
    assert not Order.objects.exists()


def test_collecting_customer_s_order_has_the_total_and_address_of_the_review(customer, user, mug):
    own = customers.for_user(user)
    customers.set_addresses(own, [{"line1": "Moi Avenue 1", "city": "Nairobi", "country": "KE"}])
    customer.add("MUG")
    customer.enter_details(delivery="pickup")
    customer.place()
    order = Order.objects.get()
    assert (order.shipping_address, order.delivery) == ({}, "pickup")


def test_payment_method_that_was_removed_meanwhile_is_chosen_again(visitor, mug, settings):
    visitor.add("MUG")
    visitor.enter_details()
    sent = visitor.placing()
    bank = {"BACKEND": "shop_orders.payment_providers.BankTransfer", "OPTIONS": {"account": "Test Bank, 1"}}
    settings.SHOP_ORDERS = {**settings.SHOP_ORDERS, "PAYMENT_PROVIDERS": {"bank": bank}}
    visitor.get("/checkout/review/")
    assert visitor.path == "/checkout/"
    visitor.place(sent)
    assert visitor.path == "/checkout/"
    assert not Order.objects.exists()


def test_product_that_sold_out_meanwhile_is_named(visitor, mug):
    visitor.add("MUG", 2)
    visitor.enter_details()
    sent = visitor.placing()
    inventory.adjust({"MUG": -9}, reason="breakage")
    text = visitor.place(sent)
    assert "Only 1 of Market mug is left." in text
    assert visitor.path == "/cart/"
    assert not Order.objects.exists()


def test_product_that_is_no_longer_sold_is_named(visitor, mug):
    visitor.add("MUG")
    visitor.enter_details()
    sent = visitor.placing()
    products.change(mug, is_active=False)
    assert "No longer on sale: Market mug." in visitor.place(sent)
    assert not Order.objects.exists()


def test_nobody_orders_somebody_else_s_cart(visitor, mug):
    visitor.add("MUG")
    visitor.enter_details()
    sent = visitor.placing()
    thief = Visitor(Client())
    thief.place(sent)
    assert thief.path == "/cart/"
    assert not Order.objects.exists()


@pytest.mark.parametrize("cart", ["", "nonsense", "00000000-0000-0000-0000-000000000000", "\0"])
def test_an_invalid_cart_orders_nothing(visitor, mug, cart):
    visitor.add("MUG")
    visitor.enter_details()
    visitor.place({"cart": cart, "expected_total": "1300.00"})
    assert visitor.path == "/cart/"
    assert not Order.objects.exists()


@pytest.mark.parametrize("path", ["/checkout/", "/checkout/review/"])
def test_there_is_no_checkout_without_a_cart(visitor, db, path):
    visitor.get(path)
    assert visitor.path == "/cart/"


def test_the_review_needs_the_details_first(visitor, mug):
    visitor.add("MUG")
    visitor.get("/checkout/review/")
    assert visitor.path == "/checkout/"


def test_the_details_are_kept_when_one_goes_back(visitor, mug):
    visitor.add("MUG")
    visitor.enter_details()
    assert 'value="Riverside Drive 12"' in visitor.get("/checkout/")


def test_guests_are_sent_to_the_log_in_where_they_may_not_order(visitor, mug, settings):
    settings.SHOP_ORDERS = {**settings.SHOP_ORDERS, "GUEST_CHECKOUT": False}
    visitor.add("MUG")
    visitor.get("/checkout/")
    assert visitor.path == "/accounts/login/"


def test_too_many_unpaid_orders_are_refused(visitor, mug, settings):
    settings.SHOP_ORDERS = {**settings.SHOP_ORDERS, "MAX_UNPAID_ORDERS": 1, "PAYMENT_PROVIDERS": {"bank": BANK}}
    visitor.buy("MUG", payment="bank")
    visitor.add("MUG")
    visitor.enter_details(payment="bank")
    assert "Too many orders are waiting for payment" in visitor.place()
    assert Order.objects.count() == 1


BANK = {
    "BACKEND": "shop_orders.payment_providers.BankTransfer",
    "OPTIONS": {"account": "Test Bank, 0123456789", "days": 3},
}
TEST = {
    "BACKEND": "shop_orders.payment_providers.HostedTestProvider",
    "OPTIONS": {"secrets": ["c2VjcmV0LXNlY3JldC1zZWNyZXQ="]},
}


def test_a_bank_transfer_says_where_to_send_the_money(visitor, mug, settings):
    settings.SHOP_ORDERS = {**settings.SHOP_ORDERS, "PAYMENT_PROVIDERS": {"bank": BANK}}
    order = visitor.buy("MUG", payment="bank")
    assert visitor.path == f"/orders/{order.number}/thanks/"
    assert "Test Bank, 0123456789" in visitor.text
    assert "is still to be paid" in visitor.text
    token = visitor.page.wsgi_request.GET["token"]
    visitor.post(f"/orders/{order.number}/pay/", payment="bank", token=token)
    assert "Test Bank, 0123456789" in visitor.text
    assert order.payments.count() == 1


def test_paying_on_the_provider_s_page_confirms_the_order(visitor, mug, settings):
    settings.SHOP_ORDERS = {**settings.SHOP_ORDERS, "PAYMENT_PROVIDERS": {"test": TEST}}
    order = visitor.buy("MUG", payment="test")
    visitor.post(visitor.path, payment="test", token=visitor.page.wsgi_request.GET["token"])
    assert visitor.path.startswith("/payments/test/")
    text = visitor.post(visitor.path, choice="pay")
    assert visitor.path == f"/orders/{order.number}/thanks/"
    assert "Your payment arrived" in text
    order.refresh_from_db()
    assert (order.status, order.payment_status) == ("confirmed", "paid")


def test_a_payment_form_that_is_sent_again_by_the_back_button_starts_no_second_payment(visitor, mug, settings):
    settings.SHOP_ORDERS = {**settings.SHOP_ORDERS, "PAYMENT_PROVIDERS": {"test": TEST}}
    order = visitor.buy("MUG", payment="test")
    page, url = visitor.text, visitor.path
    form_token = re.search(r'name="form_token" value="([^"]+)"', page)[1]
    sent = {"payment": "test", "token": visitor.page.wsgi_request.GET["token"], "form_token": form_token}
    visitor.post(url, **sent)
    assert visitor.path.startswith("/payments/test/")
    visitor.post(visitor.path, choice="refuse")
    assert "The payment did not go through." in visitor.post(url, **sent)
    assert visitor.path == f"/orders/{order.number}/thanks/"
    assert order.payments.count() == 1
    visitor.post(url, **{**sent, "form_token": form_tokens.new_token()})
    assert order.payments.count() == 2


@pytest.mark.parametrize("alias", ["\0", "gold", "x" * 300, "on_delivery"])
def test_a_payment_method_that_is_not_offered_is_refused(visitor, mug, settings, alias):
    settings.SHOP_ORDERS = {
        **settings.SHOP_ORDERS,
        "PAYMENT_PROVIDERS": {"test": TEST, **settings.SHOP_ORDERS["PAYMENT_PROVIDERS"]},
    }
    order = visitor.buy("MUG", payment="test")
    text = visitor.post(visitor.path, payment=alias, token=visitor.page.wsgi_request.GET["token"])
    assert "This payment method is no longer offered." in text
    order.refresh_from_db()
    assert (order.payment_provider, order.status, order.payments.count()) == ("test", "pending", 0)


def test_a_refused_payment_can_be_tried_again(visitor, mug, settings):
    settings.SHOP_ORDERS = {**settings.SHOP_ORDERS, "PAYMENT_PROVIDERS": {"test": TEST}}
    order = visitor.buy("MUG", payment="test")
    token = visitor.page.wsgi_request.GET["token"]
    visitor.post(visitor.path, payment="test", token=token)
    assert "The payment did not go through." in visitor.post(visitor.path, choice="refuse")
    assert "choose another way" in visitor.get(f"/orders/{order.number}/pay/?token={token}")
    visitor.post(visitor.path, payment="test", token=token)
    visitor.post(visitor.path, choice="pay")
    order.refresh_from_db()
    assert order.payment_status == "paid"


def test_a_payment_whose_webhook_was_lost_is_recorded_when_the_buyer_returns(visitor, mug, settings):
    settings.SHOP_ORDERS = {**settings.SHOP_ORDERS, "PAYMENT_PROVIDERS": {"test": TEST}}
    order = visitor.buy("MUG", payment="test")
    visitor.post(visitor.path, payment="test", token=visitor.page.wsgi_request.GET["token"])
    visitor.post(visitor.path, choice="lose")
    order.refresh_from_db()
    assert order.payment_status == "paid"


def test_an_order_by_another_payment_method_that_is_unknown_is_refused(visitor, mug):
    assert GUEST["payment"] == "on_delivery"
    order = visitor.buy("MUG")
    token = visitor.page.wsgi_request.GET["token"]
    text = visitor.post(f"/orders/{order.number}/pay/", payment="gold", token=token)
    assert "This payment method is no longer offered." in text


def test_a_payment_that_is_reserved_is_not_asked_for_again(visitor, mug, settings):
    settings.SHOP_ORDERS = {**settings.SHOP_ORDERS, "PAYMENT_PROVIDERS": {"test": TEST}}
    order = visitor.buy("MUG", payment="test")
    token = visitor.page.wsgi_request.GET["token"]
    visitor.post(visitor.path, payment="test", token=token)
    assert "Your payment is reserved" in visitor.post(visitor.path, choice="authorise")
    assert "Pay now" not in visitor.text
    visitor.get(f"/orders/{order.number}/pay/?token={token}")
    assert visitor.path == f"/orders/{order.number}/thanks/"


def test_a_delivery_option_without_a_price_is_not_free_by_accident(settings):
    settings.SHOP_DELIVERY = {"home": {"label": "Home delivery"}}
    with pytest.raises(ImproperlyConfigured, match=r'SHOP_DELIVERY\["home"\] has no "price"'):
        shipping.choices()
