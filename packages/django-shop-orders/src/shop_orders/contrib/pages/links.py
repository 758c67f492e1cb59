"""The paths of the pages about an order, also for messages, which are written outside of requests."""

from __future__ import annotations

from urllib.parse import urlencode

from django.urls import reverse


def order_path(order_number: str, token: str = "", *, name: str = "order") -> str:
    """The path of a page about an order, with the signed token for guests. ``name`` is that of the URL pattern."""
    path = reverse(f"shop_orders_pages:{name}", kwargs={"number": order_number})
    return f"{path}?{urlencode({'token': token})}" if token else path
