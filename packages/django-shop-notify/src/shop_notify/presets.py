"""Routes for the catalog and orders apps. If several events happen at once, each alias sends at most one message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_STATUS = "shop_orders.signals.order_status_changed"
_PAYMENT = "shop_orders.signals.payment_status_changed"
# Only for events whose route sends no e-mail.
_EMAIL_FALLBACK = {"sms": {"via": "email", "after_minutes": 30}}

ORDER_ROUTES: list[dict[str, Any]] = [
    {
        "signal": "shop_orders.signals.order_placed",
        "event": "order_placed",
        "to": ["customer"],
        "via": ["email", "sms"],
    },
    {
        "signal": "shop_orders.signals.order_placed",
        "event": "order_placed",
        "to": ["admins"],
        "via": ["email"],
    },
    {
        "signal": _STATUS,
        "when": {"new_status": "confirmed", "at_placement": False},
        "event": "order_confirmed",
        "to": ["customer"],
        "via": ["sms"],
        "group": "order_updates",
        "fallback": _EMAIL_FALLBACK,
    },
    {
        "signal": _STATUS,
        "when": {"new_status": "processing"},
        "event": "order_processing",
        "to": ["customer"],
        "via": ["sms"],
        "group": "order_updates",
        "fallback": _EMAIL_FALLBACK,
    },
    {
        "signal": _STATUS,
        "when": {"new_status": "delivered"},
        "event": "order_delivered",
        "to": ["customer"],
        "via": ["sms"],
        "group": "order_updates",
        "fallback": _EMAIL_FALLBACK,
    },
    {
        "signal": "shop_orders.signals.shipment_sent",
        "event": "order_shipped",
        "to": ["customer"],
        "via": ["email", "sms"],
    },
    {
        "signal": "shop_orders.signals.units_cancelled",
        "event": "order_part_cancelled",
        "to": ["customer"],
        "via": ["email", "sms"],
    },
    {
        "signal": _STATUS,
        "when": {"new_status": "cancelled"},
        "event": "order_cancelled",
        "to": ["customer"],
        "via": ["email", "sms"],
    },
    {
        "signal": _STATUS,
        "when": {"new_status": "cancelled"},
        "event": "order_cancelled",
        "to": ["admins"],
        "via": ["email"],
    },
    {
        "signal": "shop_orders.signals.order_refunded",
        "event": "order_refunded",
        "to": ["customer"],
        "via": ["email", "sms"],
    },
    {
        "signal": _PAYMENT,
        "when": {"new_status": "paid"},
        "event": "payment_received",
        "to": ["customer"],
        "via": ["email"],
    },
    {
        "signal": _PAYMENT,
        "when": {"new_status": "failed"},
        "event": "payment_failed",
        "to": ["customer"],
        "via": ["email"],
    },
]
"""The orders app's events."""

CART_ROUTES: list[dict[str, Any]] = [
    {
        "signal": "shop_orders.signals.cart_abandoned",
        "event": "cart_abandoned",
        "to": ["customer"],
        "via": ["email"],
        "group": "cart_reminders",
        "reference": "cart.id",
    },
]
"""Reminders of carts, which a shop must switch on (``CART_ABANDONED_AFTER``). Customers can unsubscribe from them."""

STOCK_ROUTES: list[dict[str, Any]] = [
    {
        "signal": "shop_catalog.signals.stock_low",
        "event": "stock_low",
        "to": ["admins"],
        "via": ["email"],
        "reference": "product.sku",
    },
]
"""The catalog app's events."""

SHOP_ROUTES: list[dict[str, Any]] = [*ORDER_ROUTES, *STOCK_ROUTES]
"""The events of both apps. A site with only one of them uses that app's routes."""


def state_routes(states: Mapping[str, Mapping[str, Any]], via: list[str]) -> list[dict[str, Any]]:
    """A route for each state of ``SHOP_ORDERS["STATES"]``: its event, to the customer. The site writes the texts."""
    return [
        {
            "signal": "shop_orders.signals.order_state_changed",
            "when": {"new_state": name},
            "event": state.get("EVENT") or f"order_{name}",
            "to": ["customer"],
            "via": via,
            "group": "order_updates",
        }
        for name, state in states.items()
    ]
