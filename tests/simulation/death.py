"""Processes that die between two statements, or before a commit callback.

A process has moments: one before each statement and one before each callback after a commit. It may be told to die at
its n-th moment. Its transaction is then rolled back, and its other callbacks never run. Processes nest: while one
waits for a provider, others work.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connection


class Death(BaseException):
    """The process is gone. No code of the shop may catch this."""


@dataclass
class Life:
    dies_at: int | None = None
    moments: int = 0
    is_dead: bool = False

    def live(self) -> None:
        self.moments += 1
        if self.is_dead or self.moments == self.dies_at:
            self.is_dead = True
            raise Death


_processes: list[Life] = []


@contextlib.contextmanager
def process(*, dies_at: int | None = None) -> Iterator[Life]:
    """Run the block as a process of its own. Its death ends the block and nothing else."""
    life = Life(dies_at=dies_at)
    _processes.append(life)
    try:
        yield life
    except Death:
        if not life.is_dead:
            raise
        _bury()
    finally:
        _processes.pop()


@contextlib.contextmanager
def watched() -> Iterator[None]:
    """Count the moments of processes on the default connection."""
    connection.ensure_connection()
    run_callbacks = connection.run_and_clear_commit_hooks

    def run_mortal_callbacks() -> None:
        connection.run_on_commit = [
            (savepoints, _mortal(callback), is_robust) for savepoints, callback, is_robust in connection.run_on_commit
        ]
        run_callbacks()

    connection.run_and_clear_commit_hooks = run_mortal_callbacks  # type: ignore[method-assign]
    with connection.execute_wrapper(_before_statement):
        try:
            yield
        finally:
            del connection.run_and_clear_commit_hooks  # type: ignore[method-assign]


def _mortal(callback):
    def run():
        if _processes:
            _processes[-1].live()
        callback()

    return run


def _before_statement(execute, sql, params, many, context):
    if _processes:
        _processes[-1].live()
    return execute(sql, params, many, context)


def _bury() -> None:
    """Leave the connection as the database leaves it when a client is gone."""
    connection.run_on_commit = []
    connection.run_commit_hooks_on_set_autocommit_on = False
    connection.savepoint_ids = []
    connection.atomic_blocks = []
    connection.in_atomic_block = False
    connection.needs_rollback = False
    connection.closed_in_transaction = False
    if connection.connection is not None:
        connection.connection.rollback()
        connection.set_autocommit(True)
