"""Sample accounts and what they ordered. Their password is known in the demo and under DEBUG, unusable elsewhere."""

from __future__ import annotations

from accounts.models import User
from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth.models import Group, Permission
from shop_orders import carts, checkout, customers, lifecycle
from shop_orders.models import Order

PASSWORD = "acacia-demo"  # noqa: S105 - printed by the demo; unusable elsewhere
PHONE = "0712 345 678"
ADDRESS = {"name": "Test Customer", "line1": "Acacia Court, second floor", "city": "Nairobi", "is_default": True}
STAFF_APPS = ("shop_catalog", "shop_orders", "shop_notify")

ORDERS: list[tuple[dict[str, int], str]] = [
    ({"MUG-RED": 2, "COF-NYE": 1}, "delivered"),
    ({"TSH-TRE-M": 1, "TOT-TRE": 1, "SOP-OLV": 3}, "shipped"),
    ({"KIT-DIA": 1, "BAL-PLY": 1}, "processing"),
    ({"LMP-DSK": 1}, "confirmed"),
    ({"HON-ACA": 2, "TEA-HIB": 1}, "cancelled"),
]
"""What the sample customer ordered, and how far each order has come."""


def load(*, with_passwords: bool = True) -> list[User]:
    """The customers; the group of shopkeepers, one of them and an administrator are made besides."""
    password = PASSWORD if with_passwords and (settings.DEMO or settings.DEBUG) else None
    if password:
        User.objects.create_superuser("admin@example.org", password, first_name="Shop", last_name="Administrator")
    shopkeepers, _is_new = Group.objects.get_or_create(name="Shopkeepers")
    shopkeepers.permissions.set(Permission.objects.filter(content_type__app_label__in=STAFF_APPS))
    staff = User.objects.create_user(
        "staff@example.org", password, first_name="Shop", last_name="Keeper", is_staff=True
    )
    staff.groups.add(shopkeepers)
    names = [("customer", "Test"), ("second.customer", "Second"), ("third.customer", "Third")]
    buyers = [
        User.objects.create_user(f"{name}@example.org", password, first_name=first, last_name="Customer")
        for name, first in names
    ]
    for user in User.objects.all():
        EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
    customer = customers.update(customers.for_user(buyers[0]), phone=PHONE)
    customers.set_addresses(customer, [{**ADDRESS, "country": settings.SHOP_COUNTRY}])
    return buyers


def place_orders() -> None:
    """Orders in every status, of which nobody is told."""
    user = User.objects.get(email="customer@example.org")
    customer = customers.for_user(user)
    for quantities, status in ORDERS:
        cart, _token = carts.find_or_open(customer=customer)
        for sku, quantity in quantities.items():
            carts.add_item(cart, sku, quantity)
        order = checkout.place_order(cart, delivery="home", provider="on_delivery", by=user, notify=False)
        _bring_to(order, status)


def _bring_to(order: Order, status: str) -> None:
    if status == "cancelled":
        lifecycle.cancel(order.pk, reason="Ordered twice.", notify=False)
        return
    if status == "confirmed":
        return
    lifecycle.start_processing(order.pk, notify=False)
    if status == "processing":
        return
    lifecycle.ship(order.pk, carrier="City Couriers", tracking_number=f"CC{order.pk:06}", notify=False)
    if status == "delivered":
        lifecycle.deliver(order.pk, notify=False)
