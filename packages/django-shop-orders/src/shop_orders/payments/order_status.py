"""The payment status of an order, which follows from its amounts and its payments."""

from __future__ import annotations

from typing import Any

from shop_core.money import as_text

from shop_orders import crediting, lifecycle
from shop_orders.models import Order, OrderStatus, Payment


def update(order: Order, payment: Payment, *, by: Any = None, notify: bool = True, is_public: bool = True) -> None:
    """Compute the payment status after a payment or a refund changed, and record the change.

    A pending order of which nothing is due any more is confirmed. The caller has locked the order.
    """
    lifecycle.set_payment_status(
        order,
        crediting.payment_status_of(order),
        by=by,
        notify=notify,
        is_public=is_public,
        about=payment,
        extra={
            "payment": {
                "provider": payment.provider,
                "amount": as_text(payment.amount, payment.currency),
                "status": payment.status,
            }
        },
    )
    if order.status == OrderStatus.PENDING and order.is_settled:
        lifecycle.confirm_paid(order)
