"""The checkbox in the checkout with which a customer agrees to a reminder of the cart."""

import re
from datetime import timedelta

import pytest
from django.conf import settings as project
from django.utils import translation
from shop_orders.contrib.pages.signals import order_link_asked
from shop_orders.models import CartReminder, Order
from testproject.shopper import TEST, Shopper

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(project.AUTH_USER_MODEL != "auth.User", reason="the pages do not depend on the user model"),
]
LABEL = "Remind me once by e-mail if I do not finish this order"


def receive(sender, **kwargs):
    """So that the page to find an order has its form."""


@pytest.fixture
def shopper(book, shop_settings):
    shop_settings(PAYMENT_PROVIDERS={"test": TEST}, CART_ABANDONED_AFTER=timedelta(hours=24))
    order_link_asked.connect(receive)
    found = Shopper()
    found.add()
    found.get("/store/checkout/")
    yield found
    order_link_asked.disconnect(receive)


def box(shopper):
    return re.search(r'<input[^>]*name="remind"[^>]*>', shopper.text)[0]


def test_box_is_not_ticked_and_records_the_consent(shopper):
    assert (LABEL in shopper.text, "checked" in box(shopper)) == (True, False)
    shopper.enter(remind_shown="1")
    assert not CartReminder.objects.exists()
    shopper.enter(remind="on", remind_shown="1")
    assert shopper.path == "/store/checkout/review/"
    assert CartReminder.objects.get().email == "guest@example.org"
    shopper.get("/store/checkout/")
    assert "checked" in box(shopper)
    shopper.enter()
    assert CartReminder.objects.exists(), "a page without the box withdraws nothing"
    shopper.enter(remind_shown="1")
    assert not CartReminder.objects.exists()
    shopper.get("/store/checkout/")
    assert "checked" not in box(shopper)


def test_order_is_placed_with_and_without_the_consent(shopper):
    shopper.enter(remind="on", remind_shown="1")
    shopper.post("/store/checkout/place/", **shopper.hidden())
    assert Order.objects.count() == 1


def test_box_is_missing_if_no_reminders_are_sent(shopper, shop_settings):
    shop_settings(CART_ABANDONED_AFTER=None)
    shopper.get("/store/checkout/")
    assert (LABEL in shopper.text, "remind" in shopper.text) == (False, False)
    shopper.enter(remind="on", remind_shown="1")
    assert (shopper.path, CartReminder.objects.count()) == ("/store/checkout/review/", 0)


def test_box_in_german(shopper, settings):
    settings.LANGUAGE_CODE = "de"
    with translation.override("de"):
        shopper.get("/store/checkout/")
    assert "Erinnern Sie mich einmal per E-Mail, wenn ich diese Bestellung nicht abschließe" in shopper.text
