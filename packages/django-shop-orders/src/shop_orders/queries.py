"""INSERT and UPDATE of instances, with SQL that is built once from the model's fields. ``set_prefetched`` is here too.

The ORM builds the SQL at each call, which costs more than running it. It also does not say which rows were written by
an ``INSERT ... ON CONFLICT DO NOTHING``. No ``save()`` runs and no signal of the model is sent. Each function runs in
the caller's transaction, on the database to which the model is written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from shop_core.db.rows import MAX_PARAMETERS, chunks, field_of, insert_values_sql
from shop_core.db.transactions import connection_of

from shop_orders.models import Order

_PLAIN_TYPES: dict[str, type] = {
    **dict.fromkeys(("CharField", "TextField"), str),
    **dict.fromkeys(("AutoField", "BigAutoField", "IntegerField", "PositiveIntegerField"), int),
    "PositiveSmallIntegerField": int,
    "BooleanField": bool,
}
_PLAIN_TYPES_OF_POSTGRESQL: dict[str, type] = {"DateTimeField": datetime, "DecimalField": Decimal, "UUIDField": UUID}


def insert(rows: Sequence[models.Model], *, on_conflict: str = "") -> bool:
    """Insert instances of one model and give them their keys. Returns False when nothing was written.

    With ``on_conflict``, such as ``ON CONFLICT (number) DO NOTHING``, pass a single row.
    """
    if not rows:
        return False
    model = type(rows[0])
    if len(rows) > (size := MAX_PARAMETERS // len(columns_of(model))):
        for part in chunks(rows, size):
            insert(part)
        return True
    connection = connection_of(model)
    values = [value for row in rows for value in prepared(row, connection)]
    with connection.cursor() as cursor:
        cursor.execute(insert_sql(model, connection.alias, len(rows), on_conflict), values)
        keys = cursor.fetchall()
    for row, (key,) in zip(rows, keys, strict=not on_conflict):
        mark_stored(row, key, connection.alias)
    return bool(keys)


def update(model: type[models.Model], keys: Sequence[Any], **values: Any) -> None:
    """Set columns of the rows with these keys to one value each."""
    connection = connection_of(model)
    fields = [field_of(model, name) for name in values]
    new = [field.get_db_prep_save(values[field.name], connection) for field in fields]
    for part in chunks(keys, MAX_PARAMETERS):
        with connection.cursor() as cursor:
            cursor.execute(_update_sql(model, connection.alias, tuple(values), len(part)), [*new, *part])


def set_prefetched(order: Order, **related: list[Any]) -> None:
    """Let ``order.lines.all()`` return the rows that were just written, as after ``prefetch_related``."""
    known: dict[str, models.QuerySet[models.Model]] = {}
    for name, rows in related.items():
        known[name] = getattr(order, name).all()
        known[name]._result_cache = rows  # noqa: SLF001 - Django has no public way to prefetch known rows
    order._prefetched_objects_cache = known  # type: ignore[attr-defined]  # noqa: SLF001


def mark_stored(row: models.Model, key: Any, alias: str) -> None:
    """Mark an instance as saved, with the key that the database assigned."""
    setattr(row, row._meta.pk.attname, key)
    row._state.adding, row._state.db = False, alias  # noqa: SLF001 - as Model.save() does


def prepared(row: models.Model, connection: BaseDatabaseWrapper) -> list[Any]:
    """The values of a new row's columns, converted for the database."""
    plan = _plan(type(row), connection.vendor)
    for field in plan.left_out:
        if getattr(row, field.attname) != field.db_default:
            raise ValueError(
                f"A new {type(row).__name__} must have {field.attname}={field.db_default}, as the database sets it. "
                "Insert it first, then update it."
            )
    for field in plan.generated:
        setattr(row, field.attname, field.pre_save(row, add=True))
    return [
        value if type(value) is plain or value is None else _converted(value, field, connection)
        for value, plain, field in zip(plan.read(row), plan.plain_types, plan.fields, strict=True)
    ]


def _converted(value: Any, field: Any, connection: BaseDatabaseWrapper) -> Any:
    """The value for the database. Empty options skip the JSON conversion, which is slow."""
    if value == {} and type(field) is models.JSONField:
        return "{}"
    return field.get_db_prep_save(value, connection)


@lru_cache
def insert_sql(model: type[models.Model], alias: str, count: int, on_conflict: str = "") -> str:
    """``INSERT ... RETURNING`` of ``count`` rows. The keys come back in the order of the values."""
    names = tuple(field.attname for field in columns_of(model))
    return insert_values_sql(model, alias, names, count, on_conflict, "pk")


@lru_cache
def columns_of(model: type[models.Model]) -> tuple[Any, ...]:
    """The fields whose values an INSERT sends. The database sets the others: the key and those with a ``db_default``.

    psycopg caches the conversion of a statement's placeholders if it has at most 50 parameters, and repeats it at each
    call otherwise. Three lines of an order have fewer, because columns with a ``db_default`` are left out.
    """
    return tuple(
        field for field in model._meta.concrete_fields if not field.primary_key and not field.has_db_default()
    )


class _Plan(NamedTuple):
    """How the values of an instance are read. ``generated`` are fields that set their own value, such as ``auto_now``,
    ``left_out`` those with a ``db_default``, which is not sent.

    The field's conversion is slow, so values of a plain type, which it would not change, skip it.
    """

    fields: tuple[Any, ...]
    generated: tuple[Any, ...]
    left_out: tuple[Any, ...]
    read: Callable[[models.Model], tuple[Any, ...]]
    plain_types: tuple[type | None, ...]


@lru_cache
def _plan(model: type[models.Model], vendor: str) -> _Plan:
    fields = columns_of(model)
    return _Plan(
        fields=fields,
        generated=tuple(field for field in fields if _sets_its_value(field)),
        left_out=tuple(field for field in model._meta.concrete_fields if field.has_db_default()),
        read=attrgetter(*(field.attname for field in fields)),
        plain_types=tuple(_plain_type(field.target_field if field.is_relation else field, vendor) for field in fields),
    )


def _sets_its_value(field: Any) -> bool:
    """Whether ``pre_save`` of the field makes the value of a new row. Dates and times do so only for ``auto_now``."""
    if type(field) in (models.DateField, models.DateTimeField, models.TimeField):
        return bool(field.auto_now or field.auto_now_add)
    return type(field).pre_save is not models.Field.pre_save


def _plain_type(field: Any, vendor: str) -> type | None:
    is_of_django = type(field).__module__ == models.Field.__module__
    known = _PLAIN_TYPES | (_PLAIN_TYPES_OF_POSTGRESQL if vendor == "postgresql" else {})
    return known.get(field.get_internal_type()) if is_of_django else None


@lru_cache
def _update_sql(model: type[models.Model], alias: str, names: tuple[str, ...], count: int) -> str:
    quote = connections[alias].ops.quote_name
    new = ", ".join(f"{quote(field_of(model, name).column)} = %s" for name in names)
    key, places = quote(field_of(model, "pk").column), ", ".join(["%s"] * count)
    return f"UPDATE {quote(model._meta.db_table)} SET {new} WHERE {key} IN ({places})"  # noqa: S608
