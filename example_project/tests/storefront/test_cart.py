from __future__ import annotations

import re
from decimal import Decimal

import pytest
from django.test import Client
from shop_catalog import inventory, products
from shop_orders.models import Cart, CartItem

from .conftest import Visitor

pytestmark = pytest.mark.django_db


def test_looking_around_opens_no_cart(visitor, mug):
    visitor.get("/")
    visitor.get("/cart/")
    assert "Nothing in it yet" in visitor.text
    assert not Cart.objects.exists()


def test_a_guest_keeps_the_cart_by_a_cookie(visitor, mug):
    assert "Market mug is in your cart." in visitor.add("MUG", 2)
    assert visitor.client.cookies["shop_cart"]["httponly"]
    assert "Market mug" in visitor.get("/cart/")
    assert "Market mug" not in Visitor(Client()).get("/cart/")


def test_more_of_the_same_adds_up(visitor, mug):
    visitor.add("MUG", 2)
    visitor.add("MUG", 3)
    assert CartItem.objects.get().quantity == 5


@pytest.mark.parametrize("quantity", ["0", "-1", "1.5", "99999999999", "abc"])
def test_invalid_quantities_add_at_most_one(visitor, mug, quantity):
    visitor.add("MUG", quantity)
    assert [item.quantity for item in CartItem.objects.all()] in ([], [1])
    assert visitor.page.status_code == 200


@pytest.mark.parametrize("sku", ["", "NOTHING", "\0", "SHIRT", "x" * 300])
def test_product_that_is_not_for_sale_cannot_be_added(visitor, shirt, sku):
    visitor.add(sku)
    assert visitor.page.status_code == 200
    assert not CartItem.objects.exists()


def test_more_than_the_stock_cannot_be_added(visitor, mug):
    text = visitor.post("/cart/add/", product="MUG", quantity=11, back="/product/market-mug/")
    assert "Only 10 of Market mug are left." in text
    assert visitor.path == "/product/market-mug/"
    assert not CartItem.objects.exists()


def test_an_error_never_leads_to_a_foreign_page(visitor, mug):
    response = visitor.client.post("/cart/add/", {"product": "NOTHING", "back": "https://example.com/"})
    assert response.headers["Location"] == "/cart/"


def test_quantity_is_changed_and_zero_removes_the_line(visitor, mug):
    visitor.add("MUG")
    assert "KSh\N{NO-BREAK SPACE}3,800.00" in visitor.post("/cart/change/", product="MUG", quantity=4)
    visitor.post("/cart/change/", product="MUG", quantity=0)
    assert not CartItem.objects.exists()


def test_a_line_is_removed_by_its_button(visitor, mug):
    visitor.add("MUG")
    assert "Market mug was removed." in visitor.post("/cart/change/", product="MUG", name="Market mug", remove="1")
    assert not CartItem.objects.exists()


def test_a_new_price_is_shown(visitor, mug):
    visitor.add("MUG")
    products.set_price(mug, price=Decimal(990))
    assert "it was KSh\N{NO-BREAK SPACE}950.00" in visitor.get("/cart/")
    assert "Go to checkout" in visitor.text


def test_less_stock_is_shown_and_stops_the_checkout(visitor, mug):
    visitor.add("MUG", 5)
    inventory.adjust({"MUG": -7}, reason="breakage")
    text = visitor.get("/cart/")
    assert "Only 3 are left." in text
    assert "Go to checkout" not in text
    visitor.get("/checkout/")
    assert visitor.path == "/cart/"


def test_a_product_that_is_gone_is_shown(visitor, mug):
    visitor.add("MUG")
    products.change(mug, is_active=False)
    assert "This is no longer on sale." in visitor.get("/cart/")


def test_htmx_gets_a_note_and_the_new_count(visitor, mug):
    response = visitor.client.post("/cart/add/", {"product": "MUG", "quantity": 2}, headers={"HX-Request": "true"})
    text = response.content.decode()
    assert "Market mug is in your cart." in text
    assert 'hx-swap-oob="true"' in text
    assert "<html" not in text
    assert "shop_cart" in response.cookies


def test_the_guest_s_cart_is_merged_at_log_in(visitor, mug, user):
    visitor.add("MUG", 2)
    visitor.post("/accounts/login/", login=user.email, password="a-long-and-odd-one-42")
    assert visitor.path == "/account/"
    assert "Market mug" in visitor.get("/cart/")
    assert [item.quantity for item in CartItem.objects.filter(cart__customer__user=user)] == [2]


@pytest.mark.parametrize("path", ["/cart/add/", "/cart/change/", "/cart/clear/", "/checkout/place/"])
def test_nothing_is_changed_by_get(visitor, path):
    assert visitor.client.get(path).status_code == 405


def log_in(visitor, user):
    return visitor.post("/accounts/login/", login=user.email, password="a-long-and-odd-one-42")


def test_a_merge_at_log_in_says_what_changed(visitor, customer, mug, shirt, user):
    customer.add("MUG", 1)
    visitor.add("MUG", 2)
    visitor.add("SHIRT-L")

    text = log_in(visitor, user)

    assert "Market mug was already in your cart: the quantity is now 3 instead of 1." in text
    assert re.search(r"Acacia shirt[^<]* was added to your cart\.", text)
    assert sorted(CartItem.objects.filter(cart__customer__user=user).values_list("product_ref", "quantity")) == [
        ("MUG", 3),
        ("SHIRT-L", 1),
    ]


def test_a_log_in_without_a_cart_says_nothing(visitor, customer, mug, user):
    customer.add("MUG", 1)

    assert "your cart" not in log_in(visitor, user).replace("in your cart", "")


def test_a_merged_quantity_above_the_limit_is_reported(visitor, customer, mug, user, settings):
    settings.SHOP_ORDERS = {**settings.SHOP_ORDERS, "MAX_QUANTITY": 4}
    customer.add("MUG", 3)
    visitor.add("MUG", 3)

    assert "Your cart has 4 of Market mug, the most that one order can have." in log_in(visitor, user)


def test_tax_is_shown_by_its_rate_below_the_total(visitor, mug, settings):
    tax = {"BACKEND": "shop_orders.pricing.flat_rate_tax", "OPTIONS": {"rate": "0.075"}}
    settings.SHOP_ORDERS = {**settings.SHOP_ORDERS, "PRICING": [tax]}
    visitor.add("MUG", 2)
    text = visitor.get("/cart/")
    assert "Tax, included 7.5\u00a0%</dt><dd" in text
    assert "KSh\u00a0132.56" in text
    assert text.index("KSh\u00a01,900.00</dd> <dt") < text.index("KSh\u00a0132.56")


def test_a_tax_that_fails_is_reported_without_its_details(visitor, mug, settings):
    """The cart is shown and can be changed, but not ordered."""
    visitor.add("MUG", 2)
    wrong = {"BACKEND": "shop_orders.pricing.flat_rate_tax", "OPTIONS": {"rate": "-0.16"}}
    settings.SHOP_ORDERS = {**settings.SHOP_ORDERS, "PRICING": [wrong]}
    text = visitor.get("/cart/")
    assert "Market mug" in text
    assert "The total cannot be computed at the moment. Please contact us." in text
    assert "flat_rate_tax" not in text
    assert "Go to checkout" not in text
    visitor.get("/checkout/")
    assert visitor.path == "/cart/"


@pytest.mark.parametrize(
    "back", ["NaN", "a\0b", "9" * 400, "shop_orders_pages:order", "//evil.example.org/", "/search/"]
)
def test_a_refused_product_leads_back_to_a_page_of_the_shop(visitor, mug, back):
    visitor.post("/cart/add/", product="MUG", quantity=5000, back=back)
    assert visitor.page.status_code == 200
    assert visitor.path == ("/search/" if back == "/search/" else "/cart/")
