"""Who bought what, for the mark of a verified purchase beside a review."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from shop_orders.models import OrderLine, OrderStatus


def has_bought(user: Any, refs: Collection[str]) -> bool:
    """``SHOP_CATALOG["VERIFIED_PURCHASE"]``: one of these is in an order of the user that was accepted."""
    lines = OrderLine.objects.filter(order__customer__user=user, product_ref__in=refs)
    return lines.exclude(order__status__in=(OrderStatus.PENDING, OrderStatus.CANCELLED)).exists()
