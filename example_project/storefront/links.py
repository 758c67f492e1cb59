"""URLs of pages for messages, which are written outside of requests."""

from __future__ import annotations

from django.conf import settings
from shop_orders.contrib.pages.links import order_path


def order_url(order_number: str, token: str) -> str:
    """``SHOP_ORDERS["ORDER_URL"]``: the URL of an order in messages."""
    return f"{settings.SITE_URL}{order_path(order_number, token)}"
