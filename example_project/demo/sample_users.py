"""Sample accounts. Their password is known in the demo and under DEBUG, unusable elsewhere."""

from __future__ import annotations

from accounts.models import User
from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth.models import Group, Permission
from shop_orders import customers

PASSWORD = "acacia-demo"  # noqa: S105 - printed by the demo; unusable elsewhere
PHONE = "0712 345 678"
ADDRESS = {"name": "Test Customer", "line1": "Acacia Court, second floor", "city": "Nairobi", "is_default": True}
STAFF_APPS = ("shop_catalog", "shop_orders", "shop_notify")


def load(*, with_passwords: bool = True) -> list[User]:
    """Create the customers, a shopkeeper with the shopkeepers' group, and an administrator. Return the customers."""
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
