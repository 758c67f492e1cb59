"""Processes a repeated request once. ``run`` stores its key in the transaction of the work, so a crash leaves no key.

``run_outside`` is for work that uses the network: the key is stored first, and after a crash the work runs again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import OperationalError
from django.utils import timezone
from shop_core.db.transactions import is_temporary

from shop_orders import queries
from shop_orders.exceptions import IdempotencyMismatch, RequestInProgress
from shop_orders.models import IdempotencyKey
from shop_orders.transactions import in_transaction

KEPT_FOR = timedelta(hours=48)

Work = Callable[[], tuple[int, Any]]
"""Returns an HTTP status and a body of plain JSON values."""


@dataclass(frozen=True, kw_only=True)
class KeyedRequest:
    """A request with an idempotency key. ``route`` names the operation and its object, ``owner`` the caller."""

    owner: str
    route: str
    key: str
    digest: str


@dataclass(frozen=True, kw_only=True)
class StoredResponse:
    status: int
    body: Any
    is_replay: bool = False


class _LockTimeout(Exception):
    """Another request with the same key did not finish in time."""


def digest(method: str, path: str, body: bytes) -> str:
    """A hash of the method, the path and the JSON. Requests that differ only in JSON formatting have the same hash."""
    try:
        canonical = json.dumps(json.loads(body or b"null"), sort_keys=True, separators=(",", ":"))
    except ValueError:
        canonical = body.hex()
    return hashlib.sha256(f"{method}\n{path}\n{canonical}".encode()).hexdigest()


def run(request: KeyedRequest, work: Work) -> StoredResponse:
    """Run ``work`` once per key, in one transaction with the key; every later call returns the first response.

    A second request with the same key waits for the first. When ``work`` raises, no key is stored.

    Raises:
        IdempotencyMismatch: the key was used with another request.
        RequestInProgress: the first request did not finish within the lock timeout.
    """
    try:
        return _run(request, work)
    except _LockTimeout as error:
        raise RequestInProgress from error


def run_outside(request: KeyedRequest, work: Work) -> StoredResponse:
    """``run`` for work that uses the network and so must not run in a transaction.

    The key is stored first, then ``work`` runs, then its response is stored. After a crash, or for a second request
    at the same moment, ``work`` runs again: it has to find its own earlier steps, as ``payments.start`` does.

    Raises:
        IdempotencyMismatch: the key was used with another request.
    """
    row = _store_key(request)
    if row.status is not None:
        return _replay(row)
    status, body = work()
    row = _store_response(row, status, body)
    stored = json.loads(row.body)
    return StoredResponse(status=status, body=stored, is_replay=stored != body)


def find(request: KeyedRequest) -> StoredResponse | None:
    """The response that was stored for the key, None if there is none yet.

    Raises:
        IdempotencyMismatch: the key was used with another request.
    """
    row = IdempotencyKey.objects.filter(owner=request.owner, route=request.route, key=request.key).first()
    if row is None or row.status is None:
        return None
    if row.digest != request.digest:
        raise IdempotencyMismatch
    return _replay(row)


def prune() -> int:
    """Delete keys older than KEPT_FOR. Returns their number."""
    return IdempotencyKey.objects.filter(created_at__lt=timezone.now() - KEPT_FOR).delete()[0]


@in_transaction(IdempotencyKey)
def _run(request: KeyedRequest, work: Work) -> StoredResponse:
    row = _row_of(request)
    if row.status is not None:
        return _replay(row)
    status, body = work()
    queries.update(IdempotencyKey, [row.pk], status=status, body=json.dumps(body))
    return StoredResponse(status=status, body=body)


@in_transaction(IdempotencyKey, durable=True)
def _store_key(request: KeyedRequest) -> IdempotencyKey:
    return _row_of(request)


@in_transaction(IdempotencyKey, durable=True)
def _store_response(row: IdempotencyKey, status: int, body: Any) -> IdempotencyKey:
    """Store the response, unless a second request was faster. Returns the row as it is stored."""
    IdempotencyKey.objects.filter(pk=row.pk, status=None).update(status=status, body=json.dumps(body))
    return IdempotencyKey.objects.get(pk=row.pk)


def _row_of(request: KeyedRequest) -> IdempotencyKey:
    """The key's row, inserted if it is new. A second request waits: on PostgreSQL at this INSERT, on SQLite at
    BEGIN."""
    named = {"owner": request.owner, "route": request.route, "key": request.key}
    try:
        row = IdempotencyKey(**named, digest=request.digest)
        if not queries.insert([row], on_conflict="ON CONFLICT (owner, route, key) DO NOTHING"):
            row = IdempotencyKey.objects.select_for_update().get(**named)
    except OperationalError as error:
        if is_temporary(error):
            raise _LockTimeout from error
        raise
    if row.digest != request.digest:
        raise IdempotencyMismatch
    return row


def _replay(row: IdempotencyKey) -> StoredResponse:
    assert row.status is not None  # noqa: S101 - the callers check it
    return StoredResponse(status=row.status, body=json.loads(row.body), is_replay=True)
