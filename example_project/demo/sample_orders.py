"""Sample orders: a month of sales, the same at each load, without messages."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from accounts.models import User
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from shop_orders import carts, checkout, customers, lifecycle, payments
from shop_orders.models import Order

from demo.catalogue import PRODUCTS, REVIEWS

DAYS = 30
ENOUGH = 20
"""Products with less stock are left for the visitors of the demo."""
ORDERS: list[tuple[dict[str, int], str, int]] = [
    ({"MUG-RED": 2, "COF-NYE": 1}, "delivered", 16),
    ({"TSH-TRE-M": 1, "TOT-TRE": 1, "SOP-OLV": 3}, "shipped", 4),
    ({"KIT-DIA": 1, "BAL-PLY": 1}, "processing", 2),
    ({"LMP-DSK": 1}, "confirmed", 1),
    ({"HON-ACA": 2, "TEA-HIB": 1}, "cancelled", 9),
]
"""The orders of the sample customer: quantities, status, and how many days ago they were placed."""
GUESTS = [
    {"name": "Test Guest", "email": "guest@example.org", "phone": "0712 345 670"},
    {"name": "Second Guest", "email": "second.guest@example.org", "phone": ""},
]
ADDRESS = {"name": "Test Customer", "line1": "Acacia Court", "city": "Nairobi"}


@transaction.atomic
def place() -> None:
    """Place orders of two customers for the products they review, one order in each status, then a month of orders."""
    chance = random.Random(2026)  # noqa: S311 - sample data
    buyers = list(User.objects.filter(is_staff=False).order_by("pk"))
    for number, user in enumerate(buyers[:2]):
        reviewed = [_first_sku(sku) for sku, opinions in REVIEWS.items() if len(opinions) > number]
        for place in range(0, len(reviewed), 2):
            quantities = dict.fromkeys(reviewed[place : place + 2], 1)
            _sell(quantities, "delivered", _moment(chance, days_ago=DAYS - 1 - place - number), user=user)
    for quantities, status, days_ago in ORDERS:
        _sell(quantities, status, _moment(chance, days_ago=days_ago), user=buyers[0])
    plenty = [item.sku for item in PRODUCTS if not item.sizes and item.stock >= ENOUGH]
    for days_ago in range(DAYS - 1, -1, -1):
        for _number in range(chance.choice((0, 1, 1, 1, 2, 2))):
            quantities = {sku: chance.choice((1, 1, 1, 2)) for sku in chance.sample(plenty, chance.choice((1, 2, 3)))}
            is_known = chance.random() < 0.6
            who: dict[str, Any] = (
                {"user": chance.choice(buyers[1:])} if is_known else {"contact": chance.choice(GUESTS)}
            )
            _sell(quantities, _status(chance, days_ago), _moment(chance, days_ago=days_ago), **who)


def _first_sku(sku: str) -> str:
    """The product's own SKU, or that of a variant with enough stock."""
    sizes = next(item.sizes for item in PRODUCTS if item.sku == sku)
    return f"{sku}-{max(sizes, key=lambda size: sizes[size])}" if sizes else sku


def _status(chance: random.Random, days_ago: int) -> str:
    if chance.random() < 0.07:
        return "cancelled"
    if days_ago > 5:
        return "delivered"
    if days_ago > 2:
        return "shipped"
    return chance.choice(("pending", "pending", "confirmed", "processing"))


def _moment(chance: random.Random, *, days_ago: int) -> datetime:
    day = timezone.localtime() - timedelta(days=days_ago)
    moment = day.replace(hour=chance.randint(7, 20), minute=chance.randint(0, 59), second=0, microsecond=0)
    return min(moment, timezone.now() - timedelta(minutes=chance.randint(5, 50)))


def _sell(
    quantities: Mapping[str, int],
    status: str,
    moment: datetime,
    *,
    user: User | None = None,
    contact: Mapping[str, str] | None = None,
) -> None:
    """Place an order with the usual actions, then move its times into the past."""
    cart, _token = carts.find_or_open(customer=customers.for_user(user) if user else None)
    for sku, quantity in quantities.items():
        carts.add_item(cart, sku, quantity)
    is_paid_ahead = status == "pending" and "bank_transfer" in settings.PAYMENT_PROVIDERS
    order = checkout.place_order(
        cart,
        contact=checkout.Contact(**contact) if contact else None,
        shipping_address={**ADDRESS, "country": settings.SHOP_COUNTRY},
        delivery="home",
        provider="bank_transfer" if is_paid_ahead else "on_delivery",
        by=user,
        notify=False,
    )
    _bring_to(order, status)
    _set_back(order, moment)


def _bring_to(order: Order, status: str) -> None:
    if status == "cancelled":
        lifecycle.cancel(order.pk, reason="Ordered twice.", notify=False)
        return
    if status in {"pending", "confirmed"}:
        return
    lifecycle.start_processing(order.pk, notify=False)
    if status == "processing":
        return
    number = f"CC{order.pk:06}"
    url = f"https://couriers.example.org/{number}"
    lifecycle.ship(order.pk, carrier="City Couriers", tracking_number=number, tracking_url=url, notify=False)
    if status == "delivered":
        lifecycle.deliver(order.pk, notify=False)
        payments.record_payment(order.pk, notify=False)


def _set_back(order: Order, moment: datetime) -> None:
    """Move an order to ``moment`` and its later events after it, none of them into the future."""
    order.expires_at = order.expires_at and moment + timedelta(days=7)
    Order.objects.filter(pk=order.pk).update(placed_at=moment, expires_at=order.expires_at)
    events = list(order.events.order_by("pk"))
    step = min(timedelta(hours=9), (timezone.now() - moment) / len(events))
    for number, event in enumerate(events):
        event.created_at = moment + step * max(number - 1, 0)
        event.save(update_fields=["created_at"])
    shipped = next((event.created_at for event in events if event.kind == "shipment_sent"), None)
    if shipped:
        order.shipments.update(shipped_at=shipped)
