"""The statements by which carts are filled and closed, written by hand.

No queryset can add to what a conflicting row holds, nor say in the same statement how long it waits. The names come
from the models' meta. PostgreSQL takes an add as one statement; SQLite, which has no writes in WITH, takes two in a
transaction that excludes every other writer.
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


def close(cart: Cart, *, patience: str | None) -> bool:
    """Note that an open cart is ordered, which locks its row until the transaction ends; False when it is not open.

    With a ``patience`` such as ``"5s"`` this is how long all of the transaction waits for any lock.
    """
    connection = connections[router.db_for_write(Cart)]
    with connection.cursor() as cursor:
        sql, values = _use(connection, cart, patience=patience, status=Cart.Status.ORDERED)
        cursor.execute(sql, values)
        return cursor.fetchone() is not None


def _one_statement(connection: BaseDatabaseWrapper, cart: Cart, item: CartItem, most: int) -> bool:
    if not cart.pk:
        first, values = _open_sql(connection.alias), hot_write.prepared(cart, connection)
    else:
        first, values = _use(connection, cart, patience=locking.patience())
    sql = f"WITH opened (id) AS ({first}) {_put_sql(connection.alias)}"
    with connection.cursor() as cursor:
        cursor.execute(sql, [*values, *_put_values(connection, item, most)])
        row = cursor.fetchone()
    return _noted(connection.alias, cart, item, row)


def _two_statements(connection: BaseDatabaseWrapper, cart: Cart, item: CartItem, most: int) -> bool:
    with connection.cursor() as cursor:
        if not cart.pk:
            cursor.execute(_open_sql(connection.alias), hot_write.prepared(cart, connection))
        else:
            cursor.execute(*_use(connection, cart))
        opened = cursor.fetchone()
        if opened is None:
            return False
        sql = f"WITH opened (id) AS (SELECT %s) {_put_sql(connection.alias)}"
        cursor.execute(sql, [*opened, *_put_values(connection, item, most)])
        row = cursor.fetchone()
    return _noted(connection.alias, cart, item, row)


def _use(
    connection: BaseDatabaseWrapper, cart: Cart, *, patience: str | None = None, status: str = Cart.Status.OPEN
) -> tuple[str, list[Any]]:
    """The statement that updates an open cart, and its values."""
    cart.updated_at = timezone.now()
    now = connection.ops.adapt_datetimefield_value(cart.updated_at)
    waits = [patience] if connection.vendor == "postgresql" else []
    return _use_sql(connection.alias, str(status)), [now, *waits, cart.pk]


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
def _use_sql(alias: str, status: str) -> str:
    """Update an open cart, and so lock it; no row where it is open no more."""
    connection = connections[alias]
    table = connection.ops.quote_name(Cart._meta.db_table)
    waits = f"FROM {PATIENCE}" if connection.vendor == "postgresql" else ""
    new = f"updated_at = %s, status = '{status}'"
    return f"UPDATE {table} SET {new} {waits} WHERE id = %s AND status = 'open' RETURNING id"  # noqa: S608


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
