"""Sales for the benchmarks of the staff's pages: orders by the shop's own actions, then copies of them in SQL."""

from __future__ import annotations

import contextlib
import random
from datetime import timedelta
from typing import Any

import psycopg
from django.utils import timezone

from bench import copies, data

SEEDS = 500
"""Orders that are placed one by one, and copied."""
YEARS = timedelta(days=3 * 365)
"""The copies are spread evenly over this time."""
OLD = 4
"""One of this many orders, the newest, also has events, movements and messages. A shop deletes older ones; with all of
them, two million orders would take 40 GB.
"""
ADDRESS = {"name": "Test Customer", "line1": "Acacia Court", "city": "Nairobi", "country": "KE"}
DONE = (("delivered", 80), ("shipped", 10), ("cancelled", 10))
OPEN = (("pending", 30), ("confirmed", 30), ("processing", 40))


def fill(url: str, *, orders: int) -> None:
    """``orders`` orders that are done, with payments and shipments, then 100 open ones.

    The newest also have events, movements and messages.
    """
    chance = random.Random(data.SEED)
    for status in _chosen(chance, DONE, SEEDS):
        _sell(chance, status)
    _send_messages()
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(psycopg.connect(url, autocommit=True))
        for tables in ("shop_orders_%", "shop_notify_%", "shop_catalog_stockmovement"):
            stack.enter_context(data.unindexed(connection, tables))
        count = orders // SEEDS
        wanted = dict.fromkeys(_sold(), count) | dict.fromkeys(_written(), count // OLD)
        copies.add(wanted, apart=YEARS * SEEDS / orders)
    for status in _chosen(chance, OPEN, 100):
        _sell(chance, status)


def _chosen(chance: random.Random, weights: tuple[tuple[str, int], ...], count: int) -> list[str]:
    return chance.choices([status for status, _weight in weights], [weight for _status, weight in weights], k=count)


def _sold() -> list[Any]:
    from shop_orders import models as orders

    sold = [orders.Customer, orders.Cart, orders.Order, orders.OrderLine, orders.Charge]
    return [*sold, orders.Payment, orders.Refund, orders.Credit, orders.Shipment, orders.ShipmentLine]


def _written() -> list[Any]:
    from shop_catalog.models import StockMovement
    from shop_notify.models import Attempt, Notification
    from shop_orders.models import OrderEvent, ProviderEvent

    return [OrderEvent, ProviderEvent, StockMovement, Notification, Attempt]


def _sell(chance: random.Random, status: str) -> None:
    from shop_catalog.models import Product
    from shop_orders import carts, checkout, lifecycle, payments

    number = chance.randrange(1, 10_000)
    cart, _token = carts.find_or_open(customer=None)
    for product in chance.sample(
        list(Product.objects.sellable().filter(stock_quantity__gt=5)[:500]), chance.choice((1, 1, 2))
    ):
        carts.add_item(cart, product.sku, 1)
    contact = checkout.Contact(name=f"Buyer {number}", email=f"buyer-{number}@example.org", phone=f"+2547{number:08}")
    order = checkout.place_order(
        cart, contact=contact, shipping_address=ADDRESS, delivery="home", provider="on_delivery"
    )
    if status in {"cancelled", "pending", "confirmed"}:
        if status == "cancelled":
            lifecycle.cancel(order.pk, reason="Ordered twice.")
        return
    lifecycle.start_processing(order.pk)
    if status == "processing":
        return
    lifecycle.ship(order.pk, carrier="City Couriers", tracking_number=f"CC{order.pk:06}")
    if status != "shipped":
        lifecycle.deliver(order.pk)
        payments.record_payment(order.pk)


def _send_messages() -> None:
    from shop_notify.models import Attempt, Notification

    Notification.objects.update(state="delivered", attempts=1, sent_at=timezone.now())
    Attempt.objects.bulk_create(
        Attempt(notification_id=key, number=1, started_at=moment, finished_at=moment, outcome="accepted")
        for key, moment in Notification.objects.values_list("pk", "created_at")
    )
