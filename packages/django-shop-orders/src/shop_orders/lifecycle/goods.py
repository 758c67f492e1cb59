"""The goods of an order: parcels, units that are not sent after all, and goods that came back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.db.models import F
from django.utils.translation import gettext as _
from shop_core.money import as_text

from shop_orders import crediting, events
from shop_orders.exceptions import InvalidInput, InvalidTransition, NothingToShip
from shop_orders.lifecycle import statuses
from shop_orders.models import Credit, Order, OrderLine, OrderStatus, Shipment, ShipmentLine, texts
from shop_orders.models.lines import by_key, by_ref, named
from shop_orders.product_sources import product_source
from shop_orders.transactions import in_transaction

Units = Sequence[tuple[OrderLine, int]]


@in_transaction(Order)
def ship(
    order_id: int,
    *,
    quantities: Mapping[str, int] | None = None,
    carrier: str = "",
    tracking_number: str = "",
    tracking_url: str = "",
    by: Any = None,
    notify: bool = True,
) -> Shipment:
    """Send a parcel with ``{product_ref: units}``; the default is all units that are neither shipped nor cancelled.

    Where several lines have a product, name the line by its ``line``: ``{"#2": 1}``. So do all functions that take
    units of an order.

    With its last parcel, the order becomes shipped.

    Raises:
        InvalidTransition: the order is not being processed.
        NothingToShip: a quantity exceeds the units left to ship of its line, or the parcel would be empty.
        AmbiguousLine: several lines have a product.
        InvalidInput: a text is too long or has a character that cannot be stored, or the tracking page is not an
            http(s) URL.
    """
    order = statuses.lock(order_id)
    statuses.check(order, OrderStatus.SHIPPED)
    lines = _lock_lines(order)
    parcel = _parcel(lines, quantities)
    shipment = _send(order, parcel, carrier=carrier, tracking_number=tracking_number, tracking_url=tracking_url)
    if not any(line.open_quantity for line in lines):
        statuses.set_status(order, OrderStatus.SHIPPED, by=by, notify=notify, lines=lines)
    events.record(
        order,
        "shipment_sent",
        signal="shipment_sent",
        by=by,
        new_status=order.status,
        notify=notify,
        about=shipment,
        lines=lines,
        extra={"shipment": _shipment_payload(order, shipment, parcel, lines)},
    )
    return shipment


@in_transaction(Order)
def cancel_units(
    order_id: int,
    quantities: Mapping[str, int] | None = None,
    *,
    reason: str = "",
    by: Any = None,
    notify: bool = True,
) -> Order:
    """Do not send ``{product_ref: units}``; the default is everything that has not been shipped.

    Releases their stock and credits their price. No money is refunded: what was paid for them shows as ``refund_due``.
    If nothing is left to send, the order becomes shipped, or cancelled if no part of it was shipped.

    Raises:
        InvalidTransition: the order is cancelled, or nothing is left to send.
        AmbiguousLine: several lines have a product.
        InvalidInput: a quantity exceeds the units left to ship of its line. Or the reason is too long, or has a
            character that cannot be stored.
    """
    texts.check(Credit, reason=reason)
    texts.check_refs(OrderLine, quantities or {})
    order = statuses.lock(order_id)
    lines = _lock_lines(order)
    left = {key: line.open_quantity for key, line in by_key(lines).items() if line.open_quantity}
    if order.status == OrderStatus.CANCELLED or not left:
        raise InvalidTransition(_("Nothing of this order is left to send."), old=order.status)
    wanted = dict(left) if quantities is None else named(by_key(lines), quantities)
    if wanted == left and not any(line.shipped_quantity for line in lines):
        statuses.cancel_locked(order, kind=Credit.Kind.CANCELLATION, by=by, reason=reason, notify=notify)
        return order
    if not wanted or any(not 0 < units <= left.get(key, 0) for key, units in wanted.items()):
        raise InvalidInput(_("Enter units of this order that were not shipped yet."))
    credited = _credit_units(order, wanted, reason=reason, by=by)
    _cancel_units(order, lines, wanted, amount=credited, reason=reason, by=by, notify=notify)
    statuses.update_after_credit(order, by=by)
    if order.status == OrderStatus.PENDING and order.is_settled:
        statuses.confirm_paid(order)
    return order


def units_to_cancel(
    order: Order, refunded: Mapping[str, int], *, returned: Mapping[str, int], wanted: Mapping[str, int] | None
) -> dict[str, int]:
    """The units of a refund that are not sent any more, by the keys of their lines: ``wanted``, or by default all
    refunded units that were not shipped. ``returned`` are refunded units that came back, so they were shipped.

    The caller has locked the order.

    Raises:
        InvalidInput: ``wanted`` has units that are not refunded, or that are not left to send.
    """
    left = {key: line.open_quantity for key, line in by_key(order.lines.all()).items() if line.open_quantity}
    if order.status == OrderStatus.CANCELLED:
        left = {}
    if wanted is None:
        units = {key: min(count - returned.get(key, 0), left.get(key, 0)) for key, count in refunded.items()}
        return {key: count for key, count in units.items() if count > 0}
    for key, count in wanted.items():
        if not 0 < count <= min(refunded.get(key, 0), left.get(key, 0)):
            text = _("Only refunded units that were not shipped yet can be cancelled.")
            raise InvalidInput(text, extra={"product": key})
    return dict(wanted)


def cancel_refunded_units(
    order: Order, units: Mapping[str, int], *, amount: Decimal, reason: str, by: Any, notify: bool
) -> None:
    """Cancel the units of a refund that credits them. The caller has locked the order.

    The customer gets the message about the refund, so the event of the units has ``notify=False``.
    """
    _cancel_units(
        order, _lock_lines(order), units, amount=amount, reason=reason, by=by, notify=notify, with_refund=True
    )


@in_transaction(Order)
def restock(
    order_id: int, quantities: Mapping[str, int], *, credit: bool = False, reason: str = "", by: Any = None
) -> Order:
    """Return shipped goods that came back, ``{product_ref: units}``, to stock. No money moves.

    With ``credit``, the customer no longer owes these goods, for example after a parcel was refused on delivery: what
    was paid for them shows as ``refund_due``.

    Raises:
        InvalidInput: no units, or more than the shipped units that have not come back yet. With ``credit``, more than
            the ordered units that were not credited yet. Or the reason is too long, or has a character that cannot be
            stored.
    """
    texts.check(Credit, reason=reason)
    texts.check_refs(OrderLine, quantities)
    order = statuses.lock(order_id)
    units = units_of(order, quantities)
    event = events.record(order, "restocked", is_public=False, by=by, message=reason, extra={"restocked": units})
    return_to_stock(order, units, reference=str(event.event_id))
    if credit:
        parts = crediting.parts(order, units, shipping=False)
        crediting.credit_parts(order, parts[0].amount, parts, reason=reason, by=by)
        statuses.update_after_credit(order, by=by)
    return order


def units_of(order: Order, quantities: Mapping[str, int]) -> dict[str, int]:
    """Convert quantities by ``line`` or product into units by key.

    Raises:
        AmbiguousLine: several lines have a product.
    """
    return named(by_key(order.lines.all()), quantities) if quantities else {}


def return_to_stock(order: Order, units: Mapping[str, int], *, reference: str) -> None:
    """Return shipped goods, ``{key: units}`` of lines, to stock. Called by an action that has locked the order.

    Raises:
        InvalidInput: no units, or more than the shipped units that have not come back yet.
    """
    lines = by_key(_lock_lines(order))
    if not units:
        raise InvalidInput(_("Enter the units that came back."))
    for key, count in units.items():
        line = lines.get(key)
        if line is None or not 0 < count <= line.shipped_quantity - line.restocked_quantity:
            raise InvalidInput(_("Only units that were shipped can be returned to stock."), extra={"product": key})
        order.lines.filter(pk=line.pk).update(restocked_quantity=F("restocked_quantity") + count)
    product_source().restock(by_ref(lines, units), reference=reference)


def _lock_lines(order: Order) -> list[OrderLine]:
    return list(order.lines.select_for_update(of=("self",)).order_by("pk"))


def _credit_units(order: Order, units: Mapping[str, int], *, reason: str, by: Any) -> Decimal:
    """Credit the price of units that are not sent, except those that were credited before. Returns the amount."""
    credited = crediting.credited_units(order)
    left = {key: line.quantity - credited[key] for key, line in by_key(order.lines.all()).items()}
    owed = {key: min(count, left[key]) for key, count in units.items() if left[key] > 0}
    before = order.credited_amount
    if owed:
        parts = crediting.parts(order, owed, shipping=False)
        crediting.credit_parts(order, parts[0].amount, parts, reason=reason, by=by)
    return order.credited_amount - before


def _cancel_units(
    order: Order,
    lines: Sequence[OrderLine],
    units: Mapping[str, int],
    *,
    amount: Decimal,
    reason: str,
    by: Any,
    notify: bool,
    with_refund: bool = False,
) -> None:
    """Release the stock of units and record that they are not sent. The order ends if they were the last ones."""
    keyed = by_key(lines)
    cancelled = [(line, units[key]) for key, line in keyed.items() if key in units]
    for line, count in cancelled:
        line.cancelled_quantity += count
    OrderLine.objects.bulk_update([line for line, _count in cancelled], ["cancelled_quantity"])
    position = order.events.filter(kind="units_cancelled").count() + 1
    product_source().release(by_ref(keyed, units), reference=f"{order.stock_reference}#cancelled-{position}")
    if not any(line.open_quantity for line in lines):
        _end(order, lines, by=by, reason=reason, notify=notify)
    events.record(
        order,
        "units_cancelled",
        signal="units_cancelled",
        by=by,
        new_status=order.status,
        notify=notify and not with_refund,
        message=reason,
        lines=lines,
        extra={
            "cancelled": {
                "reason": reason,
                "credited_amount": as_text(amount, order.currency),
                "with_refund": with_refund,
                "lines": _units_payload(cancelled),
                "remaining": _units_payload(_left(lines)),
            }
        },
    )


def _end(order: Order, lines: Sequence[OrderLine], *, by: Any, reason: str, notify: bool) -> None:
    """End an order of which nothing is left to send."""
    statuses_after = statuses.allowed(order.status)
    if not any(line.shipped_quantity for line in lines):
        statuses.cancel_locked(order, kind=Credit.Kind.CANCELLATION, by=by, reason=reason, notify=notify)
    elif OrderStatus.SHIPPED in statuses_after:
        statuses.set_status(order, OrderStatus.SHIPPED, by=by, notify=notify, lines=lines)


def _send(order: Order, parcel: Units, **tracking: str) -> Shipment:
    """Create the shipment with its lines, and report it to the product source.

    ``tracking`` has the fields ``carrier``, ``tracking_number`` and ``tracking_url``.
    """
    texts.check(Shipment, **tracking)
    if tracking["tracking_url"] and not tracking["tracking_url"].startswith(("https://", "http://")):
        raise InvalidInput(_("The tracking page is not a web address. Begin it with https://."))
    number = f"{order.number}-{order.shipments.count() + 1}"
    shipment = Shipment.objects.create(order=order, number=number, **tracking)
    ShipmentLine.objects.bulk_create(
        ShipmentLine(shipment=shipment, order_line=line, quantity=quantity) for line, quantity in parcel
    )
    for line, quantity in parcel:
        line.shipped_quantity += quantity
    OrderLine.objects.bulk_update([line for line, _quantity in parcel], ["shipped_quantity"])
    units: Counter[str] = Counter()
    for line, quantity in parcel:
        units[line.product_ref] += quantity
    product_source().ship(dict(units), reference=number)
    return shipment


def _shipment_payload(order: Order, shipment: Shipment, parcel: Units, lines: Sequence[OrderLine]) -> dict[str, Any]:
    """The shipment in the payload of its signal: what is inside, and what is still to come."""
    return {
        "number": shipment.number,
        "position": order.shipments.count(),
        "carrier": shipment.carrier,
        "tracking_number": shipment.tracking_number,
        "tracking_url": shipment.tracking_url,
        "is_last": not _left(lines),
        "lines": _units_payload(parcel),
        "remaining": _units_payload(_left(lines)),
    }


def _left(lines: Sequence[OrderLine]) -> list[tuple[OrderLine, int]]:
    """The lines of which units are left to send, with their number."""
    return [(line, line.open_quantity) for line in lines if line.open_quantity]


def _units_payload(units: Iterable[tuple[OrderLine, int]]) -> list[dict[str, Any]]:
    return [crediting.unit_payload(line, quantity) for line, quantity in units]


def _parcel(lines: Sequence[OrderLine], quantities: Mapping[str, int] | None) -> list[tuple[OrderLine, int]]:
    keyed = by_key(lines)
    most = {key: line.open_quantity for key, line in keyed.items() if line.open_quantity}
    wanted = most if quantities is None else named(keyed, quantities)
    if not wanted or any(not 0 < units <= most.get(key, 0) for key, units in wanted.items()):
        raise NothingToShip
    return [(keyed[key], units) for key, units in wanted.items()]
