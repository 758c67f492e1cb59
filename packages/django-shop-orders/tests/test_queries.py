"""Every compiled query returns the same rows as its queryset, and every hand-written statement is tested."""

import importlib
import pkgutil

import pytest
import shop_orders
from django.db import connection, transaction
from shop_core.db.compiled import CompiledQuery
from shop_orders import carts, checkout
from shop_orders.carts import queries
from shop_orders.models import Cart, CartItem
from testproject.books.models import Book

OPTIONAL = ("shop_orders.contrib.", "shop_orders.migrations.", "shop_orders.testing.contracts")
"""Modules that need an optional library or app. They have no statements of their own."""


def modules():
    for found in pkgutil.walk_packages(shop_orders.__path__, "shop_orders."):
        if not found.name.startswith(OPTIONAL) and "payment_providers." not in found.name:
            yield importlib.import_module(found.name)


def compiled_queries():
    """The dotted names of all compiled queries, each listed once."""
    found = {}
    for module in modules():
        for name, value in vars(module).items():
            if isinstance(value, CompiledQuery):
                found[id(value)] = f"{module.__name__}.{name}"
    return sorted(found.values())


@pytest.fixture
def samples(customer, db):
    """``{query: [(shape, parameters)]}``; each finds rows."""
    Book.objects.bulk_create(Book(isbn=f"isbn-{number}", title="A book", sale_price=2, on_hand=9) for number in "012")
    _cart, token = carts.add_to_cart("isbn-0", 2)
    cart, _token = carts.add_to_cart("isbn-1", 3, customer=customer)
    carts.add_item(cart, "isbn-2")
    given, _token = carts.add_to_cart("isbn-0", 2)
    contact = checkout.Contact(email="Guest@example.org", phone="+254712345678")
    checkout.place_order(given, contact=contact, visitor="0a1b")
    return {
        "shop_orders.carts.queries._OPEN_CART_OF_USER": [
            ([True], {"user": customer.user_id}),
            ([False], {"user": customer.user_id}),
        ],
        "shop_orders.carts.queries._CART_OF_TOKEN": [([], {"token_hash": carts.hash_token(token)})],
        "shop_orders.carts.queries._ITEMS": [([], {"cart": cart.pk})],
        "shop_orders.carts.queries._ITEMS_AND_UNPAID": [
            ([tuple(buyer)], {"cart": cart.pk, **buyer})
            for buyer in (
                {"customer": customer.pk},
                {"customer": customer.pk, "visitor": "0a1b"},
                {"email": "guest@example.org", "phone": "+254712345678", "visitor": "0a1b"},
                {"phone": "+254712345678"},
            )
        ],
    }


def test_all_compiled_queries_are_found():
    assert len(compiled_queries()) == 4


@pytest.mark.parametrize("path", compiled_queries())
def test_compiled_query_returns_what_its_queryset_returns(path, samples):
    home, _dot, name = path.rpartition(".")
    query = getattr(importlib.import_module(home), name)
    for shape, parameters in samples[path]:
        rows = [tuple(row) for row in query.rows(*shape, **parameters)]
        assert rows == [tuple(row) for row in query.plain_rows(*shape, **parameters)]
        assert rows


def item(quantity=1):
    return CartItem(product_ref="isbn-0", quantity=quantity, name="A book", price_when_added=2)


@pytest.mark.django_db
def test_add_reuses_an_open_cart_that_was_created_meanwhile(customer):
    first, second = carts.Contents(cart=Cart(customer=customer)).cart, Cart(customer=customer)
    assert queries.add(first, item(), most=9)
    assert queries.add(second, item(), most=9)
    assert first.pk == second.pk == Cart.objects.get().pk


@pytest.mark.django_db
def test_close_changes_only_an_open_cart(customer):
    cart = Cart.objects.create(customer=customer)
    before = Cart.objects.get().updated_at
    with transaction.atomic():
        assert queries.close(cart)
        assert not queries.close(cart)
    stored = Cart.objects.get()
    assert (stored.status, stored.updated_at > before) == ("ordered", True)


@pytest.mark.django_db
def test_add_inserts_an_item_or_adds_its_quantity(customer):
    cart, added = Cart.objects.create(customer=customer), item(4)
    assert queries.add(cart, item(), most=5)
    assert queries.add(cart, added, most=5)
    assert not queries.add(cart, item(), most=5)
    stored = CartItem.objects.get()
    assert (stored.quantity, added.pk, added.quantity) == (5, stored.pk, 5)


@pytest.mark.django_db
def test_items_without_options_are_stored_and_read_as_empty_objects(customer):
    cart = Cart.objects.create(customer=customer)
    assert queries.add(cart, item(), most=5)
    assert queries.add(cart, CartItem(product_ref="other", quantity=1, price_when_added=1), most=5)
    assert CartItem.objects.filter(options={}).count() == 2
    first, second = queries.items_of(cart)
    first.options["Engraving"] = "For Anna"
    assert second.options == {}


@pytest.mark.django_db
def test_add_is_one_statement_on_postgresql_and_two_on_sqlite(django_assert_num_queries, customer):
    """The counts include the savepoint's two statements, since a test runs in a transaction."""
    cart = Cart.objects.create(customer=customer)
    with django_assert_num_queries(3 if connection.vendor == "postgresql" else 4):
        queries.add(cart, item(), most=5)
