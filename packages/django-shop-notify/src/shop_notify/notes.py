"""Writing down what became of messages: rows and their attempts, by statements whose text is made once.

To build a statement in the ORM costs more than to run it, and this one runs for every message. The ORM's fields still
say how each value is written. PostgreSQL plans every statement anew, so it gets the rows of a batch as one JSON value.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db import connection, models

from shop_notify.models import Attempt, Notification, State

COLUMNS = (
    "state", "lease", "due_at", "updated_at", "last_error", "sent_at", "provider_id", "segments", "cost",
    "cost_currency", "subject", "text", "html", "fallback_at",
)  # fmt: skip
"""What noting may change."""


@dataclass(frozen=True)
class _Statement:
    """``one`` takes the values of a row in the order of ``fields``, ``many`` a JSON list of rows on PostgreSQL."""

    one: str
    many: str
    fields: Mapping[str, models.Field[Any, Any]]

    def run(self, rows: Sequence[Mapping[str, Any]]) -> int:
        """Execute it for these rows, which are named by ``fields``. Returns how many were touched."""
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


def write(noted: Sequence[tuple[Notification, Mapping[str, Any]]]) -> int:
    """Write the changes of rows that are being sent under the lease they have. Returns how many still were."""
    rows = []
    for row, changes in noted:
        values = {name: changes[name] if name in changes else getattr(row, name) for name in COLUMNS}
        rows.append({**values, "id": row.pk, "held": row.lease})
    return _update().run(rows)


def keep(attempts: Iterable[Mapping[str, Any]]) -> None:
    """Insert attempts, given as ``{column: value}``."""
    rows = list(attempts)
    if rows:
        _insert().run(rows)


@cache
def _update() -> _Statement:
    by_name = {field.name: field for field in Notification._meta.concrete_fields}
    fields = {name: by_name[name] for name in COLUMNS} | {"id": by_name["id"], "held": by_name["lease"]}
    table, quote = connection.ops.quote_name(Notification._meta.db_table), connection.ops.quote_name
    sending = f"{table}.state = '{State.SENDING.value}'"
    one = ", ".join(f"{quote(name)} = %s" for name in COLUMNS)
    many = ", ".join(f"{quote(name)} = noted.{quote(name)}" for name in COLUMNS)
    return _Statement(
        f"UPDATE {table} SET {one} WHERE id = %s AND lease = %s AND {sending}",  # noqa: S608
        f"UPDATE {table} SET {many} FROM {_recordset(fields)} "  # noqa: S608
        f"WHERE {table}.id = noted.id AND {table}.lease = noted.held AND {sending}",
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
    """PostgreSQL's name for a JSON list as a table."""
    quote = connection.ops.quote_name
    typed = (f"{quote(name)} {field.cast_db_type(connection)}" for name, field in fields.items())
    return f"json_to_recordset(%s::json) AS noted({', '.join(typed)})"


def _prepared(field: models.Field[Any, Any], value: Any) -> Any:
    if value is None or type(value) in (str, int):
        return value
    return field.get_db_prep_save(value, connection)
