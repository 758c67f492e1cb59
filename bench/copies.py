"""More rows like those of a database: the rows of some tables are copied in SQL, with keys and times of their own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import connection, models

BATCH = 100_000
"""About the number of rows that one statement writes."""

Shifts = dict[type[models.Model], int]
"""How far the keys of a table's copies are apart: its greatest key."""


def add(wanted: Mapping[type[models.Model], int], *, apart: timedelta) -> None:
    """Copy every row of the tables, as often as ``wanted`` says. Each copy is ``apart`` earlier than the one before.

    What refers to a row of these tables refers to the copy with the same number. A text that must be unique ends with
    that number. Any other reference that must be unique becomes NULL.
    """
    shifts = {model: model._default_manager.aggregate(key=models.Max("pk"))["key"] or 0 for model in wanted}
    for model, copies in wanted.items():
        table, key = model._meta.db_table, model._meta.pk.column
        step = max(BATCH // (model._default_manager.count() or 1), 1)
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
            for first in range(1, copies + 1, step):
                last = min(first + step - 1, copies)
                cursor.execute(_statement(model, shifts, apart), [shifts[model], first, last])
                print(f"\r{table}: {last:,} of {copies:,} copies", end="", flush=True)
            cursor.execute(f"SELECT setval(pg_get_serial_sequence(%s, %s), max({key})) FROM {table}", [table, key])
        print(flush=True)


def _statement(model: type[models.Model], shifts: Shifts, apart: timedelta) -> str:
    """Only the rows up to the greatest key of the beginning are copied, so that no copy is copied again."""
    fields = [field for field in model._meta.concrete_fields if not field.generated]
    numbered = {field.name for field in fields if field.unique} | _made_unique(model, shifts)
    values = [_value(field, shifts, apart, is_unique=field.name in numbered) for field in fields]
    columns = ", ".join(f'"{field.column}"' for field in fields)
    table, key = model._meta.db_table, model._meta.pk.column
    rows = f"(SELECT * FROM {table} WHERE {key} <= %s) AS t, generate_series(%s::int, %s::int) AS n"
    return f"INSERT INTO {table} ({columns}) SELECT {', '.join(values)} FROM {rows}"


def _made_unique(model: type[models.Model], shifts: Shifts) -> set[str]:
    """One text of each unique constraint that does not contain a reference to a copied row."""
    found = set()
    for constraint in model._meta.total_unique_constraints:
        fields = [model._meta.get_field(name) for name in constraint.fields]
        if not any(field.related_model in shifts for field in fields):
            texts = [field for field in fields if isinstance(field, models.CharField)]
            found.add(max(texts, key=lambda field: field.max_length or 0).name)
    return found


def _value(field: Any, shifts: Shifts, apart: timedelta, *, is_unique: bool) -> str:
    name = f't."{field.column}"'
    if field.primary_key:
        return f"{name} + n * {shifts[field.model]}"
    if field.related_model in shifts:
        return f"{name} + n * {shifts[field.related_model]}"
    if isinstance(field, models.UUIDField):
        return f"CASE WHEN {name} IS NOT NULL THEN gen_random_uuid() END"
    if isinstance(field, models.DateTimeField):
        return f"{name} - n * interval '{apart.total_seconds()} seconds'"
    if is_unique and isinstance(field, models.CharField):
        return f"left({name}, {(field.max_length or 200) - 7}) || '-' || n"
    return "NULL" if is_unique else name
