"""Sample data to try a template with: the payload of the newest notification of its event, or an invented order."""

from __future__ import annotations

from typing import Any

from shop_notify import secret_values
from shop_notify.conf import app_settings
from shop_notify.models import Notification

SAMPLE_ORDER: dict[str, Any] = {
    "version": 1,
    "order": {
        "number": "K7Q-2M4",
        "status": "confirmed",
        "payment_status": "paid",
        "currency": "KES",
        "subtotal": "1000.00",
        "net_total": "1000.00",
        "tax_total": "160.00",
        "total": "1160.00",
        "url": "https://shop.example.org/orders/K7Q-2M4/",
        "lines": [
            {"sku": "TEA-1", "name": "Tea", "quantity": 2, "unit_price": "500.00", "line_total": "1000.00"},
        ],
        "charges": [{"kind": "tax", "label": "VAT", "amount": "160.00", "is_included": False}],
        "tax_lines": [
            {
                "label": "VAT",
                "rate": "0.16",
                "percent": "16",
                "base": "1000.00",
                "amount": "160.00",
                "is_included": False,
            },
        ],
        "account": {
            "credited_amount": "100.00",
            "paid_amount": "1160.00",
            "refunded_amount": "100.00",
            "refunds_under_way": "0.00",
            "amount_due": "0.00",
            "refund_due": "0.00",
        },
        "placed_at": "2026-01-31T12:00:00Z",
    },
    "old_status": "pending",
    "new_status": "confirmed",
    "shipment": {
        "carrier": "Courier",
        "tracking_number": "T-100",
        "tracking_url": "https://track.example.org/T-100",
        "position": 1,
        "is_last": True,
        "lines": [{"name": "Tea", "quantity": 2}],
        "remaining": [],
    },
    "cancelled": {
        "reason": "Sold out",
        "credited_amount": "500.00",
        "with_refund": False,
        "lines": [{"name": "Tea", "quantity": 1}],
        "remaining": [],
    },
    "payment": {"provider": "on_delivery", "amount": "1160.00", "status": "paid"},
    "refund": {"amount": "100.00", "reason": "Damaged", "lines": []},
    "product": {"sku": "TEA-1", "name": "Tea", "slug": "tea"},
    "available": 2,
    "threshold": 5,
}


def sample_values(event: str) -> dict[str, Any]:
    """Values for a template of this event, as a notification would have them."""
    context = (
        Notification.objects.filter(event=event).newest_first().values_list("context", flat=True).first()
        or SAMPLE_ORDER
    )
    return {
        **app_settings.CONTEXT,
        **context,
        **secret_values.masked(event),
        "event": event,
        "recipient": {"name": "Test Customer", "language": "en"},
    }
