"""INSERT and UPDATE of a model's rows, with SQL that is built once from the model's fields.

The ORM builds the SQL at each call, which costs more than running it. It also does not say which rows were written by
an ``INSERT ... ON CONFLICT DO NOTHING``. No ``save()`` runs and no signal of the model is sent. Each function runs in
the caller's transaction, on the database to which the model is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper

from shop_core.db.transactions import connection_of

MAX_PARAMETERS = 30_000  # of one statement; SQLite's own limit is 32,766

_PLAIN_TYPES: dict[str, type] = {
    **dict.fromkeys(("CharField", "TextField"), str),
    **dict.fromkeys(("AutoField", "BigAutoField", "IntegerField", "PositiveIntegerField"), int),
    "PositiveSmallIntegerField": int,
    "BooleanField": bool,
}
_PLAIN_TYPES_OF_POSTGRESQL: dict[str, type] = {"DateTimeField": datetime, "DecimalField": Decimal, "UUIDField": UUID}


def insert(rows: Sequence[models.Model], *, on_conflict: str = "") -> bool:
    """Insert instances of one model and give them their keys. Returns False when nothing was written.

    With ``on_conflict``, such as ``ON CONFLICT (number) DO NOTHING``, insert one row at a time.
    """
    if not rows:
        return False
    model = type(rows[0])
    connection = connection_of(model)
    values = [value for row in rows for value in prepared(row, connection)]
    with connection.cursor() as cursor:
        cursor.execute(insert_sql(model, connection.alias, len(rows), on_conflict), values)
        keys = cursor.fetchall()
    for row, (key,) in zip(rows, keys, strict=not on_conflict):
        mark_stored(row, key, connection.alias)
    return bool(keys)


def insert_values(
    model: type[models.Model],
    names: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    on_conflict: str = "",
    returning: str = "pk",
) -> list[Any]:
    """Insert rows of plain values, in the order of the field ``names``.

    Returns the ``returning`` field of each row that was written.
    """
    connection = connection_of(model)
    fields = [field_of(model, name) for name in names]
    size = MAX_PARAMETERS // len(fields)
    found: list[Any] = []
    for part in chunks(rows, size):
        values = [
            value if value is None or type(value) in (str, int) else field.get_db_prep_save(value, connection)
            for row in part
            for field, value in zip(fields, row, strict=True)
        ]
        sql = _insert_values_sql(model, connection.alias, tuple(names), len(part), on_conflict, returning)
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
            found += [value for (value,) in cursor.fetchall()]
    return found


def update(model: type[models.Model], keys: Sequence[Any], **values: Any) -> None:
    """Set columns of the rows with these keys to one value each."""
    connection = connection_of(model)
    fields = [field_of(model, name) for name in values]
    new = [field.get_db_prep_save(values[field.name], connection) for field in fields]
    with connection.cursor() as cursor:
        cursor.execute(_update_sql(model, connection.alias, tuple(values), len(keys)), [*new, *keys])


def mark_stored(row: models.Model, key: Any, alias: str) -> None:
    """Mark an instance as saved, with the key that the database assigned."""
    row.pk = key
    row._state.adding, row._state.db = False, alias  # noqa: SLF001 - as Model.save() does


def prepared(row: models.Model, connection: BaseDatabaseWrapper) -> list[Any]:
    """The values of a new row's columns, converted for the database."""
    plan = _plan(type(row), connection.vendor)
    for field in plan.generated:
        setattr(row, field.attname, field.pre_save(row, add=True))
    return [
        value if type(value) is plain or value is None else field.get_db_prep_save(value, connection)
        for value, plain, field in zip(plan.read(row), plan.plain_types, plan.fields, strict=True)
    ]


@lru_cache
def insert_sql(model: type[models.Model], alias: str, count: int, on_conflict: str = "") -> str:
    """``INSERT ... RETURNING`` of ``count`` rows. The keys come back in the order of the values."""
    names = tuple(field.attname for field in columns(model))
    return _insert_values_sql(model, alias, names, count, on_conflict, "pk")


@lru_cache
def columns(model: type[models.Model]) -> tuple[Any, ...]:
    """The fields of all columns except the primary key, which the database assigns."""
    return tuple(field for field in model._meta.concrete_fields if not field.primary_key)


def chunks(rows: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """The rows in parts of at most ``size``."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


class _Plan(NamedTuple):
    """How the values of an instance are read. ``generated`` are fields that set their own value, such as ``auto_now``.

    The field's conversion is slow, so values of a plain type, which it would not change, skip it.
    """

    fields: tuple[Any, ...]
    generated: tuple[Any, ...]
    read: Callable[[models.Model], tuple[Any, ...]]
    plain_types: tuple[type | None, ...]


@lru_cache
def _plan(model: type[models.Model], vendor: str) -> _Plan:
    fields = columns(model)
    return _Plan(
        fields=fields,
        generated=tuple(field for field in fields if type(field).pre_save is not models.Field.pre_save),
        read=attrgetter(*(field.attname for field in fields)),
        plain_types=tuple(_plain_type(field.target_field if field.is_relation else field, vendor) for field in fields),
    )


def _plain_type(field: Any, vendor: str) -> type | None:
    is_of_django = type(field).__module__ == models.Field.__module__
    known = _PLAIN_TYPES | (_PLAIN_TYPES_OF_POSTGRESQL if vendor == "postgresql" else {})
    return known.get(field.get_internal_type()) if is_of_django else None


@lru_cache
def _insert_values_sql(
    model: type[models.Model], alias: str, names: tuple[str, ...], count: int, on_conflict: str, returning: str
) -> str:
    quote = connections[alias].ops.quote_name
    columns_sql = ", ".join(quote(field_of(model, name).column) for name in names)
    row = f"({', '.join(['%s'] * len(names))})"
    table, key = quote(model._meta.db_table), quote(field_of(model, returning).column)
    return f"INSERT INTO {table} ({columns_sql}) VALUES {', '.join([row] * count)} {on_conflict} RETURNING {key}"  # noqa: S608


@lru_cache
def _update_sql(model: type[models.Model], alias: str, names: tuple[str, ...], count: int) -> str:
    quote = connections[alias].ops.quote_name
    new = ", ".join(f"{quote(field_of(model, name).column)} = %s" for name in names)
    key, places = quote(field_of(model, "pk").column), ", ".join(["%s"] * count)
    return f"UPDATE {quote(model._meta.db_table)} SET {new} WHERE {key} IN ({places})"  # noqa: S608


@lru_cache
def field_of(model: type[models.Model], name: str) -> Any:
    """A field by its name (``customer``) or its attribute (``customer_id``)."""
    if name == "pk":
        return model._meta.pk
    return next(field for field in model._meta.concrete_fields if name in {field.name, field.attname})
