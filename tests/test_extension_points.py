"""The packages work together through settings, signals and plain data only."""

import itertools
from decimal import Decimal

import pytest
from django.dispatch import Signal
from django.utils.module_loading import import_string
from shop_catalog import inventory, products
from shop_catalog.product_source import CatalogProductSource
from shop_notify.models import Notification
from shop_notify.presets import CART_ROUTES, SHOP_ROUTES
from shop_orders import carts, checkout, lifecycle
from shop_orders.checks.states import check_states
from shop_orders.exceptions import InvalidOptions
from shop_orders.testing import ProductSourceContract

NUMBERS = itertools.count(1)


def make_product(*, price, available):
    product = products.create(f"SKU-{next(NUMBERS)}", name="Teapot", price=price)
    if available:
        inventory.receive({product.sku: available})
    return product.sku


def order_of(ref, quantity):
    cart, _token = carts.add_to_cart(ref, quantity)
    contact = checkout.Contact(email="guest@example.org", phone="0712 345 678")
    return checkout.place_order(cart, contact=contact, delivery="pickup")


class TestCatalogProductSource(ProductSourceContract):
    """The catalogue's product source satisfies the protocol of orders without importing orders."""

    has_ledger = True

    @pytest.fixture
    def source(self):
        return CatalogProductSource()

    @pytest.fixture
    def make_product(self):
        return make_product


def engravings(sku):
    """What a site says about its products: a function of the SKU."""
    return ["Engraving"] if sku else []


@pytest.mark.parametrize("event", sorted({route["event"] for route in [*SHOP_ROUTES, *CART_ROUTES]}))
def test_state_has_no_event_that_the_routes_of_the_shop_have(settings, event):
    states = {"waiting": {"KIND": "processing", "LABEL": "waiting", "EVENT": event}}
    settings.SHOP_ORDERS = {**settings.SHOP_ORDERS, "STATES": states}
    (error,) = check_states()
    assert f"{event!r}, which is an event of the shop" in error.msg


@pytest.mark.django_db
def test_catalogue_takes_the_options_that_a_function_of_the_site_names(settings):
    source = {"BACKEND": "shop_catalog.product_source.CatalogProductSource"}
    settings.SHOP_ORDERS = {
        **settings.SHOP_ORDERS,
        "PRODUCT_SOURCE": {**source, "OPTIONS": {"line_options": f"{__name__}.engravings"}},
    }
    ref = make_product(price=Decimal("4.50"), available=5)
    cart, _token = carts.add_to_cart(ref, 2, options={"Engraving": "For Anna"})
    carts.add_item(cart, ref, options={"Engraving": "For Ben"})
    contact = checkout.Contact(email="guest@example.org", phone="0712 345 678")
    order = checkout.place_order(cart, contact=contact, delivery="pickup")
    assert [(line.line, line.options_text, line.quantity) for line in order.lines.all()] == [
        ("#1", "Engraving: For Anna", 2),
        ("#2", "Engraving: For Ben", 1),
    ]
    settings.SHOP_ORDERS = {**settings.SHOP_ORDERS, "PRODUCT_SOURCE": source}
    with pytest.raises(InvalidOptions):
        carts.add_to_cart(ref, options={"Engraving": "For Anna"})


@pytest.mark.parametrize("route", SHOP_ROUTES, ids=lambda route: f"{route['event']} from {route['signal']}")
def test_every_signal_of_the_preset_exists(route):
    assert isinstance(import_string(route["signal"]), Signal)


@pytest.mark.django_db(transaction=True)
def test_placed_order_creates_one_notification_per_recipient_and_alias():
    order = order_of(make_product(price=Decimal("4.50"), available=5), 2)
    rows = Notification.objects.filter(reference=order.number).values_list("event", "alias")
    assert sorted(rows) == [("order_placed", "email"), ("order_placed", "email"), ("order_placed", "sms")]


@pytest.mark.django_db(transaction=True)
def test_change_without_notify_creates_no_notification():
    order = order_of(make_product(price=Decimal("4.50"), available=5), 1)
    before = Notification.objects.count()
    lifecycle.cancel(order.pk, notify=False)
    assert Notification.objects.count() == before
