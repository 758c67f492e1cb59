"""The actions that change the status of an order. No other code changes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from shop_core.money import as_text

from shop_orders import crediting, events
from shop_orders.conf import app_settings
from shop_orders.exceptions import GoodsGone, InvalidTransition, OrderUnpaid
from shop_orders.models import (
    Charge,
    Credit,
    Order,
    OrderLine,
    OrderStatus,
    Payment,
    PaymentStatus,
    texts,
)
from shop_orders.payment_providers import awaits_online_payment, label_of
from shop_orders.product_sources import product_source
from shop_orders.product_sources.facts import named_once
from shop_orders.product_sources.reading import read
from shop_orders.transactions import in_transaction

TRANSITIONS: Mapping[OrderStatus, frozenset[OrderStatus]] = {
    OrderStatus.PENDING: frozenset({OrderStatus.CONFIRMED, OrderStatus.CANCELLED}),
    OrderStatus.CONFIRMED: frozenset({OrderStatus.PROCESSING, OrderStatus.CANCELLED}),
    OrderStatus.PROCESSING: frozenset({OrderStatus.SHIPPED, OrderStatus.CANCELLED}),
    OrderStatus.SHIPPED: frozenset({OrderStatus.DELIVERED}),
    OrderStatus.DELIVERED: frozenset(),
    OrderStatus.CANCELLED: frozenset(),
}
"""The statuses that may follow each status; TRANSITIONS in the settings adds more."""


def allowed(status: str) -> frozenset[str]:
    """The statuses that may follow this one on this site. A cancelled order cannot change: its stock was released."""
    if status == OrderStatus.CANCELLED:
        return frozenset()
    built_in = TRANSITIONS.get(OrderStatus(status), frozenset())
    return frozenset(map(str, built_in)) | frozenset(app_settings.TRANSITIONS.get(status, ()))


@in_transaction(Order)
def confirm(order_id: int, *, accept_unpaid: bool = True, by: Any = None, notify: bool = True) -> Order:
    """Accept an order. It no longer expires, even if it is not paid.

    Raises:
        InvalidTransition: it is not pending, for example because it was confirmed before.
        OrderUnpaid: only with ``accept_unpaid=False``: the customer still has to pay online.
    """
    order = lock(order_id)
    check(order, OrderStatus.CONFIRMED)
    if not accept_unpaid and awaits_online_payment(order):
        amount = as_text(order.amount_due, order.currency)
        raise OrderUnpaid(provider=label_of(order.payment_provider), amount=amount, currency=order.currency)
    set_status(order, OrderStatus.CONFIRMED, by=by, notify=notify)
    return order


@in_transaction(Order)
def start_processing(order_id: int, *, by: Any = None, notify: bool = True) -> Order:
    """Begin to pack an order.

    Raises:
        InvalidTransition: it is not confirmed.
    """
    return _move(order_id, OrderStatus.PROCESSING, by=by, notify=notify)


@in_transaction(Order)
def deliver(order_id: int, *, by: Any = None, notify: bool = True) -> Order:
    """Record that an order has reached the customer.

    Raises:
        InvalidTransition: the order has not been shipped.
    """
    return _move(order_id, OrderStatus.DELIVERED, by=by, notify=notify)


@in_transaction(Order)
def cancel(order_id: int, *, by: Any = None, reason: str = "", notify: bool = True) -> Order:
    """Cancel an order and release its stock. No part of it may have been shipped.

    Opens its own transaction and locks the order row. Cancelling a cancelled order changes nothing.
    What is left of the total is credited. No money is refunded: what was captured and not refunded yet shows as
    ``refund_due`` until ``payments.refund`` is called.

    Raises:
        InvalidTransition: a part of the order was shipped.
        InvalidInput: the reason is too long, or has a character that cannot be stored.
    """
    order = lock(order_id)
    if order.status != OrderStatus.CANCELLED:
        cancel_locked(order, kind=Credit.Kind.CANCELLATION, by=by, reason=reason, notify=notify)
    return order


@in_transaction(Order)
def expire(order_id: int, *, notify: bool = True) -> bool:
    """Cancel an order that was not paid in time, as ``cancel``. The caller must first fetch the state of its payments.

    Returns False and changes nothing if the order was paid, has another status or can still be paid in time.
    """
    order = lock(order_id)
    if not Order.objects.overdue().filter(pk=order_id).exists():
        return False
    cancel_locked(order, kind=Credit.Kind.EXPIRY, by=None, reason=_("It was not paid in time."), notify=notify)
    return True


@in_transaction(Order)
def reinstate(order_id: int, *, by: Any = None, notify: bool = True) -> Order:
    """Confirm a cancelled order that was paid, for example after it expired, and reserve its goods again.

    The credit of its cancellation is taken back. No other action reopens a cancelled order.

    Raises:
        InvalidTransition: it is not cancelled, something would be due, or all of its units were cancelled one by one.
        GoodsGone: its goods cannot be reserved again.
    """
    order = lock(order_id)
    if order.status != OrderStatus.CANCELLED:
        raise InvalidTransition(old=order.status, new=OrderStatus.CONFIRMED)
    if missing := crediting.due_if_reinstated(order):
        text = _("Only a paid order can be reinstated. %(amount)s %(currency)s is missing.")
        values = {"amount": as_text(missing, order.currency), "currency": order.currency}
        raise InvalidTransition(text % values, old=order.status)
    lines = list(order.lines.all())
    quantities = _open_units(lines)
    if not quantities:
        raise InvalidTransition(_("Nothing of this order is left to send."), old=order.status)
    crediting.reverse_cancellation(order, by=by)
    order.reservations += 1
    order.stock_released_at, order.cancel_reason = None, ""
    set_status(order, OrderStatus.CONFIRMED, by=by, notify=notify, message=_("The order was reinstated."), lines=lines)
    update_after_credit(order, by=by)
    if short := product_source().reserve(quantities, reference=order.stock_reference):
        raise GoodsGone(named_once(short, read(short)))
    return order


def _open_units(lines: Sequence[OrderLine]) -> dict[str, int]:
    """The units of each product that are left to send."""
    units: Counter[str] = Counter()
    for line in lines:
        units[line.product_ref] += line.open_quantity
    return {ref: count for ref, count in units.items() if count}


def can_be_reinstated(order: Order) -> bool:
    """Whether an order is cancelled and paid, with goods to send. Whether they are in stock is not checked."""
    if order.status != OrderStatus.CANCELLED or crediting.due_if_reinstated(order):
        return False
    return any(line.open_quantity for line in order.lines.all())


def add_note(order_id: int, *, text: str, by: Any = None, is_public: bool = False) -> None:
    """Add a note to the timeline of an order. No signal is sent. InvalidInput if the text cannot be stored."""
    texts.check_plain(text=text)
    events.record(Order.objects.get(pk=order_id), "note", by=by, message=text, is_public=is_public)


def confirm_paid(order: Order) -> None:
    """Confirm a pending order that was paid. Call it in the transaction that records the payment, with the order
    locked."""
    if order.status == OrderStatus.PENDING:
        set_status(order, OrderStatus.CONFIRMED)


def set_payment_status(
    order: Order,
    new: PaymentStatus,
    *,
    by: Any = None,
    notify: bool = True,
    is_public: bool = True,
    about: Payment | None = None,
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Set the payment status of a locked order and record the event; the same status changes nothing."""
    old = order.payment_status
    if old == new:
        return
    order.payment_status = new
    order.save(update_fields=["payment_status", "updated_at"])
    events.record(
        order,
        "payment_status_changed",
        signal="payment_status_changed",
        by=by,
        old_status=old,
        new_status=new,
        notify=notify,
        is_public=is_public,
        about=about,
        extra=extra,
    )


def update_after_credit(order: Order, *, by: Any) -> None:
    """Compute the payment status after a credit. No money moved, so the customer is not notified.

    The caller has locked the order.
    """
    set_payment_status(order, crediting.payment_status_of(order), by=by, notify=False, is_public=False)


def lock(order_id: int) -> Order:
    """Lock the row of an order until the end of the transaction, and return the order."""
    return Order.objects.select_for_update(of=("self",)).select_related("customer").get(pk=order_id)


def _move(order_id: int, to: OrderStatus, *, by: Any, notify: bool) -> Order:
    order = lock(order_id)
    check(order, to)
    set_status(order, to, by=by, notify=notify)
    return order


def check(order: Order, to: OrderStatus) -> None:
    """InvalidTransition if an order cannot get this status now."""
    if to not in allowed(order.status):
        raise InvalidTransition(old=order.status, new=to)


def set_status(
    order: Order,
    to: OrderStatus,
    *,
    by: Any = None,
    notify: bool = True,
    message: str = "",
    at_placement: bool = False,
    lines: Sequence[OrderLine] | None = None,
    charges: Sequence[Charge] | None = None,
) -> None:
    """Set the status of a locked order and record the event."""
    old = order.status
    order.status, order.state = to, ""
    order.save(update_fields=["status", "state", "cancel_reason", "reservations", "stock_released_at", "updated_at"])
    events.record(
        order,
        "status_changed",
        signal="order_status_changed",
        by=by,
        old_status=old,
        new_status=to,
        message=message,
        at_placement=at_placement,
        notify=notify,
        lines=lines,
        charges=charges,
    )


def cancel_locked(order: Order, *, kind: Credit.Kind, by: Any, reason: str, notify: bool) -> None:
    """Cancel an order that the caller has locked, as ``cancel``."""
    check(order, OrderStatus.CANCELLED)
    texts.check(Order, cancel_reason=reason)
    lines = list(order.lines.all())
    if any(line.shipped_quantity for line in lines):
        raise InvalidTransition(
            _("A part of this order was shipped. Cancel the goods that were not, and refund those that come back."),
            old=order.status,
        )
    if order.stock_released_at is None:
        if units := _open_units(lines):
            product_source().release(units, reference=order.stock_reference)
        order.stock_released_at = timezone.now()
    order.cancel_reason = reason
    crediting.credit_remainder(order, kind=kind, reason=reason, by=by)
    set_status(order, OrderStatus.CANCELLED, by=by, notify=notify, message=reason, lines=lines)
    update_after_credit(order, by=by)
    # The periodic job closes their pages.
    order.payments.filter(status__in=Payment.OPEN).update(next_check_at=timezone.now())
