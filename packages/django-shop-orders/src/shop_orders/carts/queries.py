"""Statements about carts that are compiled once or written by hand.

Four reads are compiled: the open cart of a user and the cart of a token, because adding to a cart is a shop's most
frequent write, and the items of a cart, with and without the counts of unpaid orders, because a checkout takes 5 to
7 % longer otherwise.

Three writes are written by hand, because a queryset can neither add to the values of a conflicting row nor set the
lock timeout in the same statement:

- ``_open_sql``: insert a cart, or return the one that the customer opened at the same moment.
- ``_touch_sql``: update an open cart, which locks it, and set the lock timeout.
- ``_add_sql``: insert an item, or add its quantity to the one that is stored.

Table and column names come from the models. Adding takes one statement on PostgreSQL and two on SQLite, which does not
support writes in WITH.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from django.db import connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F, FilteredRelation, Func, IntegerField, Model, Q, QuerySet, Subquery, Value
from django.db.models.expressions import Combinable
from django.utils import timezone
from shop_core.db.compiled import CompiledQuery
from shop_core.db.transactions import connection_of

from shop_orders.conf import app_settings
from shop_orders.managers import Word
from shop_orders.models import Cart, CartItem, Customer, Order
from shop_orders.queries import columns_of, insert_sql, mark_stored, prepared
from shop_orders.transactions import in_transaction, lock_timeout, repeat_once


class Contents(NamedTuple):
    """A cart and its items. ``cart`` is None before the first write, ``customer`` None for a guest."""

    customer: Customer | None = None
    cart: Cart | None = None
    items: tuple[CartItem, ...] = ()


class UnpaidCounts(NamedTuple):
    """The numbers of unpaid orders, and of the units in them, of a buyer and of a visitor."""

    own_orders: int = 0
    own_units: int = 0
    visitor_orders: int = 0
    visitor_units: int = 0


def open_cart_of_user(user: Any, *, with_items: bool) -> Contents | None:
    """The customer of a user, with their open cart; None if the user is not a customer yet. One statement, no lock."""
    found = _OPEN_CART_OF_USER.rows(with_items, user=user.pk)
    if not found:
        return None
    (customer,) = _CUSTOMER.instances(found[:1])
    customer.user = user
    return _contents(found, customer, after=_CUSTOMER.width)


def cart_of_token(token_hash: str) -> Contents:
    """The cart with this token's hash, whatever its status, and its items. One statement, no lock."""
    return _contents(_CART_OF_TOKEN.rows(token_hash=token_hash), None)


def items_of(cart: Cart) -> list[CartItem]:
    """The items as they are stored now, in the order in which they were added. One statement, no lock."""
    return _STORED_ITEM.instances(_ITEMS.rows(cart=cart.pk))


def items_and_unpaid(cart: Cart, buyer: Mapping[str, Any]) -> tuple[list[CartItem], UnpaidCounts]:
    """``items_of``, and the counts of the unpaid orders of the buyer and the visitor. One statement, no lock.

    ``buyer`` has at least one of ``customer`` (a key), ``email`` (as in ``email_key``), ``phone`` and ``visitor``.
    """
    found = _ITEMS_AND_UNPAID.rows(tuple(buyer), cart=cart.pk, **buyer)
    counts = found[0][-len(UnpaidCounts._fields) :] if found else ()
    return _STORED_ITEM.instances(found), UnpaidCounts(*(count or 0 for count in counts))


def add(cart: Cart, item: CartItem, *, most: int, takes_options: bool = False) -> bool:
    """Add ``item.quantity`` to the stored item of the product and options, or insert the item. Updates ``item`` to
    what is stored.

    If the product ``takes_options``, several items may have it, and their quantities are added up. Then the cart is
    locked by a statement of its own, because one statement sees the other items as they were before it got the lock.

    A cart without a primary key is inserted, unless the customer has opened one meanwhile; then that one is used.
    Locks the cart's row. Returns False, without a change, if the cart is closed, the quantity would exceed ``most``,
    or a new item would exceed MAX_LINES.

    Raises:
        Busy: the cart's row stayed locked for too long, twice.
    """
    connection = connection_of(Cart)
    if connection.vendor != "postgresql" or takes_options:
        return _add_in_two_statements(cart, item, most, takes_options)
    if not connection.in_atomic_block:
        return repeat_once(lambda: _add_in_one_statement(connection, cart, item, most))
    with transaction.atomic(using=connection.alias):
        return _add_in_one_statement(connection, cart, item, most)


def close(cart: Cart, *, lock_keys: Sequence[int] = ()) -> bool:
    """Mark an open cart as ordered, which locks its row until the transaction ends. Returns False if it is not open.

    This is the first statement of a checkout, so it also sets the lock timeout of the transaction, and waits for other
    checkouts with one of the ``lock_keys``. SQLite lets only one transaction write at a time anyway.
    """
    connection = connection_of(Cart)
    with connection.cursor() as cursor:
        cursor.execute(*_touch(connection, cart, status=Cart.Status.ORDERED, lock_keys=lock_keys))
        return cursor.fetchone() is not None


class _Columns:
    """The columns of one model in the rows of a join. ``start`` is the index of the first one."""

    def __init__(self, model: type[Model], start: int = 0) -> None:
        self.model = model
        self.names = [field.attname for field in model._meta.concrete_fields]
        self.start, self.width = start, len(self.names)

    def instances(self, rows: Sequence[Any], after: int = 0) -> list[Any]:
        """The instances in the rows. A row has none if the join found no match."""
        start = self.start + after
        alias = router.db_for_write(self.model)
        found = [row[start : start + self.width] for row in rows]
        return [self.model.from_db(alias, self.names, values) for values in found if values and values[0]]

    def paths(self, relation: str) -> list[str]:
        return [f"{relation}__{name}" for name in self.names]


UNITS_TO_SEND = F("lines__quantity") - F("lines__cancelled_quantity")

_CUSTOMER = _Columns(Customer)
_CART = _Columns(Cart)
_ITEM = _Columns(CartItem, start=_CART.width)
_STORED_ITEM = _Columns(CartItem)


def _contents(found: list[Any], customer: Customer | None, after: int = 0) -> Contents:
    carts = _CART.instances(found[:1], after)
    if not carts:
        return Contents(customer=customer)
    if customer is not None:
        carts[0].customer = customer
    return Contents(customer=customer, cart=carts[0], items=tuple(_ITEM.instances(found, after)))


def _user_queryset(p: Any, with_items: bool) -> QuerySet[Any, Any]:  # noqa: FBT001 - chooses the columns
    customers = Customer.objects.filter(user=p("user", Customer._meta.get_field("user")))
    joined = customers.annotate(cart=FilteredRelation("carts", condition=Q(carts__status=Word("open"))))
    columns = [*_CUSTOMER.names, *_CART.paths("cart")]
    if with_items:
        columns += _ITEM.paths("cart__items")
    rows: QuerySet[Any, Any] = joined.order_by("cart__items__id" if with_items else "id").values_list(*columns)
    return rows


def _token_queryset(p: Any) -> QuerySet[Any, Any]:
    carts = Cart.objects.filter(token_hash=p("token_hash", Cart._meta.get_field("token_hash")))
    rows: QuerySet[Any, Any] = carts.order_by("items__id").values_list(*_CART.names, *_ITEM.paths("items"))
    return rows


def _items_queryset(p: Any) -> QuerySet[Any, Any]:
    items = CartItem.objects.filter(cart=p("cart", Cart._meta.get_field("id")))
    rows: QuerySet[Any, Any] = items.order_by("id").values_list(*_STORED_ITEM.names)
    return rows


def _items_and_unpaid_queryset(p: Any, names: tuple[str, ...]) -> QuerySet[Any, Any]:
    path = {"customer": "customer", "email": "email_key", "phone": "phone", "visitor": "visitor"}
    same = {name: Q(**{path[name]: p(name, Order._meta.get_field(path[name]))}) for name in names}
    visitor = same.pop("visitor", Q())
    own = Q(*same.values(), _connector=Q.OR)
    counts = [
        _one_number(condition, field, function) if condition else Value(0)
        for condition in (own, visitor)
        for field, function in ((F("id"), "COUNT"), (UNITS_TO_SEND, "SUM"))
    ]
    named = dict(zip(UnpaidCounts._fields, counts, strict=True))
    rows: QuerySet[Any, Any] = _items_queryset(p).annotate(**named).values_list(*_STORED_ITEM.names, *named)
    return rows


def _one_number(condition: Q, field: Combinable, function: str) -> Subquery:
    orders = Order.objects.counted_as_unpaid().filter(condition).order_by()
    return Subquery(orders.values_list(Func(field, function=function, output_field=IntegerField())))


_ITEMS_AND_UNPAID: CompiledQuery[Any] = CompiledQuery(CartItem, _items_and_unpaid_queryset)
_OPEN_CART_OF_USER: CompiledQuery[Any] = CompiledQuery(Customer, _user_queryset)
_CART_OF_TOKEN: CompiledQuery[Any] = CompiledQuery(Cart, _token_queryset)
_ITEMS: CompiledQuery[Any] = CompiledQuery(CartItem, _items_queryset)


class _Added(NamedTuple):
    """The row that ``_add_sql`` returns: the stored item's key, its cart and its quantity."""

    id: int
    cart_id: int
    quantity: int


def _add_in_one_statement(connection: BaseDatabaseWrapper, cart: Cart, item: CartItem, most: int) -> bool:
    if cart.pk:
        first, values = _touch(connection, cart)
    else:
        first, values = _open_sql(connection.alias), prepared(cart, connection)
    sql = f"WITH opened (id) AS ({first}) {_add_sql(connection.alias)}"
    with connection.cursor() as cursor:
        cursor.execute(sql, [*values, *_add_values(connection, item, most)])
        row = cursor.fetchone()
    return _copy_result(connection, cart, item, row)


@in_transaction(Cart)
def _add_in_two_statements(cart: Cart, item: CartItem, most: int, takes_options: bool) -> bool:  # noqa: FBT001
    connection = connection_of(Cart)
    with connection.cursor() as cursor:
        if cart.pk:
            cursor.execute(*_touch(connection, cart))
        else:
            cursor.execute(_open_sql(connection.alias), prepared(cart, connection))
        opened = cursor.fetchone()
        if opened is None:
            return False
        first = "SELECT CAST(%s AS bigint)" if connection.vendor == "postgresql" else "SELECT %s"
        sql = f"WITH opened (id) AS ({first}) {_add_sql(connection.alias, takes_options)}"
        cursor.execute(sql, [*opened, *_add_values(connection, item, most, takes_options=takes_options)])
        row = cursor.fetchone()
    return _copy_result(connection, cart, item, row)


def _copy_result(connection: BaseDatabaseWrapper, cart: Cart, item: CartItem, row: Any) -> bool:
    """Copy the values that the statement returned into the instances. Returns False if nothing was written."""
    if row is None:
        return False
    added = _Added(*row)
    item.quantity = added.quantity
    mark_stored(cart, added.cart_id, connection.alias)
    mark_stored(item, added.id, connection.alias)
    item.cart = cart
    return True


def _touch(
    connection: BaseDatabaseWrapper,
    cart: Cart,
    *,
    status: Cart.Status = Cart.Status.OPEN,
    lock_keys: Sequence[int] = (),
) -> tuple[str, list[Any]]:
    cart.updated_at = timezone.now()
    now = connection.ops.adapt_datetimefield_value(cart.updated_at)
    waits = [lock_timeout(connection), *lock_keys] if connection.vendor == "postgresql" else []
    return _touch_sql(connection.alias, str(status), len(lock_keys)), [now, *waits, cart.pk]


def _add_values(
    connection: BaseDatabaseWrapper, item: CartItem, most: int, *, takes_options: bool = False
) -> list[Any]:
    values = [*prepared(item, connection)[1:], app_settings.MAX_LINES, item.product_ref, item.options_digest]
    return [*values, item.product_ref, item.quantity, most, most] if takes_options else [*values, most]


@lru_cache
def _open_sql(alias: str) -> str:
    """On a conflict only the time is updated, because RETURNING does not return a row that was not
    changed."""
    conflict = "ON CONFLICT (customer_id) WHERE status = 'open' DO UPDATE SET updated_at = EXCLUDED.updated_at"
    return insert_sql(Cart, alias, 1, conflict)


@lru_cache
def _touch_sql(alias: str, status: str, locks: int) -> str:
    """Returns no row if the cart is not open any more. The subquery sets the lock timeout as a separate SET
    LOCAL would, and takes advisory locks until the transaction ends; it is evaluated before the row is locked.
    """
    connection = connections[alias]
    table = connection.ops.quote_name(Cart._meta.db_table)
    new_timeout = "set_config('lock_timeout', COALESCE(%s, current_setting('lock_timeout')), true)"
    functions = ", ".join([new_timeout, *["pg_advisory_xact_lock(%s)"] * locks])
    waits = f"FROM (SELECT {functions}) AS waits" if connection.vendor == "postgresql" else ""
    new = f"updated_at = %s, status = '{status}'"
    return f"UPDATE {table} SET {new} {waits} WHERE id = %s AND status = 'open' RETURNING id"  # noqa: S608


@lru_cache
def _add_sql(alias: str, takes_options: bool = False) -> str:  # noqa: FBT001, FBT002 - an argument of lru_cache
    """Returns no row if a new item would exceed MAX_LINES, or if the quantity of a stored item would exceed the last
    parameter. The quantity of a new item was compared before. With ``takes_options``, the quantities of all items of
    the product are compared."""
    quote = connections[alias].ops.quote_name
    table = quote(CartItem._meta.db_table)
    columns = [quote(field.column) for field in columns_of(CartItem)]
    same_product = f"FROM {table} AS known WHERE known.cart_id = opened.id AND known.product_ref = %s"
    limit = f"AND COALESCE((SELECT SUM(known.quantity) {same_product}), 0) + %s <= %s" if takes_options else ""
    return f"""
        INSERT INTO {table} AS item ({", ".join(columns)})
        SELECT opened.id, {", ".join(["%s"] * (len(columns) - 1))} FROM opened
        WHERE ((SELECT COUNT(*) FROM {table} AS known WHERE known.cart_id = opened.id) < %s
            OR EXISTS (SELECT 1 {same_product} AND known.options_digest = %s)) {limit}
        ON CONFLICT (cart_id, product_ref, options_digest) DO UPDATE SET quantity = item.quantity + EXCLUDED.quantity,
            name = EXCLUDED.name, price_when_added = EXCLUDED.price_when_added
        WHERE item.quantity + EXCLUDED.quantity <= %s
        RETURNING id, cart_id, quantity
    """  # noqa: S608 - the names are ours, the values are parameters
