from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from shop_orders import carts, checkout
from shop_orders.exceptions import (
    CartClosed,
    CartNotFound,
    InsufficientStock,
    InvalidQuantity,
    ProductsGone,
    UnknownProduct,
)
from shop_orders.models import Cart, CartItem, Order
from testproject.books.models import Book, Leaflet

pytestmark = pytest.mark.django_db
CONTACT = checkout.Contact(name="Test Customer", phone="0712345678")


@pytest.fixture
def cart(customer, book):
    return carts.find_or_open(customer=customer)[0]


def quantities(cart):
    return dict(cart.items.values_list("product_ref", "quantity"))


def test_adding_a_product_again_adds_the_quantities(cart):
    carts.add_item(cart, "978-1", 2)
    carts.add_item(cart, "978-1", 3)
    assert quantities(cart) == {"978-1": 5}


@pytest.mark.parametrize("quantity", [0, -1, -999])
def test_adding_a_quantity_below_one_is_refused(cart, quantity):
    with pytest.raises(InvalidQuantity):
        carts.add_item(cart, "978-1", quantity)
    assert quantities(cart) == {}


def test_adding_more_than_the_stock_reports_the_available_quantity(cart):
    carts.add_item(cart, "978-1", 9)
    with pytest.raises(InsufficientStock) as refusal:
        carts.add_item(cart, "978-1", 2)
    assert refusal.value.shortages == {"978-1": 10}
    assert quantities(cart) == {"978-1": 9}


def test_quantity_of_an_item_is_limited(cart, shop_settings):
    shop_settings(MAX_QUANTITY=4)
    carts.add_item(cart, "978-1", 4)
    with pytest.raises(InvalidQuantity):
        carts.add_item(cart, "978-1", 1)
    assert quantities(cart) == {"978-1": 4}


def test_unknown_product_is_refused(cart):
    with pytest.raises(UnknownProduct):
        carts.add_item(cart, "no-such-book", 1)
    assert quantities(cart) == {}


def test_set_quantity_replaces_it_and_zero_removes_the_item(cart):
    carts.add_item(cart, "978-1", 2)
    carts.set_quantity(cart, "978-1", 7)
    assert quantities(cart) == {"978-1": 7}
    assert carts.set_quantity(cart, "978-1", 0) is None
    assert quantities(cart) == {}


def test_set_quantity_of_a_product_not_in_the_cart_is_refused(cart):
    with pytest.raises(UnknownProduct):
        carts.set_quantity(cart, "978-1", 1)


def test_removing_a_product_not_in_the_cart_changes_nothing(cart):
    carts.add_item(cart, "978-1", 2)
    carts.remove_item(cart, "other")
    assert quantities(cart) == {"978-1": 2}
    carts.remove_item(cart, "978-1")
    assert quantities(cart) == {}


def test_product_whose_price_was_removed_is_not_sold(cart, shop_settings):
    options = {"model": "books.Leaflet", "ref": "id", "name": "headline", "price": "price", "stock": "copies"}
    backend = "shop_orders.product_sources.ModelProductSource"
    shop_settings(PRODUCT_SOURCE={"BACKEND": backend, "OPTIONS": options})
    leaflet = Leaflet.objects.create(headline="A leaflet", page_price=Decimal(1), copies=5)
    carts.add_item(cart, str(leaflet.pk), 2)
    Leaflet.objects.update(page_price=None)
    [line] = carts.view(cart).lines
    assert (line.unit_price, line.line_total, line.changes) == (None, None, ("gone",))
    with pytest.raises(ProductsGone):
        checkout.place_order(cart, contact=CONTACT)
    with pytest.raises(UnknownProduct):
        carts.add_item(cart, str(leaflet.pk), 1)
    assert (Order.objects.count(), Leaflet.objects.get().copies) == (0, 5)
    Leaflet.objects.update(page_price=0)
    [line] = carts.view(cart).lines
    assert (line.unit_price, line.line_total, line.changes) == (Decimal(0), Decimal(0), ("price_changed",))
    order = checkout.place_order(cart, contact=CONTACT)
    assert order.subtotal == 0


def test_clear_removes_every_item(cart, other_book):
    carts.add_item(cart, "978-1", 2)
    carts.add_item(cart, "978-2", 1)
    carts.clear(cart)
    assert quantities(cart) == {}


def test_customer_has_one_open_cart(customer, cart):
    again, token = carts.find_or_open(customer=customer)
    assert (again, token) == (cart, "")
    assert Cart.objects.count() == 1


def test_guest_token_is_stored_hashed_and_long(book):
    cart, token = carts.find_or_open()
    assert len(token) == 32
    assert cart.token_hash == carts.hash_token(token)
    assert token not in str(Cart.objects.values())
    assert carts.find(token=token) == cart


def test_wrong_token_finds_nothing(book):
    carts.find_or_open()
    with pytest.raises(CartNotFound):
        carts.find(token="guess")


def test_cart_cannot_be_opened_without_a_currency_setting(settings, customer):
    settings.SHOP_ORDERS = {name: value for name, value in settings.SHOP_ORDERS.items() if name != "CURRENCY"}
    with pytest.raises(ImproperlyConfigured, match="CURRENCY"):
        carts.find_or_open(customer=customer)
    assert Cart.objects.count() == 0


def test_nothing_can_be_added_to_an_ordered_cart(cart):
    carts.add_item(cart, "978-1", 1)
    Cart.objects.update(status=Cart.Status.ORDERED)
    with pytest.raises(CartClosed):
        carts.add_item(cart, "978-1", 1)
    assert quantities(cart) == {"978-1": 1}


def test_view_shows_price_changes_shortages_and_vanished_products(cart, book, other_book):
    carts.add_item(cart, "978-1", 4)
    carts.add_item(cart, "978-2", 2)
    assert [line.changes for line in carts.view(cart).lines] == [(), ()]
    Book.objects.filter(isbn="978-1").update(sale_price=Decimal("13.00"), on_hand=3)
    Book.objects.filter(isbn="978-2").update(is_listed=False)
    view = carts.view(cart)
    assert [line.changes for line in view.lines] == [("price_changed", "short"), ("gone",)]
    assert view.lines[0].price_when_added == Decimal("12.50")
    assert view.draft.total == Decimal("52.00")
    assert not view.can_be_ordered


def test_view_without_a_cart_is_empty():
    view = carts.view(None)
    assert (view.lines, view.draft.total, view.can_be_ordered) == ((), Decimal("0.00"), False)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("sum", {"978-1": 5, "978-2": 4}),
        ("larger", {"978-1": 3, "978-2": 4}),
        ("guest", {"978-1": 3, "978-2": 4}),
        ("account", {"978-1": 2}),
    ],
)
def test_merge_follows_the_policy(cart, customer, other_book, shop_settings, policy, expected):
    shop_settings(CART_MERGE=policy)
    guest, token = carts.find_or_open()
    carts.add_item(guest, "978-1", 3)
    carts.add_item(guest, "978-2", 4)
    carts.add_item(cart, "978-1", 2)
    report = carts.merge(token, customer=customer)
    assert quantities(report.cart) == expected
    assert report.cart == cart
    guest.refresh_from_db()
    assert guest.status == Cart.Status.MERGED


def test_merge_keeps_the_larger_quantity_of_the_account(cart, customer, shop_settings):
    shop_settings(CART_MERGE="larger")
    guest, token = carts.find_or_open()
    carts.add_item(guest, "978-1", 1)
    carts.add_item(cart, "978-1", 6)
    assert carts.merge(token, customer=customer).changes == ()
    assert quantities(cart) == {"978-1": 6}


def test_merge_reports_what_changed(cart, customer, other_book, shop_settings):
    shop_settings(MAX_QUANTITY=4)
    guest, token = carts.find_or_open()
    carts.add_item(guest, "978-1", 3)
    carts.add_item(guest, "978-2", 1)
    carts.add_item(cart, "978-1", 2)
    report = carts.merge(token, customer=customer)
    assert [(change.product, change.code, change.was, change.quantity) for change in report.changes] == [
        ("978-1", "limited", 2, 4),
        ("978-2", "added", 0, 1),
    ]


@pytest.mark.parametrize("policy", ["guest", "account"])
def test_merge_keeps_the_items_when_the_preferred_cart_is_empty(customer, book, shop_settings, policy):
    shop_settings(CART_MERGE=policy)
    guest, token = carts.find_or_open()
    mine, _token = carts.find_or_open(customer=customer)
    carts.add_item(guest if policy == "account" else mine, "978-1", 2)
    assert quantities(carts.merge(token, customer=customer).cart) == {"978-1": 2}


def test_merged_token_no_longer_works(cart, customer):
    _guest, token = carts.find_or_open()
    carts.merge(token, customer=customer)
    with pytest.raises(CartNotFound):
        carts.merge(token, customer=customer)
    with pytest.raises(CartNotFound):
        carts.find(token=token)


def test_merge_without_a_token_is_refused(cart, customer):
    with pytest.raises(CartNotFound):
        carts.merge("", customer=customer)


def test_prune_deletes_stale_carts_but_no_ordered_ones(cart, customer, place, django_capture_on_commit_callbacks):
    order = place()
    old, _token = carts.find_or_open()
    carts.add_item(old, "978-1", 1)
    fresh, _token = carts.find_or_open()
    long_ago = timezone.now() - timedelta(days=61)
    Cart.objects.exclude(pk=fresh.pk).update(updated_at=long_ago)
    assert carts.prune() == 1
    assert set(Cart.objects.all()) == {fresh, order.cart}
    assert CartItem.objects.filter(cart=old).count() == 0
