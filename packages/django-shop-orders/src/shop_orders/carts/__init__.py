"""Carts: one open cart for each customer; a guest's cart is found by its token."""

from shop_orders.carts.finding import by_token, contents, find, find_or_open, hash_token
from shop_orders.carts.items import (
    add_and_view,
    add_item,
    add_to_cart,
    clear,
    prune,
    remove_item,
    remove_line,
    set_line_quantity,
    set_quantity,
)
from shop_orders.carts.merging import MergeChange, MergeReport, merge
from shop_orders.carts.queries import Contents
from shop_orders.carts.views import CartView, LineView, view

__all__ = [
    "CartView",
    "Contents",
    "LineView",
    "MergeChange",
    "MergeReport",
    "add_and_view",
    "add_item",
    "add_to_cart",
    "by_token",
    "clear",
    "contents",
    "find",
    "find_or_open",
    "hash_token",
    "merge",
    "prune",
    "remove_item",
    "remove_line",
    "set_line_quantity",
    "set_quantity",
    "view",
]
