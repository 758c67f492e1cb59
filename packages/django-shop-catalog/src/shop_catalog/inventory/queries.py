"""Statements of stock: a compiled read, an INSERT by ``bulk``, and an UPDATE in plain SQL.

``update_counters`` is plain SQL because it needs a condition, without which stock could be sold twice. The ORM has no
UPDATE from a list of values, and its ``bulk_update`` accepts no condition.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from django.db.models import BooleanField, Exists, ExpressionWrapper, F, OuterRef, Q, QuerySet
from django.db.models.lookups import In
from django.utils import timezone
from shop_core.db.compiled import CompiledQuery
from shop_core.db.transactions import connection_of

from shop_catalog.bulk.queries import insert_values
from shop_catalog.managers import published_at
from shop_catalog.models import Product, ProductKind, StockMovement

_SKIP_RECORDED = "ON CONFLICT (product_id, kind, reference) DO NOTHING"
"""A movement that is already recorded is not written again."""


class Change(NamedTuple):
    """The effect of one movement on a product."""

    stock: int = 0
    reserved: int = 0


class StockRow(NamedTuple):
    """The counters of a locked product, and whether it can be bought now."""

    id: int
    sku: str
    stock_quantity: int
    reserved_quantity: int
    low_stock_threshold: int | None
    is_on_sale: bool

    @property
    def available_quantity(self) -> int:
        return self.stock_quantity - self.reserved_quantity

    @property
    def sellable_quantity(self) -> int:
        return self.available_quantity if self.is_on_sale else 0


class Movement(NamedTuple):
    """The columns that differ between the movements of one INSERT."""

    product_id: int
    stock_change: int
    reserved_change: int
    crossing: str
    event_id: uuid.UUID


def lock_stock(skus: Iterable[str]) -> dict[str, StockRow]:
    """Lock the stock rows of some SKUs in primary-key order. Groups have no stock and count as unknown."""
    wanted = set(skus)
    if not wanted:
        return {}
    parameters = sku_parameters(wanted)
    return {row.sku: row for row in _STOCK_ROWS.rows(len(parameters), now=timezone.now(), **parameters)}


def insert_movements(movements: Sequence[Movement], *, kind: str, reference: str, reason: str, by_id: Any) -> set[int]:
    """Write movements of one kind under one reference. Returns the products whose movement was not yet recorded."""
    shared = {
        "kind": str(kind),
        "reference": reference,
        "reason": reason,
        "created_by_id": by_id,
        "created_at": timezone.now(),
    }
    found = insert_values(
        StockMovement,
        Movement._fields,
        movements,
        shared=shared,
        on_conflict=_SKIP_RECORDED,
        returning="product_id",
    )
    return set(found)


def update_counters(changes: Mapping[int, Change]) -> int:
    """Change the counters of products, by primary key, where the stock allows it. Returns how many were changed."""
    connection = connection_of(Product)
    table = connection.ops.quote_name(Product._meta.db_table)
    rows = ", ".join(["(%s, %s, %s)"] * len(changes))
    sql = f"""
        UPDATE {table} SET stock_quantity = stock_quantity + change.column2,
            reserved_quantity = reserved_quantity + change.column3
        FROM (VALUES {rows}) AS change
        WHERE {table}.id = change.column1
            AND reserved_quantity + change.column3 BETWEEN 0 AND stock_quantity + change.column2
    """  # noqa: S608 - the names are ours, the values are parameters
    with connection.cursor() as cursor:
        cursor.execute(sql, [value for pk, change in changes.items() for value in (pk, *change)])
        return int(cursor.rowcount)


def listed_ids(ids: Iterable[int]) -> list[int]:
    """The products that lists show for these: the group of a variant, otherwise the product itself."""
    rows = Product.objects.filter(pk__in=ids).values_list("pk", "parent_id")
    return [parent_id or pk for pk, parent_id in rows]


def sku_parameters(skus: Iterable[str]) -> dict[str, str]:
    """Parameters ``sku0``, ``sku1``, ... of a compiled query.

    The last SKU is repeated until their number is a power of two, so that few statements serve carts of any size.
    """
    named = list(skus)
    places = 1 << (len(named) - 1).bit_length()
    return {f"sku{place}": named[min(place, len(named) - 1)] for place in range(places)}


def _build_stock_rows(p: Any, places: int) -> QuerySet[Any, Any]:
    sku, now = Product._meta.get_field("sku"), p("now", Product._meta.get_field("publish_from"))
    group = Product.objects.filter(published_at(now), pk=OuterRef("parent"))
    on_sale = published_at(now) & (Q(parent__isnull=True) | Q(Exists(group)))
    named = In(F("sku"), [p(f"sku{place}", sku) for place in range(places)])
    products = Product.objects.filter(named).exclude(kind=ProductKind.GROUP).order_by("pk").select_for_update()
    counted = products.annotate(is_on_sale=ExpressionWrapper(on_sale, output_field=BooleanField()))
    rows: QuerySet[Any, Any] = counted.values_list(
        "id", "sku", "stock_quantity", "reserved_quantity", "low_stock_threshold", "is_on_sale"
    )
    return rows


_STOCK_ROWS = CompiledQuery(Product, _build_stock_rows, row=StockRow)
