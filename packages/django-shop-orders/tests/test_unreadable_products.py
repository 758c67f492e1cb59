"""A product source that fails: the cart stays usable, and shows which line cannot be ordered."""

from dataclasses import replace
from decimal import Decimal

import pytest
from django.db import DatabaseError
from shop_orders import carts, checkout, lifecycle, payments
from shop_orders.exceptions import GoodsGone, ProductUnreadable
from shop_orders.models import Order
from shop_orders.product_sources import ModelProductSource
from testproject.books.models import Book

pytestmark = pytest.mark.django_db


class Faulty(ModelProductSource):
    """Raises, or returns something that cannot be sold, for the refs in ``faults``."""

    faults = {}
    calls = []

    def fetch(self, refs, *, customer=None):
        refs = list(refs)
        self.calls.append(refs)
        found = dict(super().fetch(refs, customer=customer))
        for ref in refs:
            fault = self.faults.get(ref)
            if isinstance(fault, Exception):
                raise fault
            if fault:
                found[ref] = fault(found[ref])
        return found

    def refuses_options(self, ref, options):
        if isinstance(self.faults.get("options"), Exception):
            raise self.faults["options"]
        return ""


class Raises:
    """A product one of whose properties raises."""

    def __init__(self, product, name):
        self._product, self._raises = product, name

    def __getattr__(self, name):
        if name == self._raises:
            raise KeyError(name)
        return getattr(self._product, name)


@pytest.fixture(autouse=True)
def source(monkeypatch, shop_settings):
    monkeypatch.setattr(Faulty, "faults", {})
    monkeypatch.setattr(Faulty, "calls", [])
    options = {"model": "books.Book", "ref": "isbn", "name": "title", "price": "sale_price", "stock": "on_hand"}
    shop_settings(
        PRODUCT_SOURCE={"BACKEND": f"{__name__}.Faulty", "OPTIONS": options | {"line_options": ["Engraving"]}}
    )
    return Faulty


@pytest.fixture
def cart(book, other_book):
    found, _token = carts.find_or_open()
    carts.add_item(found, book.isbn, 2)
    carts.add_item(found, other_book.isbn, 1)
    return found


def order(cart):
    return checkout.place_order(cart, contact=checkout.Contact(email="a@example.org"))


def test_product_that_cannot_be_read_is_one_line_of_the_cart(source, cart, book, other_book, caplog):
    source.faults[book.isbn] = KeyError("price list")
    gone, sold = carts.view(cart).lines
    assert (gone.changes, gone.name, gone.unit_price, gone.available) == (("unreadable",), book.title, None, 0)
    assert str(gone.problem) == "“Trees of Kenya” cannot be ordered at the moment. Remove it, or try again later."
    assert (sold.changes, sold.line_total) == ((), Decimal("7.20"))
    assert not carts.view(cart).can_be_ordered
    assert "price list" in caplog.text
    with pytest.raises(ProductUnreadable):
        order(cart)
    assert not Order.objects.exists()
    carts.set_quantity(cart, other_book.isbn, 3)
    for act in (lambda: carts.set_quantity(cart, book.isbn, 3), lambda: carts.add_item(cart, book.isbn)):
        with pytest.raises(ProductUnreadable):
            act()
    carts.remove_item(cart, book.isbn)
    assert order(cart).lines.get().quantity == 3


def test_cart_is_usable_by_api_and_pages(client, source, book, other_book):
    for ref in (book.isbn, other_book.isbn):
        added = client.post("/api/orders/cart/add_item/", {"product": ref}, "application/json")
    token = {"X-Cart-Token": added.headers["X-Cart-Token"]} if "X-Cart-Token" in added.headers else {}
    source.faults[book.isbn] = RuntimeError("secret detail")
    shown = client.get("/api/orders/cart/", headers=token)
    assert shown.status_code == 200
    assert "secret detail" not in shown.content.decode()
    added = client.post("/api/orders/cart/add_item/", {"product": book.isbn}, "application/json", headers=token)
    assert (added.status_code, added.json()["code"], added.json()["product"]) == (503, "product_unreadable", book.isbn)
    added = client.post("/api/orders/cart/add_item/", {"product": other_book.isbn}, "application/json", headers=token)
    assert added.status_code == 200


FAULTS = {
    "other ref": lambda product: replace(product, ref="978-9"),
    "no product": lambda product: None,
    "no name": lambda product: replace(product, name=None),
    "NUL in the name": lambda product: replace(product, name="a\0"),
    "surrogate in the name": lambda product: replace(product, name="\ud800"),
    "long sku": lambda product: replace(product, sku="x" * 201),
    "no sku": lambda product: replace(product, sku=None),
    "long tax class": lambda product: replace(product, tax_class="x" * 51),
    "no url": lambda product: replace(product, url=None),
    "float": lambda product: replace(product, unit_price=12.5),
    "text": lambda product: replace(product, unit_price="12.50"),
    "NaN": lambda product: replace(product, unit_price=Decimal("NaN")),
    "infinity": lambda product: replace(product, unit_price=Decimal("Infinity")),
    "negative": lambda product: replace(product, unit_price=Decimal(-1)),
    "huge": lambda product: replace(product, unit_price=Decimal("1E+10")),
    "places": lambda product: replace(product, unit_price=Decimal("1.005")),
    "other currency": lambda product: replace(product, currency="USD"),
    "available text": lambda product: replace(product, available="3"),
    "weight NaN": lambda product: replace(product, weight=Decimal("NaN")),
    "weight huge": lambda product: replace(product, weight=Decimal("1E+30")),
    "options": lambda product: replace(product, line_options="Engraving"),
    "groups": lambda product: replace(product, groups=[1]),
    "most": lambda product: replace(product, max_quantity="three"),
    "raising name": lambda product: Raises(product, "name"),
    "raising image": lambda product: Raises(product, "image"),
    "raising groups": lambda product: Raises(product, "groups"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_product_that_cannot_be_sold_is_unreadable(source, cart, book, fault, caplog):
    source.faults[book.isbn] = FAULTS[fault]
    assert [line.changes for line in carts.view(cart).lines] == [("unreadable",), ()]
    assert "978-1" in caplog.text
    with pytest.raises(ProductUnreadable):
        order(cart)
    with pytest.raises(ProductUnreadable):
        carts.add_item(cart, book.isbn)


def test_product_whose_ref_names_a_line_is_not_sold(source):
    for ref in ("#2", "a#2", "#b", "#2a"):
        Book.objects.create(isbn=ref, title=ref, sale_price=Decimal(1), on_hand=5)
    cart, _token = carts.find_or_open()
    with pytest.raises(ProductUnreadable):
        carts.add_item(cart, "#2")
    for ref in ("a#2", "#b", "#2a"):
        carts.add_item(cart, ref)
    placed = order(cart)
    lifecycle.start_processing(placed.pk)
    lifecycle.ship(placed.pk, quantities={"a#2": 1})
    lifecycle.ship(placed.pk, quantities={"#2": 1})
    assert [line.shipped_quantity for line in placed.lines.order_by("position")] == [1, 1, 0]


def test_source_that_fails_for_all_products_is_called_a_limited_number_of_times(source, book, shop_settings):
    for number in range(60):
        Book.objects.create(isbn=f"b{number}", title="t", sale_price=Decimal(1), on_hand=5)
    cart, _token = carts.find_or_open()
    for number in range(60):
        carts.add_item(cart, f"b{number}")
    source.faults.update({f"b{number}": OSError() for number in range(60)})
    source.calls.clear()
    assert {line.changes for line in carts.view(cart).lines} == {("unreadable",)}
    assert len(source.calls) == 21
    carts.clear(cart)
    assert not carts.view(cart).lines


def test_source_whose_options_hook_fails(source, book, other_book, caplog):
    cart, _token = carts.find_or_open()
    carts.add_item(cart, book.isbn, options={"Engraving": "A"})
    source.faults["options"] = KeyError("alphabet")
    (line,) = carts.view(cart).lines
    assert line.changes == ("unreadable",)
    assert "cannot be ordered at the moment" in str(line.problem)
    with pytest.raises(ProductUnreadable):
        carts.add_item(cart, book.isbn, options={"Engraving": "B"})
    with pytest.raises(ProductUnreadable):
        order(cart)
    carts.remove_line(cart, line.line)
    assert not carts.view(cart).lines
    assert "alphabet" in caplog.text


def test_errors_of_the_database_are_not_caught(source, cart, book):
    source.faults[book.isbn] = DatabaseError("the connection is closed")
    with pytest.raises(DatabaseError):
        carts.view(cart)


def test_reinstating_names_what_is_short_even_if_the_source_fails(source, place, book, memory_provider):
    placed = place(provider="bank")
    lifecycle.cancel(placed.pk)
    payments.record_payment(placed.pk, amount=Decimal("25.00"))
    Book.objects.update(on_hand=1)
    source.faults[book.isbn] = KeyError("price list")
    with pytest.raises(GoodsGone, match="Not enough stock of: 978-1"):
        lifecycle.reinstate(placed.pk)
