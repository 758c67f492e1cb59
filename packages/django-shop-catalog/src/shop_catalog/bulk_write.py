"""Many rows at once, for imports, without the expressions that Django builds for each value.

The names in the statements are columns of models, the values are data. No model instance is saved and no signal sent.
PostgreSQL gets its rows by COPY, which needs psycopg 3; other databases and drivers get a VALUES list or arrays.
"""

from __future__ import annotations

import json
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
    columns = _columns(connection, fields)
    table = connection.ops.quote_name(model._meta.db_table)
    for part in _chunks(list(rows), connection, fields):
        if _copies(connection):
            _copy(connection, f"{table} ({columns})", fields, part)
            continue
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
        with connection.cursor() as cursor:
            if _copies(connection):
                columns = _columns(connection, fields)
                cursor.execute(f"CREATE TEMPORARY TABLE new AS SELECT {columns} FROM {table} WHERE false")  # noqa: S608
                _copy(connection, "new", fields, part)
                cursor.execute(f"UPDATE {table} SET {changes} FROM new WHERE {table}.{key} = new.{key}")  # noqa: S608
                cursor.execute("DROP TABLE new")
            else:
                source, parameters = _source(connection, fields, part)
                sql = f"UPDATE {table} SET {changes} FROM {source} WHERE {table}.{key} = new.{key}"  # noqa: S608
                cursor.execute(sql, parameters)


def take_keys(model: type[models.Model], count: int) -> list[int]:
    """Primary keys for rows to be inserted with them; none where the database gives them out only with the row."""
    connection = connections[router.db_for_write(model)]
    if connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, %s)) FROM generate_series(1, %s)",
            [connection.ops.quote_name(model._meta.db_table), _field(model, "id").column, count],
        )
        return [key for (key,) in cursor.fetchall()]


def analyse(*grown: type[models.Model]) -> None:
    """Let PostgreSQL look at tables that have just grown: until it does, it plans as if they were still small."""
    connection = connections[router.db_for_write(grown[0])]
    if connection.vendor == "postgresql":
        tables = ", ".join(connection.ops.quote_name(model._meta.db_table) for model in grown)
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE {tables}")


def _copies(connection: Any) -> bool:
    return connection.vendor == "postgresql" and hasattr(connection.Database, "Copy")


def _copy(connection: Any, target: str, fields: Sequence[Any], rows: Sequence[Sequence[Any]]) -> None:
    texts = [
        [_copied(field, value) for value in column]
        for field, column in zip(fields, zip(*rows, strict=True), strict=True)
    ]
    lines = "".join("\t".join(line) + "\n" for line in zip(*texts, strict=True))
    statement = f"COPY {target} FROM STDIN"
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(statement) as copy:
        copy.write(lines)


def _copied(field: Any, value: Any) -> str:
    """A value in the text format of COPY."""
    if value is None:
        return "\\N"
    text = json.dumps(value, cls=field.encoder) if isinstance(field, models.JSONField) else str(value)
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def _columns(connection: Any, fields: Sequence[Any]) -> str:
    return ", ".join(connection.ops.quote_name(field.column) for field in fields)


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
