"""Races on a real database, with rows that are deleted afterwards: many buyers, few units.

``own_product`` and ``own_carts`` race the site's own product source, and the others race one over their own table.
``manage.py shop_orders_race`` runs them on a site's own database; the project's tests run them too, also with a source
that does not protect the stock, to show that the race detects this.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Barrier
from typing import Any, ClassVar

from django.apps.registry import Apps
from django.conf import settings
from django.db import DatabaseError, connections, models
from django.db.models import F
from django.test import override_settings
from shop_core.db.transactions import connection_of

from shop_orders import carts, checkout, events
from shop_orders.conf import app_settings
from shop_orders.exceptions import InsufficientStock, ShopOrdersError
from shop_orders.models import Cart, Customer, Order
from shop_orders.product_sources import ModelProductSource, product_source
from shop_orders.testing import queries
from shop_orders.transactions import in_transaction

TABLE = "shop_orders_race_item"


class RaceItem(models.Model):
    """A product that exists during a race only."""

    code = models.CharField(max_length=50, unique=True)
    price = models.DecimalField(max_digits=10, decimal_places=2, default=1)
    stock = models.IntegerField()

    objects: ClassVar[models.Manager[RaceItem]] = models.Manager()

    class Meta:
        app_label = "shop_orders"  # routers keep it in the database of the orders
        apps = Apps()
        db_table = TABLE

    def __str__(self) -> str:
        return self.code


class RaceSource(ModelProductSource):
    """The real source, which protects its stock, over the rows of the race."""

    def __init__(self) -> None:
        self.model = RaceItem
        self.ref = self.name = self.sku = "code"
        self.price, self.stock = "price", "stock"
        self.tax_class = self.weight = self.url = self.image = ""
        self.line_options = self.max_quantity = self.groups = self.needs_delivery = ""
        self.price_includes_tax = False
        self.filters = {}


class CarelessSource(RaceSource):
    """A wrong source: it reads the stock, waits, and writes what it computed from the old value. It oversells."""

    def reserve(self, quantities: Mapping[str, int], *, reference: str) -> Mapping[str, int]:  # noqa: ARG002
        rows = list(RaceItem.objects.filter(code__in=quantities))
        short = {row.code: row.stock for row in rows if row.stock < quantities[row.code]}
        time.sleep(0.02)
        if not short:
            for row in rows:
                RaceItem.objects.filter(pk=row.pk).update(stock=row.stock - quantities[row.code])
        return short


class UnsortedSource(RaceSource):
    """A wrong source: it updates the rows in random order. It deadlocks."""

    def reserve(self, quantities: Mapping[str, int], *, reference: str) -> Mapping[str, int]:  # noqa: ARG002
        for ref in random.sample(list(quantities), len(quantities)):
            step = quantities[ref]
            if not RaceItem.objects.filter(code=ref, stock__gte=step).update(stock=F("stock") - step):
                return {ref: 0}
            time.sleep(0.005)
        return {}


class NothingToRaceFor(Exception):
    """The configured source cannot be raced; the message says why."""


@dataclass(kw_only=True)
class Result:
    """The result of a race. ``errors`` counts unexpected errors by their type."""

    sold: int = 0
    orders: int = 0
    refused: int = 0
    left: int = 0
    expected: int = 0
    """The units that must be sold, where that is known before."""
    deadlocks: int = 0
    seconds: float = 0.0
    errors: Counter[str] = field(default_factory=Counter)


def hot_product(*, buyers: int = 64, units: int = 50, source: type[RaceSource] = RaceSource) -> Result:
    """Every buyer wants one unit of the same product at the same moment."""
    with _race_table(source) as stock:
        RaceItem.objects.create(code="hot", stock=units)
        result = _race([{"hot": 1}] * buyers, stock, threads=buyers)
    result.expected = min(buyers, units)
    return result


def mixed_carts(
    *,
    buyers: int = 64,
    orders: int = 640,
    products: int = 30,
    lines: int = 3,
    source: type[RaceSource] = RaceSource,
) -> Result:
    """Every order has a few of many products, in random order. No product sells out."""
    with _race_table(source) as stock:
        codes = [f"item-{number}" for number in range(products)]
        RaceItem.objects.bulk_create(RaceItem(code=code, stock=orders) for code in codes)
        wanted = [dict.fromkeys(random.sample(codes, lines), 1) for _order in range(orders)]
        return _race(wanted, stock, threads=buyers)


def own_product(ref: str, *, buyers: int = 64, units: int = 50) -> Result:
    """The same race for a product of the configured PRODUCT_SOURCE.

    The quantity that each buyer wants is chosen so that the stock is enough for at most ``units`` buyers. What was
    reserved is released afterwards.

    Raises:
        NothingToRaceFor: the product is not on sale, or has no stock.
    """
    with _configured_source([ref]) as stock:
        at_first = stock()
        each = -(-at_first // min(units, buyers))
        result = _race([{ref: each}] * buyers, stock, threads=buyers)
        result.expected = min(buyers, at_first // each) * each
    return _with_release(result, before=at_first, after=stock())


def own_carts(refs: Sequence[str], *, buyers: int = 64, orders: int = 640) -> Result:
    """Every order has one unit of each of these products, in random order, until one of them is sold out.

    Raises:
        NothingToRaceFor: a product is not on sale, or has no stock.
    """
    with _configured_source(refs) as stock:
        at_first = stock()
        wanted = [dict.fromkeys(random.sample(refs, len(refs)), 1) for _order in range(orders)]
        result = _race(wanted, stock, threads=buyers)
    return _with_release(result, before=at_first, after=stock())


def _race(wanted: list[dict[str, int]], stock: Callable[[], int], *, threads: int) -> Result:
    prepared = [_filled_cart(number, quantities) for number, quantities in enumerate(wanted)]
    before, at_first = _deadlocks(), stock()
    result, started = Result(), time.monotonic()
    barrier = Barrier(min(threads, len(prepared)))
    with ThreadPoolExecutor(threads, initializer=barrier.wait) as pool:
        outcomes = list(pool.map(_buy, prepared))
    result.seconds = time.monotonic() - started
    for outcome in outcomes:
        if outcome == "order":
            result.orders += 1
        elif outcome == "refused":
            result.refused += 1
        else:
            result.errors[outcome] += 1
    result.left = stock()
    result.sold = sum(sum(wanted[number].values()) for number, outcome in enumerate(outcomes) if outcome == "order")
    result.deadlocks = _deadlocks() - before
    if at_first - result.left != result.sold:
        result.errors["stock does not match the orders"] += 1
    return result


def _filled_cart(number: int, quantities: Mapping[str, int]) -> Cart:
    customer = Customer.objects.create(email=f"race-{number}@example.org", last_name=RaceSource.__name__)
    cart, _token = carts.find_or_open(customer=customer)
    for code in quantities:
        carts.add_item(cart, code, quantities[code])
    return cart


def _buy(cart: Cart) -> str:
    try:
        with events.muted():
            checkout.place_order(cart)
    except InsufficientStock:
        return "refused"
    except ShopOrdersError as error:
        return error.code
    except Exception as error:  # noqa: BLE001 - a race reports whatever happens
        return type(error).__name__
    finally:
        close_connection()
    return "order"


@contextmanager
def _race_table(source: type[RaceSource]) -> Iterator[Callable[[], int]]:
    """A table for the race and plain settings; both are removed afterwards. Yields the units in stock."""
    with connection_of(RaceItem).schema_editor() as editor:
        editor.create_model(RaceItem)
    try:
        with _race_settings(PRODUCT_SOURCE={"BACKEND": f"{source.__module__}.{source.__name__}"}):
            yield lambda: sum(RaceItem.objects.values_list("stock", flat=True))
    finally:
        with connection_of(RaceItem).schema_editor() as editor:
            editor.delete_model(RaceItem)


@contextmanager
def _configured_source(refs: Sequence[str]) -> Iterator[Callable[[], int]]:
    """The site's own source. Yields the available units of these products; all stock is released afterwards."""

    def units() -> int:
        products = product_source().fetch(refs)
        return sum(products[ref].available or 0 if ref in products else 0 for ref in refs)

    products = product_source().fetch(refs)
    for ref in refs:
        if ref not in products:
            raise NothingToRaceFor(f"There is no product {ref!r} on sale in PRODUCT_SOURCE.")
        if not products[ref].available:
            raise NothingToRaceFor(f"The product {ref!r} has no stock that is counted. Choose one with units on hand.")
    with _race_settings():
        yield units


def _with_release(result: Result, *, before: int, after: int) -> Result:
    if before != after:
        result.errors[f"{before} units available before the race and {after} after the release"] += 1
    return result


@contextmanager
def _race_settings(**changes: Any) -> Iterator[None]:
    """Settings without the site's prices, rules and limits; the rows of the race are deleted afterwards."""
    changed = {
        **getattr(settings, app_settings.setting, {}),
        "CURRENCY": app_settings.get("CURRENCY", "KES"),
        "PAYMENT_PROVIDERS": {"on_delivery": {"BACKEND": "shop_orders.payment_providers.PayOnDelivery"}},
        "PRICING": [],
        "VALIDATORS": [],
        "MAX_QUANTITY": 10**6,
        "MAX_UNPAID_UNITS": 10**9,
        **changes,
    }
    last_customer = Customer.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    with override_settings(SHOP_ORDERS=changed):
        try:
            yield
        finally:
            _clean_up(last_customer)


def _clean_up(last_customer: int) -> None:
    racers = Customer.objects.filter(
        pk__gt=last_customer, user=None, email__startswith="race-", last_name=RaceSource.__name__
    )
    for order in Order.objects.filter(customer__in=racers).prefetch_related("lines"):
        _release(order)
    Order.objects.filter(customer__in=racers).delete()
    Cart.objects.filter(customer__in=racers).delete()
    racers.delete()


@in_transaction(Order)
def _release(order: Order) -> None:
    quantities = {line.product_ref: line.quantity for line in order.lines.all()}
    product_source().release(quantities, reference=order.number)


def close_connection() -> None:
    """Close this thread's connection, after the server has published the connection's statistics."""
    if connection_of(Order).vendor == "postgresql":
        with suppress(DatabaseError):
            queries.publish_statistics()
    connections.close_all()


def _deadlocks() -> int:
    return queries.deadlocks() if connection_of(Order).vendor == "postgresql" else 0
