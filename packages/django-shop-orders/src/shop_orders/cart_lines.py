"""The statements behind an add to the cart, written by hand: no queryset can add to what a conflicting row holds.

The names come from the models' meta. PostgreSQL takes all of it as one statement; SQLite, which has no writes in WITH,
takes two in a transaction that excludes every other writer.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from shop_orders import hot_write, locking
from shop_orders.locking import in_transaction, try_twice
from shop_orders.models import Cart, CartItem

PATIENCE = "(SELECT set_config('lock_timeout', COALESCE(%s, current_setting('lock_timeout')), true)) AS patience"
"""SET LOCAL inside of a statement, evaluated before its rows are locked."""


def add(cart: Cart, item: CartItem, *, most: int) -> bool:
    """Add ``item.quantity`` to the line of the product, or make it; then ``item`` is the line as it is stored.

    A cart without a key is opened, or is the one that the customer opened meanwhile. Locks the cart's row. False, and
    no line changed, when the cart is closed or the line would exceed ``most``.

    Raises:
        Busy: the cart's row was not free in time, twice.
    """
    connection = connections[router.db_for_write(Cart)]
    if connection.vendor != "postgresql":
        return in_transaction(partial(_two_statements, connection, cart, item, most))
    work = partial(_one_statement, connection, cart, item, most)
    return in_transaction(work) if connection.in_atomic_block else try_twice(work)


def _one_statement(connection: BaseDatabaseWrapper, cart: Cart, item: CartItem, most: int) -> bool:
    cart.updated_at = timezone.now()
    if not cart.pk:
        first, values = _open_sql(connection.alias), hot_write.prepared(cart, connection)
    else:
        patience = None if connection.in_atomic_block else locking.LOCK_TIMEOUT
        first, values = _touch_sql(connection.alias, patient=True), [cart.updated_at, patience, cart.pk]
    sql = f"WITH opened (id) AS ({first}) {_put_sql(connection.alias)}"
    with connection.cursor() as cursor:
        cursor.execute(sql, [*values, *_put_values(connection, item, most)])
        row = cursor.fetchone()
    return _noted(connection.alias, cart, item, row)


def _two_statements(connection: BaseDatabaseWrapper, cart: Cart, item: CartItem, most: int) -> bool:
    cart.updated_at = timezone.now()
    with connection.cursor() as cursor:
        if not cart.pk:
            cursor.execute(_open_sql(connection.alias), hot_write.prepared(cart, connection))
        else:
            values = [connection.ops.adapt_datetimefield_value(cart.updated_at), cart.pk]
            cursor.execute(_touch_sql(connection.alias, patient=False), values)
        opened = cursor.fetchone()
        if opened is None:
            return False
        sql = f"WITH opened (id) AS (SELECT %s) {_put_sql(connection.alias)}"
        cursor.execute(sql, [*opened, *_put_values(connection, item, most)])
        row = cursor.fetchone()
    return _noted(connection.alias, cart, item, row)


def _put_values(connection: BaseDatabaseWrapper, item: CartItem, most: int) -> list[Any]:
    return [*hot_write.prepared(item, connection)[1:], most]


def _noted(alias: str, cart: Cart, item: CartItem, row: tuple[int, int, int] | None) -> bool:
    if row is None:
        return False
    item_key, cart_key, item.quantity = row
    hot_write.note_stored(cart, cart_key, alias)
    hot_write.note_stored(item, item_key, alias)
    item.cart = cart
    return True


@lru_cache
def _open_sql(alias: str) -> str:
    """Open a cart; when a rival has opened the customer's, that one."""
    mine = "ON CONFLICT (customer_id) WHERE status = 'open' DO UPDATE SET updated_at = EXCLUDED.updated_at"
    return hot_write.statement(Cart, alias, 1, mine)


@lru_cache
def _touch_sql(alias: str, *, patient: bool) -> str:
    quote = connections[alias].ops.quote_name
    table = quote(Cart._meta.db_table)
    waits = f"FROM {PATIENCE}" if patient else ""
    return f"UPDATE {table} SET updated_at = %s {waits} WHERE id = %s AND status = 'open' RETURNING id"  # noqa: S608


@lru_cache
def _put_sql(alias: str) -> str:
    quote = connections[alias].ops.quote_name
    table = quote(CartItem._meta.db_table)
    columns = [quote(field.column) for field in hot_write.columns(CartItem)]
    return f"""
        INSERT INTO {table} AS line ({", ".join(columns)})
        SELECT opened.id, {", ".join(["%s"] * (len(columns) - 1))} FROM opened WHERE true
        ON CONFLICT (cart_id, product_ref) DO UPDATE SET quantity = line.quantity + EXCLUDED.quantity,
            name = EXCLUDED.name, price_when_added = EXCLUDED.price_when_added
        WHERE line.quantity + EXCLUDED.quantity <= %s
        RETURNING id, cart_id, quantity
    """  # noqa: S608 - the names are ours, the values are parameters
