"""Stock: every change is a movement in the ledger, made once.

All verbs work on many products at a time, ``{sku: quantity}``, in the caller's transaction or one of their own. Rows
are locked in primary-key order, so that two of them never wait for each other. A movement that the ledger holds
already, under the same product, kind and reference, is not made again; another quantity under it is refused.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import NamedTuple

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connections, router, transaction
from django.db.models import F, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _

from shop_catalog import signals
from shop_catalog.exceptions import InsufficientStock, InvalidProduct, MovementConflict, UnknownProduct
from shop_catalog.models import MovementKind, Product, ProductKind, StockMovement

logger = logging.getLogger(__name__)

ANNOUNCE_AFTER = timedelta(minutes=1)
"""How long a crossing is left to the process that made it before the periodic job announces it."""

MAX_QUANTITY = 2**31 - 1


class Change(NamedTuple):
    """What one movement does to a product."""

    stock: int = 0
    reserved: int = 0


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
        products = _lock(quantities)
        changes = {sku: quantity - products[sku].stock_quantity for sku, quantity in quantities.items()}
        adjust(changes, reason=reason, reference=reference, by=by)


def reserve(quantities: Mapping[str, int], *, reference: str) -> dict[str, int]:
    """Take stock for all SKUs or none. Answers ``{}`` or, for each short SKU, what is available.

    What cannot be bought (unknown, a group, unpublished) is short with 0 available.
    """
    wanted = _positive(quantities)
    with transaction.atomic():
        products = _lock(wanted, strict=False)
        done = _recorded(MovementKind.RESERVE, products.values(), reference)
        missing = {sku: quantity for sku, quantity in wanted.items() if sku not in done}
        short = {
            sku: available
            for sku, quantity in missing.items()
            if (available := _sellable_quantity(products.get(sku))) < quantity
        }
        if short:
            return short
        changes = {sku: Change(reserved=quantity) for sku, quantity in wanted.items()}
        _book(MovementKind.RESERVE, changes, products=products, recorded=done, reference=reference)
    return {}


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
    reference = reference or uuid.uuid4().hex
    with transaction.atomic():
        products = _lock(changes, strict=strict)
        recorded = _recorded(kind, products.values(), reference)
        _book(kind, changes, products=products, recorded=recorded, reference=reference, reason=reason, by=by)


def _book(
    kind: MovementKind,
    changes: Mapping[str, Change],
    *,
    products: Mapping[str, Product],
    recorded: Mapping[str, Change],
    reference: str,
    reason: str = "",
    by: AbstractBaseUser | None = None,
) -> None:
    """The second half of a movement, with the products locked and what the ledger already has at hand."""
    _refuse_other_quantities(recorded, changes, reference=reference)
    due = {products[sku]: change for sku, change in changes.items() if sku in products and sku not in recorded}
    if not due:
        return
    _refuse_impossible(due)
    if _update_counters(due) != len(due):
        raise InsufficientStock(_("The stock changed in the meantime. Try again."), available={})
    movements = [
        StockMovement(
            product=product,
            kind=kind,
            stock_change=change.stock,
            reserved_change=change.reserved,
            reference=reference,
            reason=reason,
            created_by_id=None if by is None else by.pk,
            crossing=_crossing(product, change),
        )
        for product, change in due.items()
    ]
    StockMovement.objects.bulk_create(movements)
    for movement in movements:
        if movement.crossing:
            transaction.on_commit(partial(_announce_after_commit, movement.event_id), robust=True)


def _announce_after_commit(event_id: uuid.UUID) -> None:
    movement_id = StockMovement.objects.filter(event_id=event_id).values_list("id", flat=True).first()
    if movement_id is not None:
        announce(movement_id)


def _positive(quantities: Mapping[str, int]) -> Mapping[str, int]:
    for sku, quantity in quantities.items():
        if not 0 < quantity <= MAX_QUANTITY:
            raise InvalidProduct(_("The quantity of %(sku)s must be positive.") % {"sku": sku}, field="quantity")
    return quantities


def _lock(skus: Iterable[str], *, strict: bool = True) -> dict[str, Product]:
    """Lock the stock rows of some SKUs in primary-key order. Groups have no stock and count as unknown.

    Raises:
        UnknownProduct: only if ``strict``.
    """
    wanted = set(skus)
    rows = Product.objects.filter(sku__in=wanted).exclude(kind=ProductKind.GROUP).order_by("pk")
    rows = rows.select_related("parent").select_for_update(of=("self",))
    products = {product.sku: product for product in rows}
    if strict and len(products) != len(wanted):
        unknown = ", ".join(sorted(wanted - products.keys()))
        raise UnknownProduct(_("These products have no stock to change: %(skus)s.") % {"skus": unknown})
    return products


def _sellable_quantity(product: Product | None) -> int:
    return product.available_quantity if product is not None and product.is_published else 0


def _recorded(kind: MovementKind, products: Iterable[Product], reference: str) -> dict[str, Change]:
    movements = StockMovement.objects.filter(kind=kind, reference=reference, product__in=list(products))
    rows = movements.values_list("product__sku", "stock_change", "reserved_change")
    return {sku: Change(stock, reserved) for sku, stock, reserved in rows}


def _refuse_other_quantities(recorded: Mapping[str, Change], changes: Mapping[str, Change], *, reference: str) -> None:
    for sku, change in recorded.items():
        if change != changes[sku]:
            message = _("%(reference)s is in the ledger of %(sku)s with another quantity. Use a new reference.")
            raise MovementConflict(message % {"reference": reference, "sku": sku})


def _refuse_impossible(due: Mapping[Product, Change]) -> None:
    available = {
        product.sku: product.available_quantity
        for product, change in due.items()
        if not 0
        <= product.reserved_quantity + change.reserved
        <= product.stock_quantity + change.stock
        <= MAX_QUANTITY
    }
    if available:
        message = _("There is not enough stock for this: %(skus)s.") % {"skus": ", ".join(sorted(available))}
        raise InsufficientStock(message, available=available)


def _update_counters(due: Mapping[Product, Change]) -> int:
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
        cursor.execute(sql, [value for product, change in due.items() for value in (product.pk, *change)])
        return int(cursor.rowcount)


def _crossing(product: Product, change: Change) -> str:
    threshold = product.low_stock_threshold
    if threshold is None:
        return ""
    before = product.available_quantity
    after = before + change.stock - change.reserved
    if before >= threshold > after:
        return "low"
    if before < threshold <= after:
        return "back"
    return ""
