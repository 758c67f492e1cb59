"""Variables of every page: the shop's name, the top categories, the number of units in the cart."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject
from shop_catalog import categories
from shop_orders import pages

from storefront import caching


def shop(request: HttpRequest) -> dict[str, Any]:
    """Values of the database are lazy: they are read when a template uses them."""
    return {
        "shop_name": settings.SHOP_NAME,
        "shop_tagline": settings.SHOP_TAGLINE,
        "shop_email": settings.ADMIN_EMAIL,
        "tree_version": SimpleLazyObject(lambda: tree_of(request).version),
        "top_categories": SimpleLazyObject(lambda: visible_children(tree_of(request), None)),
        "cart_count": SimpleLazyObject(lambda: cart_count(request)),
        "is_logged_in": SimpleLazyObject(lambda: is_logged_in(request)),
        "is_anonymous": caching.is_anonymous(request),
    }


def tree_of(request: HttpRequest) -> categories.CategoryTree:
    """The categories, whose version is read once for each request."""
    if not hasattr(request, "category_tree"):
        keep_tree(request, categories.current_tree())
    tree: categories.CategoryTree = request.category_tree  # type: ignore[attr-defined]
    return tree


def keep_tree(request: HttpRequest, tree: categories.CategoryTree) -> None:
    """Keep the categories that were read for this request."""
    request.category_tree = tree  # type: ignore[attr-defined]


def visible_children(tree: categories.CategoryTree, parent_id: int | None) -> list[categories.Node]:
    return [node for node in tree.children.get(parent_id, ()) if node.is_visible]


def is_logged_in(request: HttpRequest) -> bool:
    """Whether the visitor is a user. Without the cookie no session is opened, so that the page can be shared."""
    user = getattr(request, "user", None) if settings.SESSION_COOKIE_NAME in request.COOKIES else None
    return user is not None and user.is_authenticated


def cart_count(request: HttpRequest) -> int:
    """The number of units in the visitor's cart; prices and stock are not checked."""
    if not (pages.COOKIE in request.COOKIES or is_logged_in(request)):
        return 0
    cart = pages.current_cart(request)
    return sum(cart.items.values_list("quantity", flat=True)) if cart is not None else 0
