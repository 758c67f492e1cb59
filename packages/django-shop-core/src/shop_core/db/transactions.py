"""Transactions that wait for a lock only so long, and are repeated once after a passing refusal."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import OperationalError, connections, models, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from shop_core.exceptions import Busy

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

LOCK_TIMEOUT = "5s"
"""How long a transaction waits for a lock on PostgreSQL."""

PASSING_STATES = ("08", "40001", "40003", "40P01", "53", "55P03", "57")
"""SQLSTATEs of PostgreSQL (appendix A of its manual), and classes of them, after which a repetition may succeed.

Lost connections, serialisation failures, deadlocks, exhausted resources, locks that were not free in time, cancelled
statements, servers that start or stop. Not passing: an input/output error (58030), which staff must hear of, a
violated constraint (40002) and an object in the wrong state (55000), which are mistakes.
"""


def connection_of(model: type[models.Model]) -> BaseDatabaseWrapper:
    """The connection to which rows of the model are written, by the project's routers."""
    return connections[router.db_for_write(model)]


def is_passing(error: OperationalError) -> bool:
    """Whether the same statement may succeed in a moment.

    SQLite calls a missing table an OperationalError too; with psycopg that is another class. What psycopg raises
    without an SQLSTATE comes from the connection or its pool.
    """
    cause = error.__cause__
    if isinstance(cause, sqlite3.Error):
        return any(word in str(error) for word in ("locked", "busy"))
    state = getattr(cause, "sqlstate", None)
    return state is None or state.startswith(PASSING_STATES)


def in_transaction(
    model: type[models.Model], *, busy: type[Busy] = Busy, sets_lock_timeout: bool = True
) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
    """Decorate a function that runs in one transaction on the database of ``model``, asked for at each call.

    Inside a caller's transaction the function runs once, under a savepoint: only the outermost can be repeated. Else
    it waits ``LOCK_TIMEOUT`` for a lock on PostgreSQL, and is repeated once, from the start, after a passing refusal.
    So it must not call anything outside of the database. With ``sets_lock_timeout=False`` its first statement sets the
    time to wait (``lock_timeout``), which saves a statement. ``busy`` may be a package's own kind of ``Busy``.

    Raises:
        Busy: the database refused the repetition as well.
    """

    def decorate(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        @wraps(function)
        def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            connection = connection_of(model)
            if connection.in_atomic_block:
                with transaction.atomic(using=connection.alias):
                    return function(*args, **kwargs)
            return repeat_once(lambda: attempt(connection, *args, **kwargs), busy=busy)

        def attempt(connection: BaseDatabaseWrapper, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            with transaction.atomic(using=connection.alias):
                if sets_lock_timeout and connection.vendor == "postgresql":
                    with connection.cursor() as cursor:
                        cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
                return function(*args, **kwargs)

        return run

    return decorate


def repeat_once(work: Callable[[], Result], *, busy: type[Busy] = Busy) -> Result:
    """Call ``work``, a whole transaction or a single statement, and once more after a passing refusal.

    Raises:
        Busy: the database refused the repetition as well.
    """
    try:
        return work()
    except OperationalError as error:
        if not is_passing(error):
            raise
    try:
        return work()
    except OperationalError as error:
        if not is_passing(error):
            raise
        raise busy from error


def lock_timeout(connection: BaseDatabaseWrapper) -> str | None:
    """How long this transaction, or a lone statement, waits for a lock; None under a savepoint in a caller's."""
    return None if connection.savepoint_ids else LOCK_TIMEOUT
