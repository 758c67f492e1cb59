"""Hooks that connect the packages."""

from __future__ import annotations

from django.http import HttpRequest
from shop_orders import customers


def recipient_key(request: HttpRequest) -> str:
    """SHOP_NOTIFY["REQUEST_RECIPIENT"]: the recipient whose preferences a request reads or changes."""
    customer = customers.for_request(request)
    return customer.key if customer is not None else ""
