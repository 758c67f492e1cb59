"""Validators are asked in the cart too, as far as the buyer has entered what they read."""

from decimal import Decimal

import pytest
from django.db import transaction
from shop_orders import carts, checkout
from shop_orders.exceptions import CheckoutRefused, ValidatorFailed
from shop_orders.models import Order
from shop_orders.pricing import Draft
from testproject.books.models import Book

pytestmark = pytest.mark.django_db

MINIMUM = {"BACKEND": "shop_orders.validators.minimum_order_value", "OPTIONS": {"amount": "30"}}
HOME = {"name": "Test", "line1": "1 Test Road", "city": "Nairobi", "country": "KE"}
SEEN = []


def only_to_kenya(draft):
    if draft.shipping_address.get("country") != "KE":
        raise CheckoutRefused("We deliver in Kenya only.")


def known_customers_only(draft):
    SEEN.append(draft.contact)
    if not draft.contact.email.endswith("@example.org"):
        raise CheckoutRefused("Members only.")


def broken(draft):
    raise KeyError(draft.lines[0].sku)


def only_free_books(draft):
    """Locks a row, as a validator may in the transaction of the checkout."""
    if not Book.objects.select_for_update().filter(isbn=draft.lines[0].product_ref, on_hand__gt=3):
        raise CheckoutRefused("Taken.")


def here(name):
    return f"{__name__}.{name}"


@pytest.fixture
def cart(book):
    found, _token = carts.add_to_cart(book.isbn, 2)
    return found


def order(cart, **options):
    return checkout.place_order(cart, contact=checkout.Contact(email="a@example.org"), **options)


def test_cart_that_a_validator_refuses_cannot_be_ordered(cart, book, shop_settings):
    shop_settings(VALIDATORS=[MINIMUM])
    view = carts.view(cart)
    assert [problem.code for problem in view.problems] == ["order_too_small"]
    assert not view.can_be_ordered
    with pytest.raises(CheckoutRefused) as caught:
        order(cart)
    assert str(caught.value) == str(view.problems[0])
    assert [problem.code for problem in caught.value.cart_view.problems] == ["order_too_small"]
    carts.set_quantity(cart, book.isbn, 3)
    assert carts.view(cart).can_be_ordered
    assert order(cart).pk


def test_every_reason_is_listed_and_the_first_refuses(cart, shop_settings):
    shop_settings(VALIDATORS=[here("broken"), MINIMUM])
    assert [problem.code for problem in carts.view(cart).problems] == ["validator_failed", "order_too_small"]
    with pytest.raises(ValidatorFailed):
        order(cart)


def test_validator_that_reads_what_is_not_known_yet_is_asked_at_checkout(cart, shop_settings):
    shop_settings(VALIDATORS=[here("only_to_kenya"), here("known_customers_only")])
    SEEN.clear()
    assert carts.view(cart).can_be_ordered
    assert carts.view(cart).problems == ()
    assert SEEN == []
    with pytest.raises(CheckoutRefused, match="Kenya only"):
        order(cart)
    assert carts.view(cart, shipping_address={"country": "UG"}).problems
    assert order(cart, shipping_address=HOME).pk
    assert SEEN[-1] == checkout.Contact(email="a@example.org")


def test_preview_asks_as_the_checkout_does(cart, shop_settings):
    shop_settings(VALIDATORS=[here("only_to_kenya"), here("known_customers_only")])
    assert checkout.preview(cart).can_be_ordered  # the contact is not known
    stranger = checkout.Contact(email="a@example.com")
    view = checkout.preview(cart, contact=stranger)
    assert [str(problem) for problem in view.problems] == ["We deliver in Kenya only.", "Members only."]
    assert checkout.preview(
        cart, contact=checkout.Contact(email="a@example.org"), shipping_address=HOME
    ).can_be_ordered


def test_fault_of_a_validator_is_logged_and_refuses_the_order(client, cart, book, shop_settings, caplog):
    shop_settings(VALIDATORS=[here("broken")])
    added = client.post("/api/orders/cart/add_item/", {"product": book.isbn}, "application/json")
    shown = added.json()
    assert (added.status_code, shown["can_be_ordered"], shown["problem"]) == (200, False, "")
    assert [problem["code"] for problem in shown["problems"]] == ["validator_failed"]
    assert f"{here('broken')}: KeyError" in shown["problems"][0]["detail"]
    assert here("broken") in caplog.text
    response = client.post(
        "/api/orders/orders/",
        {"contact": {"email": "a@example.org"}},
        "application/json",
        headers={"X-Cart-Token": added.headers["X-Cart-Token"]},
    )
    assert (response.status_code, response.json()["code"]) == (503, "validator_failed")
    assert response.json()["hook"] == here("broken")
    assert not Order.objects.exists()


def test_site_without_validators_pays_nothing(cart, shop_settings, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr("shop_orders.carts.refusals.open_draft", None)
    with django_assert_num_queries(2):
        assert carts.view(cart).can_be_ordered


def test_empty_cart_and_one_that_cannot_be_priced_are_not_validated(cart, book, shop_settings):
    shop_settings(VALIDATORS=[here("broken")], PRICING=["testproject.hooks.broken"])
    assert [problem.code for problem in carts.view(cart).problems] == ["pricing_failed"]
    assert carts.view(None).problems == ()


def test_draft_without_a_contact_is_as_before():
    assert Draft(lines=(), currency="KES").contact is None
    assert Draft(lines=(), currency="KES").total == Decimal(0)


@pytest.mark.pg
@pytest.mark.django_db(transaction=True)
def test_validator_that_locks_is_asked_at_checkout(cart, shop_settings):
    shop_settings(VALIDATORS=[here("only_free_books"), MINIMUM])
    assert [problem.code for problem in carts.view(cart).problems] == ["order_too_small"]
    shop_settings(VALIDATORS=[here("only_free_books")])
    assert checkout.preview(cart, contact=checkout.Contact(email="a@example.org")).can_be_ordered
    Book.objects.update(on_hand=3)
    with transaction.atomic():
        assert [str(problem) for problem in carts.view(cart).problems] == ["Taken."]
    with pytest.raises(CheckoutRefused, match="Taken"):
        order(cart)
    Book.objects.update(on_hand=4)
    assert order(cart).pk
