"""Several product sources that are joined by prefix or by a function."""

import copy
import pickle
from decimal import Decimal
from itertools import count

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import router, transaction
from shop_orders import carts, checkout, lifecycle
from shop_orders.checks.products import check_source
from shop_orders.exceptions import InsufficientStock, InvalidOptions
from shop_orders.models import Order
from shop_orders.product_sources import SourceChooser
from shop_orders.testing import MemoryProduct, MemoryProductSource, ProductSourceContract
from shop_orders.testing.source_races import at_once
from testproject.books.models import Article, Book, Toy

MODEL = "shop_orders.product_sources.ModelProductSource"
BOOKS = {
    "prefix": "book-",
    "BACKEND": MODEL,
    "OPTIONS": {"model": "books.Book", "ref": "isbn", "name": "title", "price": "sale_price", "stock": "on_hand"},
}
TOYS = {
    "matches": "testproject.engraving.is_toy",
    "BACKEND": MODEL,
    "OPTIONS": {"model": "books.Toy", "ref": "code", "name": "label", "price": "cost", "stock": "units"},
}
COURSES = {"BACKEND": MODEL, "OPTIONS": {"model": "books.Course", "ref": "id", "name": "name", "price": "fee"}}
numbers = count(1)


def make_book(*, price, available):
    isbn = f"isbn-{next(numbers)}"
    Book.objects.create(isbn=isbn, title="A book", sale_price=price, on_hand=available)
    return f"book-{isbn}"


def make_toy(*, price, available):
    code = f"toy-{next(numbers)}"
    Toy.objects.create(code=code, label="A toy", cost=float(price), shelf_code=next(numbers), units=available)
    return code


class TestSourceChooserByPrefix(ProductSourceContract):
    @pytest.fixture
    def source(self):
        return SourceChooser(sources=[BOOKS, TOYS, COURSES])

    @pytest.fixture
    def make_product(self):
        return make_book


class TestSourceChooserByFunction(TestSourceChooserByPrefix):
    @pytest.fixture
    def make_product(self):
        return make_toy


class TestSourceChooserOfBoth(TestSourceChooserByPrefix):
    """Every second product is of the other source, so that each call concerns both."""

    @pytest.fixture
    def make_product(self):
        kinds = count()

        def make(**values):
            return make_toy(**values) if next(kinds) % 2 else make_book(**values)

        return make


@pytest.fixture
def shop(shop_settings, db):
    shop_settings(
        PRODUCT_SOURCE={"BACKEND": "shop_orders.product_sources.SourceChooser", "OPTIONS": {"sources": [BOOKS, TOYS]}}
    )
    return make_book(price=Decimal("12.50"), available=5), make_toy(price=Decimal("3.00"), available=2)


@pytest.mark.django_db
def test_products_can_be_copied_and_cached():
    ref = make_book(price=Decimal(1), available=3)
    product = SourceChooser(sources=[BOOKS]).fetch([ref])[ref]
    for again in (copy.copy(product), copy.deepcopy(product), pickle.loads(pickle.dumps(product))):
        assert (again.ref, again.name, again.available) == (ref, "A book", 3)


def stocks():
    return Book.objects.get().on_hand, Article.objects.get().units


def test_order_of_two_sources_takes_and_returns_the_stock_of_each(shop, customer):
    book, toy = shop
    cart, _token = carts.add_to_cart(book, 2, customer=customer)
    carts.add_item(cart, toy, 2)
    assert [line.product for line in carts.view(cart, customer=customer).lines] == [book, toy]
    order = checkout.place_order(cart, provider="on_delivery")
    assert stocks() == (3, 0)
    lifecycle.start_processing(order.pk)
    lifecycle.ship(order.pk, quantities={book: 1})
    lifecycle.restock(order.pk, {book: 1})
    lifecycle.cancel_units(order.pk, {toy: 1})
    assert stocks() == (4, 1)
    lifecycle.cancel_units(order.pk)
    assert stocks() == (5, 2)


def test_nothing_is_taken_when_one_source_is_short(shop, customer):
    book, toy = shop
    source = SourceChooser(sources=[BOOKS, TOYS])
    with transaction.atomic():
        assert source.reserve({book: 9, toy: 3, "no-such": 1}, reference="A") == {book: 5, toy: 2, "no-such": 0}
        assert source.reserve({book: 1, toy: 3}, reference="B") == {toy: 2}
    assert stocks() == (5, 2)
    cart, _token = carts.add_to_cart(book, 2, customer=customer)
    carts.add_item(cart, toy, 2)
    Article.objects.update(units=1)
    with pytest.raises(InsufficientStock) as caught:
        checkout.place_order(cart, provider="on_delivery")
    assert caught.value.shortages == {toy: 1}
    assert stocks() == (5, 1)


def test_prefixed_products_keep_their_details(shop_settings, customer):
    MemoryProductSource.reset(
        MemoryProduct(ref="a", line_options=["Date"], available=5, stock_ref="room"),
        MemoryProduct(ref="b", available=5, stock_ref="room"),
    )
    rooms = {"prefix": "room-", "BACKEND": "shop_orders.testing.MemoryProductSource"}
    shop_settings(
        PRODUCT_SOURCE={"BACKEND": "shop_orders.product_sources.SourceChooser", "OPTIONS": {"sources": [rooms]}}
    )
    cart, _token = carts.add_to_cart("room-a", 3, customer=customer, options={"Date": "1 May"})
    carts.add_item(cart, "room-b", 3)
    view = carts.view(cart, customer=customer)
    assert [line.changes for line in view.lines] == [("short",), ("short",)]
    assert view.shortages() == {"room-a": 5}
    with pytest.raises(InsufficientStock) as caught:
        checkout.place_order(cart, provider="on_delivery")
    assert caught.value.shortages == {"room-a": 5}
    with pytest.raises(InvalidOptions):
        carts.add_item(cart, "room-b", options={"Date": "1 May"})
    MemoryProductSource.reset()


def is_even(ref):
    return ref in "bd"


def test_equal_stock_refs_of_two_sources_are_two_stocks(shop_settings, customer):
    MemoryProductSource.reset(*(MemoryProduct(ref=ref, available=2, stock_ref="1") for ref in "abcd"))
    memory = {"BACKEND": "shop_orders.testing.MemoryProductSource"}
    sources = [{"matches": f"{__name__}.is_even", **memory}, memory]
    shop_settings(
        PRODUCT_SOURCE={"BACKEND": "shop_orders.product_sources.SourceChooser", "OPTIONS": {"sources": sources}}
    )
    cart, _token = carts.add_to_cart("a", 2, customer=customer)
    carts.add_item(cart, "b", 2)
    assert carts.view(cart, customer=customer).can_be_ordered
    carts.add_item(cart, "d", 2)
    assert [line.changes for line in carts.view(cart, customer=customer).lines] == [(), ("short",), ("short",)]
    MemoryProductSource.reset()


def test_shared_stock_is_named_once_when_the_reservation_is_short(shop_settings, customer, monkeypatch):
    MemoryProductSource.reset(*(MemoryProduct(ref=ref, available=5, stock_ref="room") for ref in "ab"))
    shop_settings(PRODUCT_SOURCE={"BACKEND": "shop_orders.testing.MemoryProductSource"})
    cart, _token = carts.add_to_cart("a", 2, customer=customer)
    carts.add_item(cart, "b", 2)
    monkeypatch.setattr(MemoryProductSource, "reserve", lambda self, quantities, *, reference: dict.fromkeys("ab", 1))
    with pytest.raises(InsufficientStock) as caught:
        checkout.place_order(cart, provider="on_delivery")
    assert caught.value.shortages == {"a": 1}
    assert [line.changes for line in caught.value.cart_view.lines] == [("short",), ("short",)]
    MemoryProductSource.reset()


@pytest.mark.parametrize("sources", [[], [{"prefix": "a"}], [{**BOOKS, "matches": "x"}], [{**BOOKS, "prefixes": "a"}]])
def test_wrong_entries_are_refused(sources):
    with pytest.raises(ImproperlyConfigured, match="SourceChooser"):
        SourceChooser(sources=sources)


@pytest.mark.pg
@pytest.mark.django_db(transaction=True)
def test_orders_of_two_sources_in_any_order_do_not_deadlock(shop_settings):
    source = SourceChooser(sources=[BOOKS, TOYS])
    refs = [make(price=Decimal(1), available=20) for make in (make_book, make_toy, make_book, make_toy)]

    def reserve(number):
        lines = refs if number % 2 else refs[::-1]
        with transaction.atomic(using=router.db_for_write(Order)):
            return source.reserve(dict.fromkeys(lines, 1), reference=f"RACE-{number}")

    assert at_once([lambda number=number: reserve(number) for number in range(6)]) == [{}] * 6
    assert [product.available for product in source.fetch(refs).values()] == [14] * 4


def test_check_looks_at_each_source(shop_settings):
    wrong = {**BOOKS, "OPTIONS": {**BOOKS["OPTIONS"], "max_quantity": "no_such"}}
    options = {"sources": [TOYS, wrong]}
    shop_settings(PRODUCT_SOURCE={"BACKEND": "shop_orders.product_sources.SourceChooser", "OPTIONS": options})
    (found,) = [message for message in check_source() if message.id == "shop_orders.E003"]
    assert '"max_quantity": "no_such"' in found.msg
