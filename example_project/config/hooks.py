"""What joins the packages beyond their own settings."""

from __future__ import annotations

from django.http import HttpRequest
from shop_orders import customers


def recipient_key(request: HttpRequest) -> str:
    """SHOP_NOTIFY["REQUEST_RECIPIENT"]: whose preferences a request is about."""
    customer = customers.for_request(request)
    return customer.key if customer is not None else ""
