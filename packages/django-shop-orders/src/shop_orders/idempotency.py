"""Requests that may come twice: the key is written in the transaction of the work, so a crash leaves no key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import OperationalError
from django.utils import timezone

from shop_orders import hot_write
from shop_orders.exceptions import IdempotencyMismatch, RequestInProgress
from shop_orders.locking import in_transaction, is_passing
from shop_orders.models import IdempotencyKey

KEPT_FOR = timedelta(hours=48)


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    body: Any
    is_replay: bool = False


class _Waited(Exception):
    """A rival with the same key did not finish in time."""


def digest(method: str, path: str, body: bytes) -> str:
    """What makes two requests the same: method, path and the JSON, however it was written."""
    try:
        canonical = json.dumps(json.loads(body or b"null"), sort_keys=True, separators=(",", ":"))
    except ValueError:
        canonical = body.hex()
    return hashlib.sha256(f"{method}\n{path}\n{canonical}".encode()).hexdigest()


def run(*, owner: str, route: str, key: str, request_digest: str, work: Callable[[], tuple[int, Any]]) -> Answer:
    """Run ``work`` once for a key and answer every later call what it answered: ``(status, JSON body)``.

    A rival with the same key waits for the first. An exception of ``work`` leaves no key.

    Raises:
        IdempotencyMismatch: the key came with another request.
        RequestInProgress: the rival did not finish within the lock timeout.
    """

    def once() -> Answer:
        row = _claim(owner, route, key, request_digest)
        if row.digest != request_digest:
            raise IdempotencyMismatch
        if row.status is not None:
            return Answer(status=row.status, body=json.loads(row.body), is_replay=True)
        status, body = work()
        hot_write.update(IdempotencyKey, [row.pk], status=status, body=json.dumps(body))
        return Answer(status=status, body=body)

    try:
        return in_transaction(once)
    except _Waited as error:
        raise RequestInProgress from error


def run_outside(
    *, owner: str, route: str, key: str, request_digest: str, work: Callable[[], tuple[int, Any]]
) -> Answer:
    """As ``run``, for work that talks over the network and so must not sit in a transaction.

    The key is noted first, ``work`` runs, its answer is noted. ``work`` may run again after a crash, or for a rival
    that is as fast: it has to find its own earlier steps, as ``payments.start`` does.

    Raises:
        IdempotencyMismatch: the key came with another request.
    """
    row = in_transaction(lambda: _claim(owner, route, key, request_digest))
    if row.digest != request_digest:
        raise IdempotencyMismatch
    if row.status is not None:
        return Answer(status=row.status, body=json.loads(row.body), is_replay=True)
    status, body = work()
    IdempotencyKey.objects.filter(pk=row.pk, status=None).update(status=status, body=json.dumps(body))
    row.refresh_from_db()
    noted = json.loads(row.body)
    return Answer(status=status, body=noted, is_replay=noted != body)


def prune() -> int:
    """Forget keys older than KEPT_FOR; returns how many."""
    return IdempotencyKey.objects.filter(created_at__lt=timezone.now() - KEPT_FOR).delete()[0]


def _claim(owner: str, route: str, key: str, request_digest: str) -> IdempotencyKey:
    """The row of the key, ours when it has no status. PostgreSQL makes a rival wait at the insert, SQLite at BEGIN."""
    try:
        row = IdempotencyKey(owner=owner, route=route, key=key, digest=request_digest)
        if hot_write.insert([row], on_conflict="ON CONFLICT (owner, route, key) DO NOTHING"):
            return row
        return IdempotencyKey.objects.select_for_update().get(owner=owner, route=route, key=key)
    except OperationalError as error:
        if is_passing(error):
            raise _Waited from error
        raise
