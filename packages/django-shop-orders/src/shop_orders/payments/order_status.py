"""Computes the payment status of an order from its payments."""

from __future__ import annotations

from typing import Any

from shop_core.money import as_text

from shop_orders import lifecycle
from shop_orders.models import Order, Payment, PaymentStatus


def update(order: Order, payment: Payment, *, by: Any = None, notify: bool = True) -> None:
    """Compute the payment status of a locked order after one of its payments changed, and record the change."""
    lifecycle.set_payment_status(
        order,
        _computed(order),
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


def _computed(order: Order) -> PaymentStatus:
    if order.refunded_amount:
        is_complete = order.refunded_amount >= order.paid_amount
        return PaymentStatus.REFUNDED if is_complete else PaymentStatus.PART_REFUNDED
    if order.paid_amount >= order.total:
        return PaymentStatus.PAID
    statuses = list(order.payments.order_by("id").values_list("status", flat=True))
    if Payment.Status.AUTHORISED in statuses:
        return PaymentStatus.AUTHORISED
    is_waiting = any(status in Payment.OPEN for status in statuses)
    if statuses and not is_waiting and statuses[-1] in (Payment.Status.FAILED, Payment.Status.CANCELLED):
        return PaymentStatus.FAILED
    return PaymentStatus.UNPAID
