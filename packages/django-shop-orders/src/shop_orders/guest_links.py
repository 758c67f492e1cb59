"""Signed links with which a guest sees an order. They are valid until they expire or an account claims the order."""

from __future__ import annotations

from django.core.signing import BadSignature, TimestampSigner

from shop_orders.conf import app_settings
from shop_orders.models import Order

SALT = "shop_orders.guest_links"


def token_for(order_number: str) -> str:
    """A new token, valid for GUEST_LINK_MAX_AGE."""
    return TimestampSigner(salt=SALT).sign(order_number).removeprefix(f"{order_number}:")


def is_valid(order: Order, token: str) -> bool:
    """Whether the token was signed for this order and has not expired, and no account has claimed the order."""
    if not token or not order.customer.is_guest:
        return False
    try:
        TimestampSigner(salt=SALT).unsign(f"{order.number}:{token}", max_age=app_settings.GUEST_LINK_MAX_AGE)
    except BadSignature:
        return False
    return True
