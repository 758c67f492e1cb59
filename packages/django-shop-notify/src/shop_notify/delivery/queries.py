"""The statements that record results: the row of a notification, and its attempt.

Two are written by hand, because they run for every message:

- the update of rows under their leases, since Django takes longer to build it than the database takes to run it;
- the insert of a batch's attempts on PostgreSQL: without it a message of a batch takes a fifth more CPU.

The driver takes text and whole numbers as they are; Django's fields convert other values. PostgreSQL gets the rows of
a batch as one JSON value in one statement: otherwise it would plan a statement for each row.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from shop_core.db.rows import field_of, insert_values_sql
from shop_core.db.transactions import connection_of

from shop_notify.models import Attempt, Notification, State, Worker

RESULT_COLUMNS = (
    "state", "lease", "due_at", "updated_at", "last_error", "sent_at", "provider_id", "segments", "cost",
    "cost_currency", "subject", "text", "html", "fallback_at",
)  # fmt: skip
"""Columns that a result may change."""


class _Statement(NamedTuple):
    """``one`` takes the values of a row in the order of ``fields``, ``many`` a JSON list of rows on PostgreSQL."""

    one: str
    many: str
    fields: Mapping[str, models.Field[Any, Any]]


def write_results(results: Sequence[tuple[Notification, Mapping[str, Any]]]) -> int:
    """Change those rows that are still ``sending`` under their lease. Returns how many were changed."""
    connection = connection_of(Notification)
    statement = _update(connection.alias)
    rows = []
    for row, changes in results:
        values = {name: changes[name] if name in changes else getattr(row, name) for name in RESULT_COLUMNS}
        rows.append({**values, "id": row.pk, "held": row.lease})
    with connection.cursor() as cursor:
        if len(rows) > 1 and connection.vendor == "postgresql":
            cursor.execute(statement.many, [json.dumps(rows, default=str)])
        elif len(rows) > 1:
            cursor.executemany(statement.one, [_values(row, statement, connection) for row in rows])
        else:
            cursor.execute(statement.one, _values(rows[0], statement, connection))
        return int(cursor.rowcount)


def insert_attempts(attempts: Iterable[Mapping[str, Any]]) -> None:
    """Insert attempts, given as ``{name of the field: value}``, all of the same fields."""
    rows = list(attempts)
    connection = connection_of(Attempt)
    if not rows:
        return
    names = tuple(rows[0])
    with connection.cursor() as cursor:
        if len(rows) > 1 and connection.vendor == "postgresql":
            cursor.execute(_insert_many(connection.alias, names), [json.dumps(rows, default=str)])
            return
        sql = insert_values_sql(Attempt, connection.alias, names, len(rows), "", "pk")
        fields = {name: field_of(Attempt, name) for name in names}
        values = [_prepared(field, row[name], connection) for row in rows for name, field in fields.items()]
        cursor.execute(sql, values)


def commit_without_flush() -> None:
    """Commit this transaction without waiting for the disk (PostgreSQL)."""
    with connection_of(Worker).cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit TO off")


def _values(row: Mapping[str, Any], statement: _Statement, connection: BaseDatabaseWrapper) -> list[Any]:
    return [_prepared(field, row[name], connection) for name, field in statement.fields.items()]


def _prepared(field: models.Field[Any, Any], value: Any, connection: BaseDatabaseWrapper) -> Any:
    if value is None or type(value) in (str, int):
        return value
    return field.get_db_prep_save(value, connection)


@lru_cache
def _update(alias: str) -> _Statement:
    connection = connections[alias]
    quote = connection.ops.quote_name
    by_name = {field.name: field for field in Notification._meta.concrete_fields}
    fields = {name: by_name[name] for name in RESULT_COLUMNS} | {"id": by_name["id"], "held": by_name["lease"]}
    table = quote(Notification._meta.db_table)
    sending = f"{table}.state = '{State.SENDING.value}'"
    one = ", ".join(f"{quote(name)} = %s" for name in RESULT_COLUMNS)
    many = ", ".join(f"{quote(name)} = result.{quote(name)}" for name in RESULT_COLUMNS)
    return _Statement(
        f"UPDATE {table} SET {one} WHERE id = %s AND lease = %s AND {sending}",  # noqa: S608
        f"UPDATE {table} SET {many} FROM {_recordset(fields, connection)} "  # noqa: S608
        f"WHERE {table}.id = result.id AND {table}.lease = result.held AND {sending}",
        fields,
    )


@lru_cache
def _insert_many(alias: str, names: tuple[str, ...]) -> str:
    connection = connections[alias]
    table, columns = (
        connection.ops.quote_name(Attempt._meta.db_table),
        ", ".join(map(connection.ops.quote_name, names)),
    )
    fields = {name: field_of(Attempt, name) for name in names}
    return f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {_recordset(fields, connection)}"  # noqa: S608


def _recordset(fields: Mapping[str, models.Field[Any, Any]], connection: BaseDatabaseWrapper) -> str:
    """A JSON list as a table, in PostgreSQL's SQL."""
    typed = (f"{connection.ops.quote_name(name)} {field.cast_db_type(connection)}" for name, field in fields.items())
    return f"json_to_recordset(%s::json) AS result({', '.join(typed)})"
