from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from accounts.models import User
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone
from shop_catalog import categories, inventory, products
from shop_orders.models import Customer, Order, OrderLine

PASSWORD = "a-long-and-odd-one-42"


@pytest.fixture
def catalogue(db: None) -> dict[str, Any]:
    """Two top categories, one subcategory; a mug, a shirt in two sizes, and a book in both top categories."""
    kitchen, clothing = categories.create("Kitchen"), categories.create("Clothing")
    cups = categories.create("Cups", parent=kitchen)
    products.create("MUG", name="Market mug", price=Decimal(950), categories=[cups], low_stock_threshold=5)
    shirt = products.create("SHIRT", name="Acacia shirt", kind="group", categories=[clothing])
    for size in ("S", "L"):
        products.create(f"SHIRT-{size}", kind="variant", parent=shirt, price=Decimal(1800), options={"size": size})
    products.create("BOOK", name="Cook in an apron", price=Decimal(700), categories=[kitchen, clothing])
    products.create("GIFT", name="Gift card", price=Decimal(100))
    inventory.receive({"MUG": 4, "SHIRT-L": 30, "BOOK": 30, "GIFT": 30}, reference="first")
    return {"kitchen": kitchen, "clothing": clothing}


class Batch:
    """Orders that are sold: ``add`` them, then ``write`` all of them."""

    def __init__(self) -> None:
        self.numbers = itertools.count(1)
        self.orders: list[Order] = []
        self.lines: list[OrderLine] = []

    def add(
        self,
        lines: Mapping[str, tuple[int, str]],
        *,
        at: datetime | None = None,
        status: str = "confirmed",
        currency: str = "KES",
        delivery: str = "350",
        **fields: Any,
    ) -> Order:
        """An order with ``{sku: (quantity, unit price)}`` and a delivery for 350."""
        subtotal = sum((quantity * Decimal(price) for quantity, price in lines.values()), Decimal(0))
        total = subtotal + Decimal(delivery)
        order = Order(
            number=f"TEST-{next(self.numbers):04}",
            customer=Customer(),
            status=status,
            currency=currency,
            subtotal=subtotal,
            charges_total=Decimal(delivery),
            net_total=total,
            tax_total=0,
            total=total,
            payment_provider="on_delivery",
            placed_at=at or timezone.now(),
            **fields,
        )
        self.orders.append(order)
        self.lines += [
            OrderLine(
                order=order,
                position=position,
                product_ref=sku,
                sku=sku,
                name=sku.title(),
                quantity=quantity,
                unit_price=Decimal(price),
                line_total=quantity * Decimal(price),
            )
            for position, (sku, (quantity, price)) in enumerate(lines.items())
        ]
        return order

    def write(self) -> None:
        Customer.objects.bulk_create([order.customer for order in self.orders])
        Order.objects.bulk_create(self.orders)
        OrderLine.objects.bulk_create(self.lines)
        self.orders, self.lines = [], []


@pytest.fixture
def batch(db: None) -> Batch:
    return Batch()


@pytest.fixture
def sell(batch: Batch) -> Callable[..., Order]:
    """Write an order with ``{sku: (quantity, unit price)}`` and a delivery for 350."""

    def write(lines: Mapping[str, tuple[int, str]], **fields: Any) -> Order:
        order = batch.add(lines, **fields)
        batch.write()
        return order

    return write


@pytest.fixture
def staff(db: None) -> Callable[..., Client]:
    """A client logged in as staff with permissions such as ``shop_orders.view_order``; "everything" for all."""

    def enter(*names: str) -> Client:
        user = User.objects.create_user(
            f"staff-{User.objects.count()}@example.org", PASSWORD, is_staff=True, is_superuser="everything" in names
        )
        for name in names:
            app_label, _dot, codename = name.partition(".")
            user.user_permissions.add(*Permission.objects.filter(content_type__app_label=app_label, codename=codename))
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return enter
