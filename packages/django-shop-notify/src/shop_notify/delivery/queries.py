"""The statements that record results, written by hand: the row of a notification and its attempt.

Reason: they run for every message, and Django takes longer to build them than the database to run them. Django's
fields still convert each value. PostgreSQL plans each statement again, so it gets the rows of a batch as one JSON
value.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db import connection, models

from shop_notify.models import Attempt, Notification, State

RESULT_COLUMNS = (
    "state", "lease", "due_at", "updated_at", "last_error", "sent_at", "provider_id", "segments", "cost",
    "cost_currency", "subject", "text", "html", "fallback_at",
)  # fmt: skip
"""Columns that a result may change."""


@dataclass(frozen=True)
class _Statement:
    """``one`` takes the values of a row in the order of ``fields``, ``many`` a JSON list of rows on PostgreSQL."""

    one: str
    many: str
    fields: Mapping[str, models.Field[Any, Any]]

    def run(self, rows: Sequence[Mapping[str, Any]]) -> int:
        """Execute it for these rows, ``{name of fields: value}`` each. Returns how many rows of the table changed."""
        with connection.cursor() as cursor:
            if len(rows) == 1:
                cursor.execute(self.one, self._values(rows[0]))
            elif connection.vendor == "postgresql":
                cursor.execute(self.many, [json.dumps(rows, default=str)])
            else:
                cursor.executemany(self.one, [self._values(row) for row in rows])
            return int(cursor.rowcount)

    def _values(self, row: Mapping[str, Any]) -> list[Any]:
        return [_prepared(field, row[name]) for name, field in self.fields.items()]


def write_results(results: Sequence[tuple[Notification, Mapping[str, Any]]]) -> int:
    """Change rows that are still ``sending`` under their lease. Returns how many were."""
    rows = []
    for row, changes in results:
        values = {name: changes[name] if name in changes else getattr(row, name) for name in RESULT_COLUMNS}
        rows.append({**values, "id": row.pk, "held": row.lease})
    return _update().run(rows)


def insert_attempts(attempts: Iterable[Mapping[str, Any]]) -> None:
    """Insert attempts, given as ``{column: value}``."""
    rows = list(attempts)
    if rows:
        _insert().run(rows)


def commit_without_flush() -> None:
    """Let the commit of this transaction not wait for the disk (PostgreSQL)."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit TO off")


@cache
def _update() -> _Statement:
    by_name = {field.name: field for field in Notification._meta.concrete_fields}
    fields = {name: by_name[name] for name in RESULT_COLUMNS} | {"id": by_name["id"], "held": by_name["lease"]}
    table, quote = connection.ops.quote_name(Notification._meta.db_table), connection.ops.quote_name
    sending = f"{table}.state = '{State.SENDING.value}'"
    one = ", ".join(f"{quote(name)} = %s" for name in RESULT_COLUMNS)
    many = ", ".join(f"{quote(name)} = result.{quote(name)}" for name in RESULT_COLUMNS)
    return _Statement(
        f"UPDATE {table} SET {one} WHERE id = %s AND lease = %s AND {sending}",  # noqa: S608
        f"UPDATE {table} SET {many} FROM {_recordset(fields)} "  # noqa: S608
        f"WHERE {table}.id = result.id AND {table}.lease = result.held AND {sending}",
        fields,
    )


@cache
def _insert() -> _Statement:
    fields = {str(field.column): field for field in Attempt._meta.concrete_fields if not field.primary_key}
    quote = connection.ops.quote_name
    columns, marks = ", ".join(map(quote, fields)), ", ".join(["%s"] * len(fields))
    insert = f"INSERT INTO {quote(Attempt._meta.db_table)} ({columns})"
    return _Statement(
        f"{insert} VALUES ({marks})",
        f"{insert} SELECT {columns} FROM {_recordset(fields)}",  # noqa: S608
        fields,
    )


def _recordset(fields: Mapping[str, models.Field[Any, Any]]) -> str:
    """A JSON list as a table, in PostgreSQL's SQL."""
    quote = connection.ops.quote_name
    typed = (f"{quote(name)} {field.cast_db_type(connection)}" for name, field in fields.items())
    return f"json_to_recordset(%s::json) AS result({', '.join(typed)})"


def _prepared(field: models.Field[Any, Any], value: Any) -> Any:
    if value is None or type(value) in (str, int):
        return value
    return field.get_db_prep_save(value, connection)
