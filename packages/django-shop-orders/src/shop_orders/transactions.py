"""The transaction helpers of ``shop_core``, with this app's ``Busy`` error, whose message customers can read."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from shop_core.db import transactions
from shop_core.db.transactions import outside_transaction

from shop_orders.exceptions import Busy

__all__ = ["in_transaction", "lock_timeout", "outside_transaction", "repeat_once"]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def in_transaction(
    model: type[models.Model], *, sets_lock_timeout: bool = True, durable: bool = False
) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
    """Decorate a function that runs in one transaction, see ``shop_core.db.transactions.in_transaction``.

    Raises:
        Busy: the database refused the transaction twice.
        CalledInTransaction: only with ``durable=True``, inside a caller's transaction.
    """
    return transactions.in_transaction(model, busy=Busy, sets_lock_timeout=sets_lock_timeout, durable=durable)


def repeat_once(work: Callable[[], Result]) -> Result:
    """Run ``work``, a single statement outside of a transaction, and repeat it once after a temporary error.

    Raises:
        Busy: the database refused the repetition as well.
    """
    return transactions.repeat_once(work, busy=Busy)


def lock_timeout(connection: BaseDatabaseWrapper) -> str | None:
    """The lock timeout to set in this transaction or for a single statement; None inside a savepoint."""
    return None if connection.savepoint_ids else transactions.LOCK_TIMEOUT
