"""The payment status of an order, which follows from its payments."""

from __future__ import annotations

from typing import Any

from shop_orders import lifecycle
from shop_orders.models import Order, Payment, PaymentStatus
from shop_orders.money import as_text


def update(order: Order, payment: Payment, *, by: Any = None, notify: bool = True) -> None:
    """Work it out anew for a locked order, after one of its payments moved; a change is announced."""
    lifecycle.set_payment_status(
        order,
        _of(order),
        by=by,
        notify=notify,
        about=payment,
        extra={
            "payment": {
                "provider": payment.provider,
                "amount": as_text(payment.amount, payment.currency),
                "status": payment.status,
            }
        },
    )


def _of(order: Order) -> PaymentStatus:
    if order.refunded_amount:
        all_of_it = order.refunded_amount >= order.paid_amount
        return PaymentStatus.REFUNDED if all_of_it else PaymentStatus.PART_REFUNDED
    if order.paid_amount >= order.total:
        return PaymentStatus.PAID
    statuses = list(order.payments.order_by("id").values_list("status", flat=True))
    if Payment.Status.AUTHORISED in statuses:
        return PaymentStatus.AUTHORISED
    is_waiting = any(status in Payment.OPEN for status in statuses)
    if statuses and not is_waiting and statuses[-1] in (Payment.Status.FAILED, Payment.Status.CANCELLED):
        return PaymentStatus.FAILED
    return PaymentStatus.UNPAID
