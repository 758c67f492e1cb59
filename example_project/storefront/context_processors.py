"""Variables of every page: the shop's name, the top categories, the number of units in the cart."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject
from shop_catalog import categories
from shop_orders import pages


def shop(request: HttpRequest) -> dict[str, Any]:
    """The database is read only if a template uses the value."""
    return {
        "shop_name": settings.SHOP_NAME,
        "shop_tagline": settings.SHOP_TAGLINE,
        "shop_email": settings.ADMIN_EMAIL,
        "top_categories": SimpleLazyObject(top_categories),
        "cart_count": SimpleLazyObject(lambda: cart_count(request)),
    }


def top_categories() -> list[categories.Node]:
    return [node for node in categories.current_tree().children.get(None, ()) if node.is_visible]


def cart_count(request: HttpRequest) -> int:
    """The number of units in the visitor's cart; prices and stock are not checked."""
    cart = pages.current_cart(request)
    return sum(cart.items.values_list("quantity", flat=True)) if cart is not None else 0
