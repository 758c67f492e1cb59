"""Writing down what became of messages: rows and their attempts, by statements whose text is made once.

To build a statement in the ORM costs more than to run it, and this one runs for every message. The ORM's fields still
say how each value is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from django.db import connection, models

from shop_notify.models import Attempt, Notification, State

COLUMNS = (
    "state", "lease", "due_at", "updated_at", "last_error", "sent_at", "provider_id", "segments", "cost",
    "cost_currency", "subject", "text", "html", "fallback_at",
)  # fmt: skip
"""What noting may change."""


def write(noted: Sequence[tuple[Notification, Mapping[str, Any]]]) -> int:
    """Write the changes of rows that are being sent under the lease they have. Returns how many still were."""
    fields = _fields(Notification, COLUMNS)
    (lease,) = _fields(Notification, ("lease",))
    values = [
        [
            *(_prepared(field, changes.get(field.name, getattr(row, field.name))) for field in fields),
            row.pk,
            _prepared(lease, row.lease),
        ]
        for row, changes in noted
    ]
    return _run(_update(), values)


def keep(attempts: Iterable[Attempt]) -> None:
    """Insert attempts."""
    fields = _fields(Attempt, _attempt_columns())
    values = [[_prepared(field, getattr(attempt, field.attname)) for field in fields] for attempt in attempts]
    if values:
        _run(_insert(), values)


def _run(statement: str, values: list[list[Any]]) -> int:
    with connection.cursor() as cursor:
        if len(values) == 1:
            cursor.execute(statement, values[0])
        else:
            cursor.executemany(statement, values)
        return int(cursor.rowcount)


@cache
def _update() -> str:
    quote = connection.ops.quote_name
    assignments = ", ".join(f"{quote(str(field.column))} = %s" for field in _fields(Notification, COLUMNS))
    table, sending = quote(Notification._meta.db_table), State.SENDING.value
    return f"UPDATE {table} SET {assignments} WHERE id = %s AND lease = %s AND state = '{sending}'"  # noqa: S608


@cache
def _insert() -> str:
    quote = connection.ops.quote_name
    fields = _fields(Attempt, _attempt_columns())
    columns = ", ".join(quote(str(field.column)) for field in fields)
    marks = ", ".join(["%s"] * len(fields))
    return f"INSERT INTO {quote(Attempt._meta.db_table)} ({columns}) VALUES ({marks})"  # noqa: S608


@cache
def _attempt_columns() -> tuple[str, ...]:
    return tuple(field.name for field in Attempt._meta.concrete_fields if not field.primary_key)


@cache
def _fields(model: type[models.Model], names: tuple[str, ...]) -> tuple[models.Field[Any, Any], ...]:
    by_name = {field.name: field for field in model._meta.concrete_fields}
    return tuple(by_name[name] for name in names)


def _prepared(field: models.Field[Any, Any], value: Any) -> Any:
    if value is None or type(value) in (str, int):
        return value
    return field.get_db_prep_save(value, connection)
