"""The SQL of an INSERT, built once from the model's fields. The ORM builds it at each call, which takes longer than
running it, and does not return which rows an ``INSERT ... ON CONFLICT DO NOTHING`` has written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import connections, models

UNSAFE = re.compile("[\0\ud800-\udfff]")  # NUL and lone surrogates, which not every database can store

MAX_PARAMETERS = 30_000  # of one statement; SQLite's own limit is 32,766


def as_stored(moment: datetime) -> datetime:
    """A time with an offset as the database stores it: with ``USE_TZ = False``, the local time without one."""
    return moment if settings.USE_TZ else moment.astimezone().replace(tzinfo=None)


def chunks(rows: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """The rows in parts of at most ``size``."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


@lru_cache
def insert_values_sql(
    model: type[models.Model], alias: str, names: tuple[str, ...], count: int, on_conflict: str, returning: str
) -> str:
    """``INSERT ... RETURNING`` for ``count`` rows with values for the fields ``names``."""
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
