"""Signed links with which a guest sees an order. They are valid until they expire or an account claims the order."""

from __future__ import annotations

from django.core.signing import BadSignature, TimestampSigner

from shop_orders.conf import app_settings
from shop_orders.models import Order

SALT = "shop_orders.guest_links"


class _Signer(TimestampSigner):
    def __init__(self, timestamp: str = "") -> None:
        super().__init__(salt=SALT)
        self._timestamp = timestamp

    def timestamp(self) -> str:
        return self._timestamp or super().timestamp()


def token_for(order_number: str, *, timestamp: str = "") -> str:
    """A token that is valid for GUEST_LINK_MAX_AGE. With the ``timestamp`` of an earlier token, the same token."""
    return _Signer(timestamp).sign(order_number).removeprefix(f"{order_number}:")


def timestamp_of(token: str) -> str:
    """The part of a token that is not secret; "" if there is no token."""
    return token.partition(":")[0]


def is_valid(order: Order, token: str) -> bool:
    """Whether the token was signed for this order and has not expired, and no account has claimed the order."""
    if not token or not order.customer.is_guest:
        return False
    try:
        _Signer().unsign(f"{order.number}:{token}", max_age=app_settings.GUEST_LINK_MAX_AGE)
    except BadSignature:
        return False
    return True
