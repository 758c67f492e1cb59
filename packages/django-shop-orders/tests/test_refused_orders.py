"""A refused order shows the cart as it would be ordered: the same address, fee, delivery and total as a repetition."""

from decimal import Decimal

import pytest
from shop_orders import carts, checkout
from shop_orders.exceptions import CheckoutRefused, InsufficientStock, TotalChanged
from shop_orders.models import Order
from testproject.books.models import Book

pytestmark = pytest.mark.django_db

HOME = {"line1": "1 Test Road", "city": "Nairobi", "country": "KE"}
ABROAD = {"line1": "1 Test Road", "city": "Kampala", "country": "ug"}


@pytest.fixture
def priced(shop_settings, memory_provider):
    """Shipping depends on the country and the delivery, and paying on delivery costs a fee."""
    shipping = {"amount": "3.00", "countries": {"UG": "9.00"}}
    shop_settings(
        PRICING=[
            {"BACKEND": "shop_orders.pricing.flat_rate_shipping", "OPTIONS": shipping},
            "testproject.hooks.provider_fee",
            "testproject.hooks.express",
        ]
    )


@pytest.fixture
def cart(customer, book):
    cart, _token = carts.find_or_open(customer=customer)
    carts.add_item(cart, book.isbn, 2)
    return cart


@pytest.mark.parametrize(
    ("body", "total"),
    [
        ({}, "34.00"),
        ({"shipping_address": HOME}, "28.00"),
        ({"shipping_address": ABROAD}, "34.00"),
        ({"payment_provider": "on_delivery"}, "35.50"),
        ({"shipping_address": HOME, "payment_provider": "on_delivery", "delivery": "express"}, "39.50"),
    ],
)
def test_repetition_with_the_total_of_the_refusal_orders_what_it_showed(priced, cart, client, user, body, total):
    cart.customer.addresses.create(**{**ABROAD, "country": "UG"}, is_default=True)
    client.force_login(user)
    refused = client.post("/api/orders/orders/", {**body, "expected_total": "1.00"}, "application/json")
    assert refused.json()["code"] == "total_changed"
    shown = refused.json()["cart"]
    assert (refused.json()["total"], shown["total"]) == (total, total)
    placed = client.post("/api/orders/orders/", {**body, "expected_total": shown["total"]}, "application/json")
    assert placed.status_code == 201
    assert placed.json()["charges"] == shown["charges"]
    assert {name: placed.json()[name] for name in ("subtotal", "tax_total", "total")} == {
        name: shown[name] for name in ("subtotal", "tax_total", "total")
    }


def test_order_without_an_address_does_not_take_the_default_one(priced, cart):
    cart.customer.addresses.create(**{**ABROAD, "country": "UG"}, is_default=True)
    assert checkout.preview(cart, shipping_address={}).draft.total == 28
    order = checkout.place_order(cart, shipping_address={}, expected_total=Decimal(28))
    assert order.shipping_address == {}


@pytest.mark.parametrize("on_hand", [0, 1])
def test_stock_that_was_sold_meanwhile_is_shown(priced, cart, client, user, on_hand):
    Book.objects.update(on_hand=on_hand)
    client.force_login(user)
    problem = client.post("/api/orders/orders/", {"shipping_address": HOME}, "application/json").json()
    (line,) = problem["cart"]["lines"]
    assert (problem["code"], line["available"], line["changes"]) == ("insufficient_stock", on_hand, ["short"])
    assert (problem["cart"]["total"], problem["cart"]["can_be_ordered"]) == ("28.00", False)


def test_stock_that_is_sold_while_the_order_is_written_is_shown(cart, settings, shop_settings):
    options = settings.SHOP_ORDERS["PRODUCT_SOURCE"]["OPTIONS"]
    shop_settings(PRODUCT_SOURCE={"BACKEND": "testproject.hooks.RacingSource", "OPTIONS": options})
    with pytest.raises(InsufficientStock) as caught:
        checkout.place_order(cart)
    (line,) = caught.value.cart_view.lines
    assert (line.available, line.changes, caught.value.cart_view.can_be_ordered) == (1, ("short",), False)
    assert Order.objects.count() == 0


def test_refusal_of_a_validator_shows_the_cart_too(cart, shop_settings):
    rule = {"BACKEND": "shop_orders.validators.minimum_order_value", "OPTIONS": {"amount": "100"}}
    shop_settings(VALIDATORS=[rule])
    with pytest.raises(CheckoutRefused) as caught:
        checkout.place_order(cart)
    assert caught.value.cart_view.draft.total == 25


def test_preview_writes_nothing(priced, cart):
    checkout.preview(cart, shipping_address=HOME)
    with pytest.raises(TotalChanged):
        checkout.place_order(cart, shipping_address=HOME, expected_total=Decimal(1))
    cart.refresh_from_db()
    assert (cart.is_open, Order.objects.count()) == (True, 0)
