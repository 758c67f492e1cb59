"""Insert and update thousands of rows, faster than ``bulk_create``, which builds an expression for each value.

No ``save()`` runs and no signal of the model is sent. Each function runs in the caller's transaction. PostgreSQL with
psycopg 3 uses COPY, other databases lists of values.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import models
from shop_core.db.rows import MAX_PARAMETERS, chunks, field_of, insert_values_sql
from shop_core.db.transactions import connection_of

CHUNK = 1000  # rows per statement


def insert_values(
    model: type[models.Model],
    names: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    shared: Mapping[str, Any] | None = None,
    on_conflict: str = "",
    returning: str = "pk",
) -> list[Any]:
    """Insert rows of plain values, in the order of the field ``names``. All rows have the ``shared`` values as well.

    Returns the ``returning`` field of each row that was written.
    """
    connection = connection_of(model)
    shared = shared or {}
    columns = (*names, *shared)
    common = _converted(connection, [field_of(model, name) for name in shared], shared.values())
    fields = [field_of(model, name) for name in names]
    found: list[Any] = []
    for part in chunks(rows, MAX_PARAMETERS // len(columns)):
        values = [[*_converted(connection, fields, row), *common] for row in part]
        sql = insert_values_sql(model, connection.alias, columns, len(part), on_conflict, returning)
        with connection.cursor() as cursor:
            cursor.execute(sql, [value for row in values for value in row])
            found += [value for (value,) in cursor.fetchall()]
    return found


def insert(model: type[models.Model], names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows of plain values, in the order of the field names."""
    connection = connection_of(model)
    if not _supports_copy(connection):
        insert_values(model, names, list(rows))
        return
    fields = [field_of(model, name) for name in names]
    target = f"{connection.ops.quote_name(model._meta.db_table)} ({_columns(connection, fields)})"
    for part in chunks(list(rows), CHUNK):
        _copy(connection, target, fields, part)


def update(model: type[models.Model], names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Change some columns of existing rows. ``names`` begins with the primary key. Lock the rows first."""
    connection = connection_of(model)
    quote = connection.ops.quote_name
    fields = [field_of(model, name) for name in names]
    table = quote(model._meta.db_table)
    changes = ", ".join(f"{quote(field.column)} = new.{quote(field.column)}" for field in fields[1:])
    key = quote(fields[0].column)
    for part in chunks(list(rows), _chunk_size(connection, fields)):
        with connection.cursor() as cursor:
            if _supports_copy(connection):
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
    """Reserve keys for new rows before they are inserted. Empty on SQLite, which assigns a key only on INSERT."""
    connection = connection_of(model)
    if connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, %s)) FROM generate_series(1, %s)",
            [connection.ops.quote_name(model._meta.db_table), field_of(model, "id").column, count],
        )
        return [key for (key,) in cursor.fetchall()]


def analyse(*grown: type[models.Model]) -> None:
    """Update PostgreSQL's statistics of tables that just grew; otherwise queries are planned for small tables."""
    connection = connection_of(grown[0])
    if connection.vendor == "postgresql":
        tables = ", ".join(connection.ops.quote_name(model._meta.db_table) for model in grown)
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE {tables}")


def use_one_snapshot(model: type[models.Model]) -> None:
    """Let all statements of this transaction see the same snapshot of the database.

    Inside the transaction of a caller this does nothing on PostgreSQL: its isolation level is fixed by then.
    """
    connection = connection_of(model)
    if connection.vendor == "postgresql" and not connection.savepoint_ids:
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")


def _converted(connection: Any, fields: Sequence[Any], values: Iterable[Any]) -> list[Any]:
    """Values for the database. Those of plain types skip the conversion of the fields, which would not change them."""
    plain = (str, int, UUID) if connection.features.has_native_uuid_field else (str, int)
    return [
        value if value is None or type(value) in plain else field.get_db_prep_save(value, connection)
        for field, value in zip(fields, values, strict=True)
    ]


def _supports_copy(connection: Any) -> bool:
    return connection.vendor == "postgresql" and hasattr(connection.Database, "Copy")


def _copy(connection: Any, target: str, fields: Sequence[Any], rows: Sequence[Sequence[Any]]) -> None:
    texts = [
        [_copy_text(connection, field, value) for value in column]
        for field, column in zip(fields, zip(*rows, strict=True), strict=True)
    ]
    lines = "".join("\t".join(line) + "\n" for line in zip(*texts, strict=True))
    statement = f"COPY {target} FROM STDIN"
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(statement) as copy:
        copy.write(lines)


def _copy_text(connection: Any, field: Any, value: Any) -> str:
    """A value in the text format of COPY."""
    if value is None:
        return "\\N"
    if isinstance(field, models.JSONField):
        text = json.dumps(value, cls=field.encoder)
    else:
        text = str(value) if not isinstance(value, list) else str(field.get_db_prep_value(value, connection))
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


def _chunk_size(connection: Any, fields: Sequence[Any]) -> int:
    return CHUNK if connection.vendor == "postgresql" else max(min(CHUNK, MAX_PARAMETERS // len(fields)), 1)
