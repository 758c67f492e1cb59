"""Recording the results of attempts: the row's new state, its attempt, and the signal of the new state."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import DataError, IntegrityError, transaction
from django.dispatch import Signal
from django.utils import timezone
from shop_core.db.transactions import connection_of

from shop_notify.delivery import queries
from shop_notify.models import Notification, State
from shop_notify.notifiers.base import Receipt
from shop_notify.signals import notification_failed, notification_sent
from shop_notify.storable import storable_cost, storable_count, storable_text, stored_id

logger = logging.getLogger(__name__)

FIRST_DELAY_SECONDS = 15
MAX_DELAY_SECONDS = 6 * 3600
MAX_RETRY_AFTER_SECONDS = 24 * 3600
MAY_BE_SENT_AGAIN = (State.QUEUED, State.UNKNOWN, State.DEAD)
"""States in which no worker has recorded that the message was sent."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """The result of one attempt: the new state, and what is stored with it."""

    state: State
    outcome: str = ""
    due_at: datetime | None = None
    detail: str = ""
    provider_code: str = ""
    receipt: Receipt | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    content: Mapping[str, str] = field(default_factory=dict)
    is_muted: bool = False
    """The recipient has muted it: no fallback follows."""


def backoff(attempts: int, *, retry_after: float | None = None) -> timedelta:
    """How long to wait after this many attempts: four times longer each time, with jitter; at least ``retry_after``.

    A ``retry_after`` that is not a number is ignored; one of more than a day counts as a day.
    """
    requested = min(retry_after, MAX_RETRY_AFTER_SECONDS) if isinstance(retry_after, int | float) else 0
    seconds = min(MAX_DELAY_SECONDS, FIRST_DELAY_SECONDS * 4 ** (max(1, attempts) - 1)) * random.uniform(0.5, 1.5)  # noqa: S311
    return timedelta(seconds=max(seconds, requested))


def settle(row: Notification, result: Result) -> bool:
    """Record the result of an attempt. Returns whether this worker still held the lease.

    The row and its attempt are written in one transaction; signals are sent after its commit.
    """
    now = timezone.now()
    changes = _changes(row, result, now)
    with transaction.atomic(using=connection_of(Notification).alias):
        held_lease = bool(queries.write_results([(row, changes)]))
        applied = changes if held_lease else _record_late_success(row, changes)
        queries.insert_attempts(attempts_of([(row, result)], now))
    _apply(row, applied)
    return held_lease


def _record_late_success(row: Notification, changes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Record a success that arrives after the lease expired, or after a delivery report. Returns what was changed.

    If the message waits for a retry, was given up or has an unknown outcome, its state becomes ``sent`` and it is not
    sent again. Otherwise, such as while another worker is sending it, only the provider's id is recorded, so that
    delivery reports can be matched.
    """
    if changes["state"] != State.SENT:
        return {}
    this = Notification.objects.filter(pk=row.pk)
    if this.filter(state__in=MAY_BE_SENT_AGAIN).update(**changes):
        return changes
    sent = {name: changes[name] for name in ("provider_id", "sent_at") if name in changes}
    this.filter(provider_id="").update(**sent)
    return {"provider_id": sent.get("provider_id", "")}


def settle_all(results: list[tuple[Notification, Result]]) -> None:
    """Record many results in one commit, and remove the recorded ones from the list.

    If one of them cannot be recorded, each is recorded in a commit of its own.
    """
    if len(results) > 1 and _settle_together(results):
        results.clear()
    while results:
        settle(*results[0])
        del results[0]


def _settle_together(results: Sequence[tuple[Notification, Result]]) -> bool:
    """Record all results or none. Returns whether they are recorded."""
    now = timezone.now()
    changed = [(row, _changes(row, result, now)) for row, result in results]
    try:
        _write(changed, attempts_of(results, now))
    except (DataError, IntegrityError, _LeaseLost):
        return False
    for row, changes in changed:
        _apply(row, changes)
    return True


def _write(changed: Sequence[tuple[Notification, Mapping[str, Any]]], attempts: Iterable[Mapping[str, Any]]) -> None:
    with transaction.atomic(using=connection_of(Notification).alias):
        if queries.write_results(changed) != len(changed):
            raise _LeaseLost
        queries.insert_attempts(attempts)


class _LeaseLost(Exception):
    """The lease of a row has expired, and another worker may have claimed it."""


def _apply(row: Notification, changes: Mapping[str, Any]) -> None:
    """Set the stored values on the instance, and announce its new state."""
    for name, value in changes.items():
        setattr(row, name, value)
    if "state" in changes:
        announce(row)


def attempts_of(results: Iterable[tuple[Notification, Result]], now: datetime) -> Iterator[dict[str, Any]]:
    """The values of the attempts to store: those of results with an outcome."""
    for row, result in results:
        if result.outcome:
            yield {
                "notification_id": row.pk,
                "number": row.attempts,
                "started_at": result.started_at or now,
                "finished_at": result.finished_at or now,
                "outcome": result.outcome,
                "provider_code": storable_text(result.provider_code or "")[:50],
                "detail": result.detail[:500],
                "response": result.receipt.response if result.receipt else {},
            }


def _changes(row: Notification, result: Result, now: datetime) -> dict[str, Any]:
    changes: dict[str, Any] = {
        "state": result.state,
        "lease": None,
        "updated_at": now,
        "last_error": result.detail[:500],
        **result.content,
    }
    if result.due_at is not None:
        changes["due_at"] = result.due_at
    receipt = result.receipt
    if receipt is not None:
        changes |= {
            "sent_at": result.finished_at or now,
            "provider_id": stored_id(receipt.provider_id or "", 200),
            "segments": storable_count(receipt.segments),
            "cost": storable_cost(receipt.cost),
            "cost_currency": storable_text(receipt.currency or "")[:3],
        }
    if row.fallback and result.state in {State.SENT, State.UNKNOWN}:
        changes["fallback_at"] = now + timedelta(minutes=row.fallback["after_minutes"])
    if row.fallback and result.state in {State.FAILED, State.DEAD, State.SKIPPED} and not result.is_muted:
        changes["fallback_at"] = now
    return changes


_SIGNALS: Mapping[str, Signal] = {
    State.SENT: notification_sent,
    State.FAILED: notification_failed,
    State.DEAD: notification_failed,
}


def announce(row: Notification, signals: Mapping[str, Signal] = _SIGNALS) -> None:
    """Send the signal of a row's new state, after commit."""
    signal = signals.get(row.state)
    if signal is not None and signal.has_listeners(Notification):
        transaction.on_commit(lambda: _send(signal, row), using=connection_of(Notification).alias, robust=True)


def _send(signal: Signal, row: Notification) -> None:
    responses = signal.send_robust(sender=Notification, notification=row, payload=row.summary(), event_id=row.event_id)
    for _receiver, response in responses:
        if isinstance(response, Exception):
            logger.error("A receiver of a notification signal failed", exc_info=response)
