"""Changes of stock, each with its movement in the ledger."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import router, transaction
from django.db.models import F, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _
from shop_core.db.transactions import in_transaction

from shop_catalog import facets
from shop_catalog.exceptions import InsufficientStock, InvalidProduct, MovementConflict, UnknownProduct
from shop_catalog.inventory import announcements, queries
from shop_catalog.inventory.queries import Change, Movement, StockRow
from shop_catalog.models import MovementKind, Product, StockMovement, texts

MAX_QUANTITY = 2**31 - 1


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
    """Add received goods. Without a reference one is generated, so a second call adds them again.

    Raises:
        UnknownProduct: a SKU is unknown or belongs to a group.
    """
    changes = {sku: Change(stock=quantity) for sku, quantity in _check_positive(quantities).items()}
    _move(MovementKind.RECEIVE, changes, reference=reference, reason=reason, by=by)


def adjust(
    changes: Mapping[str, int], *, reason: str, reference: str = "", by: AbstractBaseUser | None = None
) -> None:
    """Correct the quantity on hand by a difference per SKU, up or down.

    Raises:
        InsufficientStock: less than the reserved quantity would be left.
        UnknownProduct: a SKU is unknown or belongs to a group.
    """
    moves = {sku: Change(stock=difference) for sku, difference in changes.items() if difference}
    _move(MovementKind.ADJUST, moves, reference=reference, reason=reason, by=by)


@in_transaction(StockMovement)
def count(
    quantities: Mapping[str, int], *, reason: str, reference: str = "", by: AbstractBaseUser | None = None
) -> None:
    """Set the quantity on hand, as after a stocktaking. Reservations are not changed.

    Raises:
        InsufficientStock: the quantity is lower than the reserved quantity.
        UnknownProduct: a SKU is unknown or belongs to a group.
    """
    rows = _lock(quantities)
    changes = {sku: quantity - rows[sku].stock_quantity for sku, quantity in quantities.items()}
    adjust(changes, reason=reason, reference=reference, by=by)


def reserve(quantities: Mapping[str, int], *, reference: str) -> dict[str, int]:
    """Reserve stock for all SKUs or none. Returns ``{}``, or the available quantity of each SKU without enough stock.

    A product that cannot be bought (unknown, a group, unpublished) has 0 available. No savepoint is set in a
    caller's transaction, so the caller must roll back after an error.

    Raises:
        MovementConflict: the ledger has the reference with a different quantity.
    """
    wanted = _check_positive(quantities)
    texts.check(StockMovement, reference=reference)
    with transaction.atomic(using=router.db_for_write(StockMovement), savepoint=False):
        rows = _lock(wanted, strict=False)
        short = {
            sku: available
            for sku, quantity in wanted.items()
            if (available := rows[sku].sellable_quantity if sku in rows else 0) < quantity
        }
        if short:
            recorded = _recorded_changes(MovementKind.RESERVE, rows.values(), reference)
            short = {sku: available for sku, available in short.items() if sku not in recorded}
        if not short:
            changes = {sku: Change(reserved=quantity) for sku, quantity in wanted.items()}
            _record(MovementKind.RESERVE, changes, rows=rows, reference=reference)
    return short


def release(quantities: Mapping[str, int], *, reference: str) -> None:
    """Give back stock that was reserved under an order's reference and is not shipped. Unknown SKUs are ignored."""
    changes = {sku: Change(reserved=-quantity) for sku, quantity in _check_positive(quantities).items()}
    _move(MovementKind.RELEASE, changes, reference=reference, strict=False)


def ship(quantities: Mapping[str, int], *, reference: str) -> None:
    """Remove reserved goods that were shipped, under the shipment's reference. Unknown SKUs are ignored.

    Raises:
        InsufficientStock: a quantity is higher than the reserved quantity.
    """
    shipped = _check_positive(quantities)
    changes = {sku: Change(stock=-quantity, reserved=-quantity) for sku, quantity in shipped.items()}
    _move(MovementKind.SHIP, changes, reference=reference, strict=False)


def restock(quantities: Mapping[str, int], *, reference: str) -> None:
    """Add shipped goods that were returned, under the return's reference. Unknown SKUs are ignored."""
    changes = {sku: Change(stock=quantity) for sku, quantity in _check_positive(quantities).items()}
    _move(MovementKind.RESTOCK, changes, reference=reference, strict=False)


def differences() -> list[Difference]:
    """Products whose quantity on hand or reserved is not the sum of their movements. Empty if there are none."""
    products = Product.objects.annotate(
        stock_moved=Coalesce(Sum("stock_movements__stock_change"), 0),
        reserved_moved=Coalesce(Sum("stock_movements__reserved_change"), 0),
    )
    wrong = products.exclude(stock_moved=F("stock_quantity"), reserved_moved=F("reserved_quantity")).order_by("sku")
    fields = ("sku", "stock_quantity", "stock_moved", "reserved_quantity", "reserved_moved")
    return [Difference(*values) for values in wrong.values_list(*fields)]


@in_transaction(StockMovement)
def _move(
    kind: MovementKind,
    changes: Mapping[str, Change],
    *,
    reference: str,
    reason: str = "",
    by: AbstractBaseUser | None = None,
    strict: bool = True,
) -> None:
    """Write the movements of all products and change their stock, or change nothing."""
    texts.check(StockMovement, reference=reference, reason=reason)
    rows = _lock(changes, strict=strict)
    _record(kind, changes, rows=rows, reference=reference or uuid.uuid4().hex, reason=reason, by=by)


def _record(
    kind: MovementKind,
    changes: Mapping[str, Change],
    *,
    rows: Mapping[str, StockRow],
    reference: str,
    reason: str = "",
    by: AbstractBaseUser | None = None,
) -> None:
    """Write the movements of locked rows and change their stock. Movements already in the ledger are skipped."""
    movements = [
        Movement(rows[sku].id, *change, _crossing(rows[sku], change), uuid.uuid4())
        for sku, change in changes.items()
        if sku in rows
    ]
    author = None if by is None else by.pk
    written = queries.insert_movements(movements, kind=kind, reference=reference, reason=reason, by_id=author)
    if len(written) < len(movements):
        recorded = _recorded_changes(kind, rows.values(), reference)
        _refuse_other_quantities(recorded, changes, reference=reference)
    due = {rows[sku]: change for sku, change in changes.items() if sku in rows and rows[sku].id in written}
    if not due:
        return
    _refuse_insufficient_stock(due)
    if queries.update_counters({row.id: change for row, change in due.items()}) != len(due):
        raise InsufficientStock(_("The stock changed in the meantime. Try again."), extra={"available": {}})
    _refresh_facets(due)
    crossed = {move.event_id for move in movements if move.crossing and move.product_id in written}
    announcements.announce_on_commit(crossed, kind=kind, reference=reference)


def _refresh_facets(due: Mapping[StockRow, Change]) -> None:
    """Update the facets of products that are sold out now, or in stock again."""
    crossed = [
        row.id
        for row, change in due.items()
        if (row.available_quantity > 0) != (row.available_quantity + change.stock - change.reserved > 0)
    ]
    if crossed:
        facets.refresh(queries.listed_ids(crossed))


def _check_positive(quantities: Mapping[str, int]) -> Mapping[str, int]:
    for sku, quantity in quantities.items():
        if not 0 < quantity <= MAX_QUANTITY:
            raise InvalidProduct(_("The quantity of %(sku)s must be positive.") % {"sku": sku}, field="quantity")
    return quantities


def _lock(skus: Iterable[str], *, strict: bool = True) -> dict[str, StockRow]:
    """Lock the stock rows of some SKUs in primary-key order. Groups have no stock and count as unknown.

    Raises:
        UnknownProduct: only if ``strict``.
    """
    wanted = set(skus)
    rows = queries.lock_stock(filter(texts.is_storable, wanted))
    if strict and len(rows) != len(wanted):
        unknown = ", ".join(sorted(wanted - rows.keys()))
        raise UnknownProduct(
            _("These products do not exist, or are groups, which have no stock: %(skus)s.") % {"skus": unknown}
        )
    return rows


def _recorded_changes(kind: MovementKind, rows: Iterable[StockRow], reference: str) -> dict[str, Change]:
    movements = StockMovement.objects.filter(kind=kind, reference=reference, product__in=[row.id for row in rows])
    recorded = movements.values_list("product__sku", "stock_change", "reserved_change")
    return {sku: Change(stock, reserved) for sku, stock, reserved in recorded}


def _refuse_other_quantities(recorded: Mapping[str, Change], changes: Mapping[str, Change], *, reference: str) -> None:
    for sku, change in recorded.items():
        if change != changes[sku]:
            message = _(
                "The reference %(reference)s is already used for %(sku)s with another quantity. Use a new one."
            )
            raise MovementConflict(message % {"reference": reference, "sku": sku})


def _refuse_insufficient_stock(due: Mapping[StockRow, Change]) -> None:
    available = {
        row.sku: row.available_quantity
        for row, change in due.items()
        if not 0 <= row.reserved_quantity + change.reserved <= row.stock_quantity + change.stock <= MAX_QUANTITY
    }
    if available:
        message = _("There is not enough stock for this: %(skus)s.") % {"skus": ", ".join(sorted(available))}
        raise InsufficientStock(message, extra={"available": available})


def _crossing(row: StockRow, change: Change) -> str:
    before = row.available_quantity
    after = before + change.stock - change.reserved
    return str(announcements.crossing_of(before, after, threshold=row.low_stock_threshold))
