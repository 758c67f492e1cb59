"""Where the packages meet: nothing but settings, signals and plain data."""

from decimal import Decimal

import pytest
from django.dispatch import Signal
from django.utils.module_loading import import_string
from shop_notify.models import Notification
from shop_notify.presets import SHOP_ROUTES
from shop_orders.testing import ProductSourceContract

from shop_catalog import inventory
from shop_catalog.models import Product
from shop_catalog.product_source import CatalogProductSource


def make_product(sku="TEA-1", *, price="4.50", stock=5):
    product = Product.objects.create(sku=sku, slug=sku.lower(), name=f"Product {sku}", price=Decimal(price))
    if stock:
        inventory.receive(product.pk, stock, reference=f"first delivery of {sku}")
    return product


@pytest.mark.django_db(transaction=True)
class TestCatalogProductSource(ProductSourceContract):
    """The catalogue's source has the shape that orders wants, without having heard of orders."""

    @pytest.fixture
    def source(self):
        return CatalogProductSource()


@pytest.mark.parametrize("route", SHOP_ROUTES, ids=lambda route: f"{route['event']} from {route['signal']}")
def test_every_signal_of_the_preset_exists(route):
    assert isinstance(import_string(route["signal"]), Signal)
