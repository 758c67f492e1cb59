"""Hooks of a site that raise an error or return the wrong type: it is logged, and everything else works."""

import pytest
from shop_orders import carts, checkout, customers, events, tracking
from shop_orders.exceptions import CheckoutRefused, OrderNumberRefused
from shop_orders.models import Customer, Order

pytestmark = pytest.mark.django_db


def raises(*_values):
    raise KeyError("secret")


def nothing(*_values):
    return None


def number(*_values):
    return 7


def nones(user):
    return {"first_name": None, "email": None, "phone": None}


def wrong_texts(user):
    return {"first_name": 7}


def unknown_fields(user):
    return {"first_name": "Amina", "shoe_size": "43"}


def refuses(order):
    raise CheckoutRefused("No more orders today.")


def here(name):
    return f"{__name__}.{name}"


@pytest.mark.parametrize("hook", ["raises", "nothing", "number"])
def test_order_is_placed_without_a_url(place, shop_settings, hook, caplog):
    shop_settings(ORDER_URL=here(hook))
    assert events.order_url(place()) == ""
    assert "ORDER_URL" in caplog.text


@pytest.mark.parametrize("hook", ["raises", "nothing", "number"])
def test_order_is_tracked_without_messages(client, user, place, shop_settings, hook, caplog):
    order = place()
    shop_settings(DELIVERIES=here(hook))
    assert tracking.of(order).deliveries == []
    path = f"/api/orders/orders/{order.number}/tracking/"
    shown = client.get(path, headers={"Authorization": f"Bearer user-{user.pk}"})
    assert (shown.status_code, shown.json()["deliveries"]) == (200, [])
    assert "DELIVERIES" in caplog.text


@pytest.mark.parametrize(
    ("hook", "first_name"),
    [("raises", ""), ("nothing", ""), ("number", ""), ("nones", ""), ("wrong_texts", ""), ("unknown_fields", "Amina")],
)
def test_customer_is_created_from_what_the_hook_returns(user, shop_settings, hook, first_name, caplog):
    shop_settings(NEW_CUSTOMER=here(hook))
    customer = customers.for_user(user)
    assert (customer.first_name, Customer.objects.count()) == (first_name, 1)
    assert ("NEW_CUSTOMER" in caplog.text) is (hook != "nones")


def test_order_number_that_cannot_be_made_refuses_the_order(book, shop_settings, caplog):
    cart, _token = carts.add_to_cart(book.isbn)
    contact = checkout.Contact(email="a@example.org")
    for hook, error in (("raises", OrderNumberRefused), ("refuses", CheckoutRefused)):
        shop_settings(ORDER_NUMBER=here(hook))
        with pytest.raises(error):
            checkout.place_order(cart, contact=contact)
    assert ("secret" in caplog.text, Order.objects.exists()) == (True, False)
    shop_settings(ORDER_NUMBER="shop_orders.numbers.order_number")
    assert checkout.place_order(cart, contact=contact).pk
