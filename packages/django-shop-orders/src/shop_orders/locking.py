"""Transactions and statements that wait for a lock only so long, and try once more."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.db import OperationalError, connection, transaction

from shop_orders.exceptions import Busy

Result = TypeVar("Result")

LOCK_TIMEOUT = "5s"
"""How long PostgreSQL lets us wait for a lock."""


def patience() -> str | None:
    """How long a transaction that begins now waits for a lock; None for work in a caller's, whose own limit counts."""
    return None if connection.in_atomic_block else LOCK_TIMEOUT


def in_transaction(work: Callable[[], Result], *, is_patient: bool = False) -> Result:
    """Run ``work`` in one transaction; after a deadlock or a lock timeout once more, from the start.

    Inside a caller's transaction it runs once, under a savepoint: only the outermost can be repeated. Work that
    ``is_patient`` sets the time to wait by its first statement, as ``cart_lines`` does, which saves one.

    Raises:
        Busy: the second try failed as well.
    """
    if connection.in_atomic_block:
        with transaction.atomic():
            return work()
    return try_twice(lambda: _attempt(work, is_patient=is_patient))


def try_twice(work: Callable[[], Result]) -> Result:
    """Run ``work``, which is a transaction or a single statement; after a deadlock or a lock timeout once more.

    Raises:
        Busy: the second try failed as well.
    """
    try:
        return work()
    except OperationalError as error:
        if not is_passing(error):
            raise
    try:
        return work()
    except OperationalError as error:
        raise Busy from error


def is_passing(error: OperationalError) -> bool:
    """Whether the same statement may succeed in a moment: a lock, a deadlock, a timeout, a lost connection.

    SQLite calls a missing table an OperationalError too; with psycopg that is another class.
    """
    if connection.vendor == "sqlite":
        return any(word in str(error) for word in ("locked", "busy"))
    return True


def _attempt(work: Callable[[], Result], *, is_patient: bool) -> Result:
    with transaction.atomic():
        if connection.vendor == "postgresql" and not is_patient:
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
        return work()
