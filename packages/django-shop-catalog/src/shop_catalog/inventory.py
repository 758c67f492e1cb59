"""Stock: every change is a movement in the ledger, made once.

All verbs work on many products at a time, ``{sku: quantity}``, in the caller's transaction or one of their own. Rows
are locked in primary-key order, so that two of them never wait for each other. A movement that the ledger holds
already, under the same product, kind and reference, is not made again; another quantity under it is refused.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, lru_cache, partial
from typing import Any, NamedTuple

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connections, router, transaction
from django.db.models import BooleanField, Exists, ExpressionWrapper, F, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.db.models.lookups import In
from django.utils import timezone
from django.utils.translation import gettext as _

from shop_catalog import signals
from shop_catalog.exceptions import InsufficientStock, InvalidProduct, MovementConflict, UnknownProduct
from shop_catalog.hot_query import HotQuery
from shop_catalog.managers import published_at
from shop_catalog.models import MovementKind, Product, ProductKind, StockMovement

logger = logging.getLogger(__name__)

ANNOUNCE_AFTER = timedelta(minutes=1)
"""How long a crossing is left to the process that made it before the periodic job announces it."""

MAX_QUANTITY = 2**31 - 1

CHUNK = 1000
"""Movements written by one statement."""


class Change(NamedTuple):
    """What one movement does to a product."""

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


@dataclass(frozen=True)
class Difference:
    """A product whose stock is not the sum of its movements."""

    sku: str
    stock_quantity: int
    stock_moved: int
    reserved_quantity: int
    reserved_moved: int


def receive(
    quantities: Mapping[str, int], *, reference: str = "", reason: str = "", by: AbstractBaseUser | None = None
) -> None:
    """Add goods that came in. Without a reference one is made up, and a second call receives again.

    Raises:
        UnknownProduct: a SKU is not of a simple product or a variant.
    """
    changes = {sku: Change(stock=quantity) for sku, quantity in _positive(quantities).items()}
    _move(MovementKind.RECEIVE, changes, reference=reference, reason=reason, by=by)


def adjust(
    changes: Mapping[str, int], *, reason: str, reference: str = "", by: AbstractBaseUser | None = None
) -> None:
    """Correct on hand by a difference per SKU, up or down, for a reason.

    Raises:
        InsufficientStock: less would be left than is reserved.
        UnknownProduct: a SKU is not of a simple product or a variant.
    """
    moves = {sku: Change(stock=difference) for sku, difference in changes.items() if difference}
    _move(MovementKind.ADJUST, moves, reference=reference, reason=reason, by=by)


def count(
    quantities: Mapping[str, int], *, reason: str, reference: str = "", by: AbstractBaseUser | None = None
) -> None:
    """State what is on hand, as after a stocktaking. What is reserved stays reserved.

    Raises:
        InsufficientStock: less is stated than is reserved.
        UnknownProduct: a SKU is not of a simple product or a variant.
    """
    with transaction.atomic():
        rows = _lock(quantities)
        changes = {sku: quantity - rows[sku].stock_quantity for sku, quantity in quantities.items()}
        adjust(changes, reason=reason, reference=reference, by=by)


def reserve(quantities: Mapping[str, int], *, reference: str) -> dict[str, int]:
    """Take stock for all SKUs or none. Answers ``{}`` or, for each short SKU, what is available.

    What cannot be bought (unknown, a group, unpublished) is short with 0 available. A checkout has a transaction that
    any error ends, so none is nested in it by a savepoint.

    Raises:
        MovementConflict: the ledger has the reference with another quantity. The caller's transaction has to end.
    """
    wanted = _positive(quantities)
    with transaction.atomic(savepoint=False):
        rows = _lock(wanted, strict=False)
        short = {
            sku: available
            for sku, quantity in wanted.items()
            if (available := rows[sku].sellable_quantity if sku in rows else 0) < quantity
        }
        if short:
            recorded = _recorded(MovementKind.RESERVE, rows.values(), reference)
            short = {sku: available for sku, available in short.items() if sku not in recorded}
        if not short:
            changes = {sku: Change(reserved=quantity) for sku, quantity in wanted.items()}
            _book(MovementKind.RESERVE, changes, rows=rows, reference=reference)
    return short


def release(quantities: Mapping[str, int], *, reference: str) -> None:
    """Give back what was reserved under an order's reference and is not shipped. Unknown SKUs are passed over."""
    changes = {sku: Change(reserved=-quantity) for sku, quantity in _positive(quantities).items()}
    _move(MovementKind.RELEASE, changes, reference=reference, strict=False)


def ship(quantities: Mapping[str, int], *, reference: str) -> None:
    """Take reserved goods out of the house, under the shipment's reference. Unknown SKUs are passed over.

    Raises:
        InsufficientStock: more than is reserved.
    """
    changes = {sku: Change(stock=-quantity, reserved=-quantity) for sku, quantity in _positive(quantities).items()}
    _move(MovementKind.SHIP, changes, reference=reference, strict=False)


def restock(quantities: Mapping[str, int], *, reference: str) -> None:
    """Put shipped goods that came back on hand, under the return's reference. Unknown SKUs are passed over."""
    changes = {sku: Change(stock=quantity) for sku, quantity in _positive(quantities).items()}
    _move(MovementKind.RESTOCK, changes, reference=reference, strict=False)


def differences() -> list[Difference]:
    """Products whose on hand or reserved is not the sum of their movements. Empty when all is well."""
    products = Product.objects.annotate(
        stock_moved=Coalesce(Sum("stock_movements__stock_change"), 0),
        reserved_moved=Coalesce(Sum("stock_movements__reserved_change"), 0),
    )
    wrong = products.exclude(stock_moved=F("stock_quantity"), reserved_moved=F("reserved_quantity")).order_by("sku")
    fields = ("sku", "stock_quantity", "stock_moved", "reserved_quantity", "reserved_moved")
    return [Difference(*values) for values in wrong.values_list(*fields)]


def announce(movement_id: int) -> bool:
    """Send the signal of a crossing unless it was sent. True when every receiver returned without error."""
    movement = StockMovement.objects.select_related("product").filter(pk=movement_id).unannounced().first()
    if movement is None:
        return True
    product = movement.product
    payload = {
        "version": 1,
        "product": {"sku": product.sku, "name": product.name, "slug": product.listed.slug},
        "available": product.available_quantity,
        "threshold": product.low_stock_threshold,
        "notify": True,
        "recipients": {},
    }
    signal = signals.stock_low if movement.crossing == "low" else signals.stock_back
    answers = signal.send_robust(sender=Product, product=product, payload=payload, event_id=str(movement.event_id))
    for receiver, error in answers:
        if isinstance(error, Exception):
            logger.error("%r failed on crossing %s", receiver, movement.event_id, exc_info=error)
            return False
    StockMovement.objects.filter(pk=movement.pk).update(announced_at=timezone.now())
    return True


def announce_pending() -> int:
    """Announce the crossings that a crash or a failing receiver left over. Answers how many went out."""
    waiting = StockMovement.objects.unannounced().filter(created_at__lt=timezone.now() - ANNOUNCE_AFTER)
    return sum(announce(movement_id) for movement_id in waiting.order_by("id").values_list("id", flat=True))


def _move(
    kind: MovementKind,
    changes: Mapping[str, Change],
    *,
    reference: str,
    reason: str = "",
    by: AbstractBaseUser | None = None,
    strict: bool = True,
) -> None:
    """Change the counters of all products and write their movements, or change nothing."""
    with transaction.atomic():
        rows = _lock(changes, strict=strict)
        _book(kind, changes, rows=rows, reference=reference or uuid.uuid4().hex, reason=reason, by=by)


def _book(
    kind: MovementKind,
    changes: Mapping[str, Change],
    *,
    rows: Mapping[str, StockRow],
    reference: str,
    reason: str = "",
    by: AbstractBaseUser | None = None,
) -> None:
    """Write the movements of locked rows and change their counters. What the ledger has already is not made again."""
    movements = [
        _Movement(rows[sku].id, *change, _crossing(rows[sku], change), uuid.uuid4())
        for sku, change in changes.items()
        if sku in rows
    ]
    author = None if by is None else by.pk
    written = _insert(movements, kind=kind, reference=reference, reason=reason, created_by_id=author)
    if len(written) < len(movements):
        recorded = _recorded(kind, rows.values(), reference)
        _refuse_other_quantities(recorded, changes, reference=reference)
    due = {rows[sku]: change for sku, change in changes.items() if sku in rows and rows[sku].id in written}
    if not due:
        return
    _refuse_impossible(due)
    if _update_counters(due) != len(due):
        raise InsufficientStock(_("The stock changed in the meantime. Try again."), available={})
    for movement in movements:
        if movement.crossing and movement.product_id in written:
            transaction.on_commit(partial(_announce_after_commit, movement.event_id), robust=True)


class _Movement(NamedTuple):
    """The columns in which the movements of one statement differ."""

    product_id: int
    stock_change: int
    reserved_change: int
    crossing: str
    event_id: uuid.UUID


def _insert(movements: Sequence[_Movement], **shared: Any) -> set[int]:
    """Write movements, ``shared`` in their other columns; answers the products that the ledger did not have yet.

    Written by hand, since the ORM does not tell which rows ON CONFLICT passed over. The names come from the model.
    """
    connection = connections[router.db_for_write(StockMovement)]
    fields = _fields()
    shared["created_at"] = timezone.now()
    alike = [fields[name].get_db_prep_save(value, connection) for name, value in shared.items()]
    sql, places = _insert_sql(connection.alias, tuple(shared))
    written = set()
    with connection.cursor() as cursor:
        for start in range(0, len(movements), CHUNK):
            part = movements[start : start + CHUNK]
            values: list[Any] = []
            for *own, event_id in part:
                values += [*own, fields["event_id"].get_db_prep_save(event_id, connection), *alike]
            cursor.execute(sql % ", ".join([places] * len(part)), values)
            written |= {product_id for (product_id,) in cursor.fetchall()}
    return written


@cache
def _fields() -> dict[str, Any]:
    return {field.attname: field for field in StockMovement._meta.concrete_fields}


@lru_cache
def _insert_sql(alias: str, shared: tuple[str, ...]) -> tuple[str, str]:
    """The statement with a place for its rows, and a row's places."""
    quote = connections[alias].ops.quote_name
    own = _Movement._fields  # noqa: SLF001 - public in named tuples
    names = [quote(_fields()[name].column) for name in (*own, *shared)]
    table = quote(StockMovement._meta.db_table)
    sql = f"""
        INSERT INTO {table} ({", ".join(names)}) VALUES %s
        ON CONFLICT (product_id, kind, reference) DO NOTHING RETURNING product_id
    """  # noqa: S608 - the names are ours, the values are parameters
    return sql, f"({', '.join(['%s'] * len(names))})"


def _announce_after_commit(event_id: uuid.UUID) -> None:
    movement_id = StockMovement.objects.filter(event_id=event_id).values_list("id", flat=True).first()
    if movement_id is not None:
        announce(movement_id)


def _positive(quantities: Mapping[str, int]) -> Mapping[str, int]:
    for sku, quantity in quantities.items():
        if not 0 < quantity <= MAX_QUANTITY:
            raise InvalidProduct(_("The quantity of %(sku)s must be positive.") % {"sku": sku}, field="quantity")
    return quantities


def sku_parameters(skus: Iterable[str]) -> dict[str, str]:
    """Parameters ``sku0``, ``sku1``, ... for a hot query. There are 1, 2, 4, 8, ... of them, the last one repeated,
    so that carts of all sizes share a few statements."""
    named = list(skus)
    places = 1 << (len(named) - 1).bit_length()
    return {f"sku{place}": named[min(place, len(named) - 1)] for place in range(places)}


def _lock(skus: Iterable[str], *, strict: bool = True) -> dict[str, StockRow]:
    """Lock the stock rows of some SKUs in primary-key order. Groups have no stock and count as unknown.

    Raises:
        UnknownProduct: only if ``strict``.
    """
    wanted = set(skus)
    parameters = sku_parameters(wanted) if wanted else {}
    found = _STOCK_ROWS.rows(len(parameters), now=timezone.now(), **parameters) if wanted else []
    rows = {row.sku: row for row in (StockRow(*values) for values in found)}
    if strict and len(rows) != len(wanted):
        unknown = ", ".join(sorted(wanted - rows.keys()))
        raise UnknownProduct(_("These products have no stock to change: %(skus)s.") % {"skus": unknown})
    return rows


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


def _recorded(kind: MovementKind, rows: Iterable[StockRow], reference: str) -> dict[str, Change]:
    movements = StockMovement.objects.filter(kind=kind, reference=reference, product__in=[row.id for row in rows])
    recorded = movements.values_list("product__sku", "stock_change", "reserved_change")
    return {sku: Change(stock, reserved) for sku, stock, reserved in recorded}


def _refuse_other_quantities(recorded: Mapping[str, Change], changes: Mapping[str, Change], *, reference: str) -> None:
    for sku, change in recorded.items():
        if change != changes[sku]:
            message = _("%(reference)s is in the ledger of %(sku)s with another quantity. Use a new reference.")
            raise MovementConflict(message % {"reference": reference, "sku": sku})


def _refuse_impossible(due: Mapping[StockRow, Change]) -> None:
    available = {
        row.sku: row.available_quantity
        for row, change in due.items()
        if not 0 <= row.reserved_quantity + change.reserved <= row.stock_quantity + change.stock <= MAX_QUANTITY
    }
    if available:
        message = _("There is not enough stock for this: %(skus)s.") % {"skus": ", ".join(sorted(available))}
        raise InsufficientStock(message, available=available)


def _update_counters(due: Mapping[StockRow, Change]) -> int:
    """One conditional UPDATE for all rows; answers how many met the condition.

    Written by hand, since the ORM knows no UPDATE from a list of values; PostgreSQL and SQLite read it alike.
    """
    connection = connections[router.db_for_write(Product)]
    table = connection.ops.quote_name(Product._meta.db_table)
    rows = ", ".join(["(%s, %s, %s)"] * len(due))
    sql = f"""
        UPDATE {table} SET stock_quantity = stock_quantity + change.column2,
            reserved_quantity = reserved_quantity + change.column3
        FROM (VALUES {rows}) AS change
        WHERE {table}.id = change.column1
            AND reserved_quantity + change.column3 BETWEEN 0 AND stock_quantity + change.column2
    """  # noqa: S608 - the names are ours, the values are parameters
    with connection.cursor() as cursor:
        cursor.execute(sql, [value for row, change in due.items() for value in (row.id, *change)])
        return int(cursor.rowcount)


def _crossing(row: StockRow, change: Change) -> str:
    threshold = row.low_stock_threshold
    if threshold is None:
        return ""
    before = row.available_quantity
    after = before + change.stock - change.reserved
    if before >= threshold > after:
        return "low"
    if before < threshold <= after:
        return "back"
    return ""


_STOCK_ROWS = HotQuery(Product, _build_stock_rows)
