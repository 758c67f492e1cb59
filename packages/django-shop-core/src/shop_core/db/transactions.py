"""Transactions with a lock timeout that are repeated once after a temporary error of the database."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from django.apps import apps
from django.db import DatabaseError, OperationalError, connections, models, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from shop_core.exceptions import Busy

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
View = TypeVar("View", bound=Callable[..., Any])

LOCK_TIMEOUT = "5s"
"""How long a transaction waits for a lock on PostgreSQL."""

TEMPORARY_STATES = ("08", "25006", "40001", "40003", "40P01", "53", "55P03", "57")
"""SQLSTATEs and SQLSTATE classes of PostgreSQL (appendix A of its manual) after which a second attempt may succeed.

Lost connections, serialisation failures, deadlocks, exhausted resources, locks that were not free in time, cancelled
statements, servers that start, stop, or are read-only during a fail-over. Not included: an input/output error (58030),
which must be reported, and a violated constraint (40002) or an object in the wrong state (55000), which are bugs.
"""


def connection_of(model: type[models.Model]) -> BaseDatabaseWrapper:
    """The connection to which rows of the model are written, by the project's routers."""
    return connections[router.db_for_write(model)]


def app_routing(app_label: str) -> tuple[str, dict[str, str], dict[str, str]]:
    """An app's database, the models written to another one and others read from another one, as ``{model: alias}``.

    Models of an app and those that its foreign keys refer to must be in one database: no transaction spans two.
    """
    models = list(apps.get_app_config(app_label).get_models(include_auto_created=True))
    named = [field.related_model for model in models for field in model._meta.concrete_fields if field.related_model]
    home = router.db_for_write(models[0])
    aliases = [(model._meta.label, router.db_for_write(model)) for model in dict.fromkeys([*models, *named])]
    written = {label: alias for label, alias in aliases if alias != home}
    read = [(model._meta.label, router.db_for_read(model)) for model in models]
    return home, written, {label: alias for label, alias in read if alias != home and label not in written}


class CalledInTransaction(RuntimeError):
    """An action that must commit by itself was called inside a transaction. Nothing was sent or written."""

    def __init__(self, action: str, alias: str) -> None:
        super().__init__(
            f"{action} was called inside a transaction on the database {alias!r}. It must commit by itself: a "
            "rollback would delete the record of what it did. If ATOMIC_REQUESTS is on, decorate the view with "
            f"django.db.transaction.non_atomic_requests({alias!r}). Otherwise call it after the atomic block, or with "
            "transaction.on_commit."
        )


def is_temporary(error: DatabaseError) -> bool:
    """Whether the error is temporary, so that the same statement may succeed in a moment.

    On SQLite the message decides, since a missing table is an OperationalError there as well. A psycopg error without
    an SQLSTATE comes from the connection or its pool, and is temporary.
    """
    cause = error.__cause__
    if isinstance(cause, sqlite3.Error):
        return any(word in str(error) for word in ("locked", "busy"))
    state = getattr(cause, "sqlstate", None)
    return state is None or state.startswith(TEMPORARY_STATES)


def in_transaction(
    model: type[models.Model], *, busy: type[Busy] = Busy, sets_lock_timeout: bool = True, durable: bool = False
) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
    """Decorate a function to run in a transaction on the database of ``model``, which the routers choose at each call.

    Inside a caller's transaction the function runs once, in a savepoint: only the outermost one can be repeated.
    Otherwise it waits at most ``LOCK_TIMEOUT`` for a lock on PostgreSQL, and runs once more after a temporary
    ``OperationalError``, so it must have no effects outside the database. With ``sets_lock_timeout=False`` it sets
    the timeout itself, in its first statement, which saves a statement. ``busy`` may be a package's subclass of
    ``Busy``. With ``durable=True`` a caller's transaction is refused, with CalledInTransaction.
    """

    def decorate(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        @wraps(function)
        def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            connection = connection_of(model)
            if durable:
                _refuse_transaction(connection, function)
            if connection.in_atomic_block:
                with transaction.atomic(using=connection.alias, durable=durable):
                    return function(*args, **kwargs)
            return repeat_once(lambda: attempt(connection, *args, **kwargs), busy=busy)

        def attempt(connection: BaseDatabaseWrapper, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            with transaction.atomic(using=connection.alias, durable=durable):
                if sets_lock_timeout and connection.vendor == "postgresql":
                    with connection.cursor() as cursor:
                        cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
                return function(*args, **kwargs)

        return run

    return decorate


def outside_transaction(
    model: type[models.Model],
) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
    """Decorate an action that uses the network: a caller's transaction on the database of ``model`` is refused.

    A rollback would delete the record of what was sent, and locks would be held while a service responds. Raises
    CalledInTransaction before anything is sent or written, but not in the transaction of a ``TestCase``.
    """

    def decorate(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        @wraps(function)
        def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            _refuse_transaction(connection_of(model), function)
            return function(*args, **kwargs)

        return run

    return decorate


def non_atomic(view: View) -> View:
    """Django's ``non_atomic_requests`` for every database of the project."""
    for alias in connections:
        view = transaction.non_atomic_requests(alias)(view)
    return view


def outside_event_loop(work: Callable[[], Result]) -> Result:
    """Call ``work``; where an event loop runs, in a thread with its own connections: Django refuses queries there."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return work()
    if os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE"):  # as in a notebook: stay in the caller's transaction
        return work()
    with ThreadPoolExecutor(1) as pool:
        try:
            return pool.submit(copy_context().run, work).result()
        finally:
            pool.submit(connections.close_all)


def has_transaction(connection: BaseDatabaseWrapper) -> bool:
    """Whether a transaction is open or autocommit is off. The transaction of a TestCase is ignored."""
    blocks: list[Any] = connection.atomic_blocks
    return not blocks[-1]._from_testcase if blocks else not connection.get_autocommit()  # noqa: SLF001


def _refuse_transaction(connection: BaseDatabaseWrapper, function: Callable[..., object]) -> None:
    if has_transaction(connection):
        raise CalledInTransaction(f"{function.__module__}.{function.__qualname__}", connection.alias)


def repeat_once(work: Callable[[], Result], *, busy: type[Busy] = Busy) -> Result:
    """Call ``work``, a transaction or a statement, and again after a temporary ``OperationalError``; then Busy."""
    is_second = False
    while True:
        try:
            return work()
        except OperationalError as error:
            if not is_temporary(error):
                raise
            if is_second:
                raise busy from error
            is_second = True
