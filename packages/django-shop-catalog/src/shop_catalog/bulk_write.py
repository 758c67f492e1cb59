"""Many rows in one statement, for imports: an INSERT that Django would build expression by expression.

The names in the statements are columns of models, the values are parameters. No model instance is saved and no
signal sent. PostgreSQL gets one array per column, other databases a VALUES list.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.db import connections, models, router

CHUNK = 1000
MAX_PARAMETERS = 30_000
"""SQLite's own limit is 32,766."""


def insert(model: type[models.Model], names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows of plain values, in the order of the field names."""
    connection = connections[router.db_for_write(model)]
    fields = [_field(model, name) for name in names]
    columns = ", ".join(connection.ops.quote_name(field.column) for field in fields)
    table = connection.ops.quote_name(model._meta.db_table)
    for part in _chunks(list(rows), connection, fields):
        source, parameters = _source(connection, fields, part)
        with connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {source}", parameters)  # noqa: S608


def update(model: type[models.Model], names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Change some columns of rows that exist. ``names`` begins with the primary key; lock the rows before."""
    connection = connections[router.db_for_write(model)]
    quote = connection.ops.quote_name
    fields = [_field(model, name) for name in names]
    table = quote(model._meta.db_table)
    changes = ", ".join(f"{quote(field.column)} = new.{quote(field.column)}" for field in fields[1:])
    key = quote(fields[0].column)
    for part in _chunks(list(rows), connection, fields):
        source, parameters = _source(connection, fields, part)
        sql = f"UPDATE {table} SET {changes} FROM {source} WHERE {table}.{key} = new.{key}"  # noqa: S608
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)


def analyse(*grown: type[models.Model]) -> None:
    """Let PostgreSQL look at tables that have just grown: until it does, it plans as if they were still small."""
    connection = connections[router.db_for_write(grown[0])]
    if connection.vendor == "postgresql":
        tables = ", ".join(connection.ops.quote_name(model._meta.db_table) for model in grown)
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE {tables}")


def _source(connection: Any, fields: Sequence[Any], rows: Sequence[Sequence[Any]]) -> tuple[str, list[Any]]:
    """The rows as a table named ``new`` with the columns' names."""
    quote = connection.ops.quote_name
    prepared = [
        [field.get_db_prep_save(value, connection) for value in column]
        for field, column in zip(fields, zip(*rows, strict=True), strict=True)
    ]
    names = [quote(field.column) for field in fields]
    if connection.vendor == "postgresql":
        arrays = ", ".join(f"%s::{field.cast_db_type(connection)}[]" for field in fields)
        return f"UNNEST({arrays}) AS new ({', '.join(names)})", prepared
    row = f"({', '.join(['%s'] * len(fields))})"
    values = ", ".join([row] * len(rows))
    columns = ", ".join(f"column{number} AS {name}" for number, name in enumerate(names, start=1))
    flat = [value for line in zip(*prepared, strict=True) for value in line]
    return f"(SELECT {columns} FROM (VALUES {values})) AS new", flat  # noqa: S608


def _field(model: type[models.Model], name: str) -> Any:
    return model._meta.get_field(name)


def _chunks(rows: list[Any], connection: Any, fields: Sequence[Any]) -> Iterator[list[Any]]:
    size = CHUNK if connection.vendor == "postgresql" else max(min(CHUNK, MAX_PARAMETERS // len(fields)), 1)
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
