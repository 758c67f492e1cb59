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
from shop_orders.carts.reminders import (
    agree_to_reminder,
    announce_abandoned,
    erase_reminders,
    reminder_of,
    withdraw_reminder,
)
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
    "agree_to_reminder",
    "announce_abandoned",
    "by_token",
    "clear",
    "contents",
    "erase_reminders",
    "find",
    "find_or_open",
    "hash_token",
    "merge",
    "prune",
    "reminder_of",
    "remove_item",
    "remove_line",
    "set_line_quantity",
    "set_quantity",
    "view",
    "withdraw_reminder",
]
