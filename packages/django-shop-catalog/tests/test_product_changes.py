"""The signal ``product_changed``: every kind of write sends it, once for a transaction, after commit."""

import contextlib
import io
import json
from decimal import Decimal

import pytest
from django.db import transaction
from PIL import Image
from shop_catalog import categories, images, imports, inventory, product_changes, products, signals
from shop_catalog.imports import RawRow
from shop_catalog.models import Product

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent():
    found = []

    def receive(*, payload, event_id, **_kwargs):
        assert json.loads(json.dumps(payload)) == payload
        found.append(([product["sku"] for product in payload["products"]], event_id))

    signals.product_changed.connect(receive, weak=False)
    yield found
    signals.product_changed.disconnect(receive)


@pytest.fixture
def changed(sent, django_capture_on_commit_callbacks):
    """The SKUs of each signal that an action sends."""

    def run(action, *arguments, **keywords):
        sent.clear()
        with django_capture_on_commit_callbacks(execute=True):
            action(*arguments, **keywords)
        return [skus for skus, _event_id in sent]

    return run


def picture():
    file = io.BytesIO()
    Image.new("RGB", (2, 2)).save(file, "PNG")
    file.seek(0)
    return file


def test_every_write_but_stock_sends_it(changed, staff_api, admin_client):
    food = categories.create("Food")
    assert changed(products.create, "A", name="Apple", price=Decimal(1)) == [["A"]]
    assert changed(products.create, "G", name="Shirt", kind="group") == [["G"]]
    assert changed(products.create, "G-L", kind="variant", parent=products.get("G"), price=Decimal(2)) == [["G"]]
    apple, variant = products.get("A"), products.get("G-L")
    assert changed(products.change, apple, name="Pear") == [["A"]]
    assert changed(products.change, apple, is_active=False) == [["A"]]
    assert changed(products.change, apple, categories=[food]) == [["A"]]
    assert changed(products.set_price, variant, price=Decimal(3)) == [["G"]]
    assert changed(images.add, apple, file=picture()) == [["A"]]
    assert changed(images.remove, apple.images.get()) == [["A"]]
    assert changed(staff_api.patch, "/products/apple/", {"price": "4.00"}) == [["A"]]
    assert changed(inventory.receive, {"A": 5}) == []
    assert changed(products.delete, variant) == [["G"]]
    assert changed(products.delete, apple) == [["A"]]


def test_import_sends_the_products_that_changed_in_one_signal(changed):
    def load(*prices):
        rows = [{"sku": f"P{place}", "name": f"Pear {place}", "price": price} for place, price in enumerate(prices)]
        return imports.import_products(RawRow(place, row, "") for place, row in enumerate(rows))

    assert changed(load, "1.00", "2.00", "3.00") == [["P0", "P1", "P2"]]
    assert changed(load, "1.00", "2.50", "3.00") == [["P1"]]
    assert changed(load, "1.00", "2.50", "3.00") == []


def test_one_transaction_sends_one_signal_and_a_rolled_back_one_none(changed, sent, monkeypatch):
    def several(*, fails=False):
        with transaction.atomic():
            for number in range(5):
                products.create(f"S{number}{fails}", name="Pear", price=Decimal(1))
            if fails:
                raise ZeroDivisionError

    assert changed(several) == [[f"S{number}False" for number in range(5)]]
    with pytest.raises(ZeroDivisionError):
        changed(several, fails=True)
    assert sent == []
    monkeypatch.setattr(product_changes, "MOST_PRODUCTS", 2)
    assert changed(lambda: product_changes.record(Product.objects.order_by("pk"))) == [
        ["S0False", "S1False"],
        ["S2False", "S3False"],
        ["S4False"],
    ]


def test_change_after_a_rolled_back_savepoint_is_sent(changed):
    def partly():
        with transaction.atomic():
            with contextlib.suppress(ZeroDivisionError), transaction.atomic():
                products.create("LOST", name="Pear", price=Decimal(1))
                raise ZeroDivisionError
            products.create("KEPT", name="Pear", price=Decimal(1))

    assert changed(partly) == [["KEPT"]]


def test_each_signal_has_its_own_event_id(changed, sent):
    changed(products.create, "A", name="Apple", price=Decimal(1))
    first = sent[0][1]
    changed(products.change, products.get("A"), name="Pear")
    assert sent[0][1] != first
