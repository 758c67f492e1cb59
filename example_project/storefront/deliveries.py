"""Messages about an order."""

from __future__ import annotations

from typing import Any

from shop_notify.models import Notification


def of_order(order_number: str) -> list[dict[str, Any]]:
    """``SHOP_ORDERS["DELIVERIES"]``: the messages to the customer, oldest first, without address and text.

    ``event_id`` is the order event that the message is about.
    """
    rows = Notification.objects.filter(reference=order_number, audience="customer").order_by("created_at", "pk")
    return [
        {
            "event_id": row.event_id,
            "event": row.event,
            "channel": row.channel,
            "state": row.state,
            "sent_at": row.sent_at.isoformat() if row.sent_at else None,
            "delivered_at": row.delivered_at.isoformat() if row.delivered_at else None,
        }
        for row in rows
    ]
