"""Statements of the checkout that the ORM cannot express, and a function that stores known rows as prefetched."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from django.db.models import Model, QuerySet
from shop_core.db.transactions import connection_of

from shop_orders.models import Order


def lock_contacts(contacts: Iterable[str]) -> None:
    """Let checkouts with the same e-mail address or phone number wait for each other until the transaction ends.

    A guest has no row that could be locked, so PostgreSQL locks a number made from the text. SQLite lets only one
    transaction write at a time anyway.
    """
    connection = connection_of(Order)
    if connection.vendor != "postgresql":
        return
    digests = (hashlib.sha256(f"shop_orders.unpaid:{contact}".encode()).digest() for contact in contacts)
    keys = sorted(int.from_bytes(digest[:8], signed=True) for digest in digests)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(['pg_advisory_xact_lock(%s)'] * len(keys))}", keys)


def set_prefetched(order: Order, **related: list[Any]) -> None:
    """Let ``order.lines.all()`` return the rows that were just written, as after ``prefetch_related``."""
    known: dict[str, QuerySet[Model]] = {}
    for name, rows in related.items():
        known[name] = getattr(order, name).all()
        known[name]._result_cache = rows  # noqa: SLF001 - Django has no public way to prefetch known rows
    order._prefetched_objects_cache = known  # type: ignore[attr-defined]  # noqa: SLF001
