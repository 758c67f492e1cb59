"""Whether a user bought a product, for the "verified purchase" mark of a review."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db.models import F
from shop_orders.models import OrderLine, OrderStatus


def has_bought(user: Any, refs: Collection[str]) -> bool:
    """``SHOP_CATALOG["VERIFIED_PURCHASE"]``: whether an accepted order of the user contains one of these.

    Units that are not sent do not count.
    """
    lines = OrderLine.objects.filter(
        order__customer__user=user, product_ref__in=refs, quantity__gt=F("cancelled_quantity")
    )
    return lines.exclude(order__status__in=(OrderStatus.PENDING, OrderStatus.CANCELLED)).exists()
