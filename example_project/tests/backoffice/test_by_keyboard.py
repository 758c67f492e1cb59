"""The order's page in headless Chromium, by keyboard only. Needs what the shop's browser tests need."""

from __future__ import annotations

import pytest
from accounts.models import User
from allauth.account.models import EmailAddress
from shop_orders import carts, checkout, customers
from shop_orders.models import Order

PASSWORD = "a-long-and-odd-one-42"

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_orders_are_worked_on_without_a_mouse(live_server, settings, catalogue, make_user, node):
    settings.SHOP_ORDERS = {
        **settings.SHOP_ORDERS,
        "PAYMENT_PROVIDERS": {
            "bank": {"BACKEND": "shop_orders.payment_providers.BankTransfer", "OPTIONS": {"account": "Test Bank"}}
        },
    }
    customer = customers.for_user(make_user())
    first, second = (_order(customer) for _number in range(2))
    chief = User.objects.create_superuser("staff@example.org", PASSWORD)
    EmailAddress.objects.create(user=chief, email=chief.email, primary=True, verified=True)

    node("workplace.mjs", live_server.url, str(first.pk), str(second.pk), chief.email, PASSWORD)
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, first.payment_status, first.refunded_amount) == ("delivered", "part_refunded", 950)
    assert (first.lines.get().restocked_quantity, first.shipments.get().tracking_number) == (1, "CC-KEYS-1")
    assert second.status == "confirmed"


def _order(customer) -> Order:
    cart, _token = carts.find_or_open(customer=customer)
    carts.add_item(cart, "MUG", 2)
    address = {"name": "Test Customer", "line1": "Acacia Court", "city": "Nairobi", "country": "KE"}
    return checkout.place_order(cart, shipping_address=address, delivery="home", provider="bank")
