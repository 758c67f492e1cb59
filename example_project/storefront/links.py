"""URLs of pages for messages, which are written outside of requests."""

from __future__ import annotations

from urllib.parse import urlencode

from django.conf import settings
from django.urls import reverse


def order_path(order_number: str, token: str = "", *, name: str = "order") -> str:
    """The path of a page about an order, with the signed token for guests."""
    path = reverse(f"storefront:{name}", kwargs={"number": order_number})
    return f"{path}?{urlencode({'token': token})}" if token else path


def order_url(order_number: str, token: str) -> str:
    """``SHOP_ORDERS["ORDER_URL"]``: the URL of an order in messages."""
    return f"{settings.SITE_URL}{order_path(order_number, token)}"
