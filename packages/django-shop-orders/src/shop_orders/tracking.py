"""What a customer sees of an order's progress: public events, shipments and messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.module_loading import import_string

from shop_orders.conf import app_settings
from shop_orders.models import Order, OrderEvent, Refund, Shipment


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


def _deliveries(order_number: str) -> list[dict[str, Any]]:
    if not app_settings.DELIVERIES:
        return []
    hook: Callable[[str], list[dict[str, Any]]] = import_string(app_settings.DELIVERIES)
    return hook(order_number)
