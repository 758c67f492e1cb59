"""What a customer sees of an order's progress: public events, shipments and messages."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import Error as DatabaseError
from django.utils.module_loading import import_string
from shop_core.money import as_text

from shop_orders.conf import app_settings
from shop_orders.models import Order, OrderEvent, Refund, Shipment

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Tracking:
    """``deliveries`` are the dicts of the DELIVERIES hook: messages about the order."""

    order: Order
    events: Sequence[OrderEvent]
    shipments: Sequence[Shipment]
    deliveries: Sequence[dict[str, Any]]


def of(order: Order) -> Tracking:
    """The public timeline of an order, oldest first, with its shipments and messages."""
    return Tracking(
        order=order,
        events=list(order.events.public().order_by("id")),
        shipments=list(order.shipments.prefetch_related("lines__order_line")),
        deliveries=_deliveries(order.number),
    )


def refunds_of(order: Order) -> list[Refund]:
    """The refunds of an order with their payments, the oldest first. An order that was never paid takes no query."""
    if not order.paid_amount:
        return []
    return list(Refund.objects.filter(payment__order=order).select_related("payment").order_by("id"))


def money_and_goods(order: Order) -> str:
    """The amounts and units of an order, which staff see before they decide."""
    lines = order.lines.all()
    units = [(line.shipped_quantity, line.restocked_quantity, line.cancelled_quantity) for line in lines]
    amounts = (order.paid_amount, order.refunded_amount, order.credited_amount, order.refunds_under_way)
    return f"{[as_text(amount, order.currency) for amount in amounts]} {units}"


def version_of(order: Order) -> str:
    """A text that differs after the status, the money or the goods of an order have changed."""
    seen = f"{order.status} {order.state} {order.reservations} {order.payment_status} {money_and_goods(order)}"
    return hashlib.sha256(seen.encode()).hexdigest()[:16]


def _deliveries(order_number: str) -> list[dict[str, Any]]:
    if not app_settings.DELIVERIES:
        return []
    hook: Callable[[str], list[dict[str, Any]]] = import_string(app_settings.DELIVERIES)
    try:
        return [dict(row) for row in hook(order_number)]
    except DatabaseError:
        raise
    except Exception:  # the order is shown without its messages
        logger.exception("The hook DELIVERIES failed")
        return []
