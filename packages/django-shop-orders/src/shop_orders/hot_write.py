"""Hot writes: INSERT and UPDATE of a model's rows, their text made once from the model's fields.

The ORM builds their SQL anew each time, which costs more than running it, and does not tell what an
``ON CONFLICT DO NOTHING`` has written. As with ``bulk_create`` and ``update``, no ``save()`` runs and no signal of the
models is sent. PostgreSQL and SQLite read the statements alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper

PLAIN_TYPES: dict[str, type] = {
    "AutoField": int,
    "BigAutoField": int,
    "BooleanField": bool,
    "CharField": str,
    "IntegerField": int,
    "PositiveIntegerField": int,
    "PositiveSmallIntegerField": int,
    "TextField": str,
}
PLAIN_TYPES_OF_POSTGRESQL: dict[str, type] = {"DateTimeField": datetime, "DecimalField": Decimal, "UUIDField": UUID}


def insert(rows: Sequence[models.Model], *, on_conflict: str = "") -> bool:
    """Insert rows of one model and give them their keys; False when nothing was written.

    With ``on_conflict``, such as ``ON CONFLICT (number) DO NOTHING``, insert one row at a time.
    """
    if not rows:
        return False
    model = type(rows[0])
    connection = connections[router.db_for_write(model)]
    values = [value for row in rows for value in prepared(row, connection)]
    with connection.cursor() as cursor:
        cursor.execute(statement(model, connection.alias, len(rows), on_conflict), values)
        keys = cursor.fetchall()
    for row, (key,) in zip(rows, keys, strict=not on_conflict):
        note_stored(row, key, connection.alias)
    return bool(keys)


def update(model: type[models.Model], keys: Sequence[Any], **values: Any) -> None:
    """Set columns of the rows with these keys."""
    connection = connections[router.db_for_write(model)]
    fields = [_field(model, name) for name in values]
    new = [field.get_db_prep_save(values[field.name], connection) for field in fields]
    with connection.cursor() as cursor:
        cursor.execute(_update_statement(model, connection.alias, tuple(values), len(keys)), [*new, *keys])


def note_stored(row: models.Model, key: Any, alias: str) -> None:
    """Let an instance know that it is a row now."""
    row.pk = key
    row._state.adding, row._state.db = False, alias  # noqa: SLF001 - as Model.save() does


def prepared(row: models.Model, connection: BaseDatabaseWrapper) -> list[Any]:
    """The values of a new row's columns, as the database wants them."""
    plan = _plan(type(row), connection.vendor)
    for field in plan.made:
        setattr(row, field.attname, field.pre_save(row, add=True))
    return [
        value if type(value) is plain or value is None else field.get_db_prep_save(value, connection)
        for value, plain, field in zip(plan.read(row), plan.plain_types, plan.fields, strict=True)
    ]


@lru_cache
def statement(model: type[models.Model], alias: str, count: int, on_conflict: str = "") -> str:
    """``INSERT ... RETURNING`` of so many rows. PostgreSQL and SQLite return the keys in the order of the values."""
    quote = connections[alias].ops.quote_name
    names = ", ".join(quote(field.column) for field in columns(model))
    row = f"({', '.join(['%s'] * len(columns(model)))})"
    table, key = quote(model._meta.db_table), quote(_field(model, "pk").column)
    return f"INSERT INTO {table} ({names}) VALUES {', '.join([row] * count)} {on_conflict} RETURNING {key}"  # noqa: S608


@lru_cache
def columns(model: type[models.Model]) -> tuple[Any, ...]:
    """All but the key, which the database counts."""
    return tuple(field for field in model._meta.concrete_fields if not field.primary_key)


class _Plan(NamedTuple):
    """How the rows of a model are read. ``made`` are fields such as ``auto_now``, which set their value themselves.

    Values of a plain type go to the driver as they are, which is what the field would say after a dozen calls.
    """

    fields: tuple[Any, ...]
    made: tuple[Any, ...]
    read: Callable[[models.Model], tuple[Any, ...]]
    plain_types: tuple[type | None, ...]


@lru_cache
def _plan(model: type[models.Model], vendor: str) -> _Plan:
    fields = columns(model)
    return _Plan(
        fields=fields,
        made=tuple(field for field in fields if type(field).pre_save is not models.Field.pre_save),
        read=attrgetter(*(field.attname for field in fields)),
        plain_types=tuple(_plain_type(field.target_field if field.is_relation else field, vendor) for field in fields),
    )


def _plain_type(field: Any, vendor: str) -> type | None:
    is_of_django = type(field).__module__ == models.Field.__module__
    known = PLAIN_TYPES | (PLAIN_TYPES_OF_POSTGRESQL if vendor == "postgresql" else {})
    return known.get(field.get_internal_type()) if is_of_django else None


@lru_cache
def _update_statement(model: type[models.Model], alias: str, names: tuple[str, ...], count: int) -> str:
    quote = connections[alias].ops.quote_name
    new = ", ".join(f"{quote(_field(model, name).column)} = %s" for name in names)
    key, places = quote(_field(model, "pk").column), ", ".join(["%s"] * count)
    return f"UPDATE {quote(model._meta.db_table)} SET {new} WHERE {key} IN ({places})"  # noqa: S608


def _field(model: type[models.Model], name: str) -> Any:
    return model._meta.pk if name == "pk" else model._meta.get_field(name)
