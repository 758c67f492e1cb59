"""INSERT of plain values into a model's table, with SQL that is built once from the model's fields.

The ORM builds the SQL at each call, which costs more than running it. It also does not say which rows were written by
an ``INSERT ... ON CONFLICT DO NOTHING``. No ``save()`` runs and no signal of the model is sent. Each function runs in
the caller's transaction, on the database to which the model is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from django.db import connections, models

from shop_core.db.transactions import connection_of

MAX_PARAMETERS = 30_000  # of one statement; SQLite's own limit is 32,766


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
        sql = insert_values_sql(model, connection.alias, tuple(names), len(part), on_conflict, returning)
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
            found += [value for (value,) in cursor.fetchall()]
    return found


def chunks(rows: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """The rows in parts of at most ``size``."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


@lru_cache
def insert_values_sql(
    model: type[models.Model], alias: str, names: tuple[str, ...], count: int, on_conflict: str, returning: str
) -> str:
    quote = connections[alias].ops.quote_name
    columns_sql = ", ".join(quote(field_of(model, name).column) for name in names)
    row = f"({', '.join(['%s'] * len(names))})"
    table, key = quote(model._meta.db_table), quote(field_of(model, returning).column)
    return f"INSERT INTO {table} ({columns_sql}) VALUES {', '.join([row] * count)} {on_conflict} RETURNING {key}"  # noqa: S608


@lru_cache
def field_of(model: type[models.Model], name: str) -> Any:
    """A field by its name (``customer``) or its attribute (``customer_id``)."""
    if name == "pk":
        return model._meta.pk
    return next(field for field in model._meta.concrete_fields if name in {field.name, field.attname})
