"""Checks of DATABASE_ROUTERS: what one transaction changes must be in one database."""

from __future__ import annotations

from collections.abc import Iterator

from django.core import checks
from shop_core.db.transactions import app_routing


def check_routers() -> Iterator[checks.CheckMessage]:
    """The models of this app, and those of its foreign keys, are written to and read from one database."""
    home, written, read = app_routing("shop_orders")
    for label, alias in written.items():
        yield checks.Error(
            f'The database routers write {label} to the database "{alias}" and the orders to "{home}". '
            "They belong together: neither a transaction nor a foreign key spans two databases.",
            hint=f'Let db_for_write of DATABASE_ROUTERS return "{home}" for {label} too, or "{alias}" for all of '
            "shop_orders.",
            id="shop_orders.E024",
        )
    if read:
        label, alias = next(iter(read.items()))
        yield checks.Error(
            f'The database routers read {label} from the database "{alias}" and write it to "{home}": '
            "a replica lags behind, so payments and stock would be changed by outdated values.",
            hint=f'Let db_for_read of DATABASE_ROUTERS return "{home}" for all of shop_orders.',
            id="shop_orders.E025",
        )
