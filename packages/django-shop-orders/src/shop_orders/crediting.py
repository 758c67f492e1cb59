"""The account of an order: credits, which are what the shop no longer asks for, and the payment status.

Each function is called with the order locked, in the transaction that makes the credit necessary.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from shop_orders.models import Credit, Order, Payment, PaymentStatus, Refund

OPEN = frozenset(map(str, Payment.OPEN))


def give(
    order: Order, amount: Decimal, *, kind: Credit.Kind, reason: str = "", by: Any = None, refund: Refund | None = None
) -> None:
    """Credit an amount, at most what is left of the order's total. Nothing is written for an amount of 0."""
    amount = min(amount, order.total - order.credited_amount)
    if amount <= 0:
        return
    Credit.objects.create(order=order, amount=amount, kind=kind, reason=reason[:500], actor=by, refund=refund)
    order.credited_amount += amount
    order.save(update_fields=["credited_amount", "updated_at"])


def give_rest(order: Order, *, kind: Credit.Kind, reason: str = "", by: Any = None) -> None:
    """Credit what is left of the order's total, as when it is cancelled."""
    give(order, order.total - order.credited_amount, kind=kind, reason=reason, by=by)


def payment_status_of(order: Order) -> PaymentStatus:
    """The payment status that follows from an order's amounts and its payments."""
    return payment_status(
        total=order.total,
        credited=order.credited_amount,
        captured=order.paid_amount,
        refunded=order.refunded_amount,
        attempts=list(order.payments.order_by("id").values_list("status", flat=True)),
    )


def payment_status(
    *, total: Decimal, credited: Decimal, captured: Decimal, refunded: Decimal, attempts: Sequence[str]
) -> PaymentStatus:
    """The payment status by the table of ``docs/reference/orders-states.md``.

    ``attempts`` are the statuses of the payments, the oldest first.
    """
    asked_for = total - credited
    if refunded > 0:
        if refunded >= captured:
            return PaymentStatus.REFUNDED
        return PaymentStatus.PAID if captured - refunded >= total else PaymentStatus.PART_REFUNDED
    if captured >= asked_for and (captured > 0 or total == 0):
        return PaymentStatus.PAID
    if Payment.Status.AUTHORISED in attempts:
        return PaymentStatus.AUTHORISED
    is_ended = bool(attempts) and attempts[-1] in (Payment.Status.FAILED, Payment.Status.CANCELLED)
    if captured < asked_for and is_ended and OPEN.isdisjoint(attempts):
        return PaymentStatus.FAILED
    return PaymentStatus.UNPAID
