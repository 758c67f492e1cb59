"""Signed links by which a guest reads an order. They expire, and end when an account claims the order."""

from __future__ import annotations

from django.core.signing import BadSignature, TimestampSigner

from shop_orders.conf import app_settings
from shop_orders.models import Order

SALT = "shop_orders.guest_links"


def token_for(order_number: str) -> str:
    """A new token, good for GUEST_LINK_MAX_AGE."""
    return TimestampSigner(salt=SALT).sign(order_number).removeprefix(f"{order_number}:")


def is_valid(order: Order, token: str) -> bool:
    """Whether the token opens this order: signed for it, not expired, and nobody's account has it."""
    if not token or not order.customer.is_guest:
        return False
    try:
        TimestampSigner(salt=SALT).unsign(f"{order.number}:{token}", max_age=app_settings.GUEST_LINK_MAX_AGE)
    except BadSignature:
        return False
    return True
