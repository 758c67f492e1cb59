"""The outbox: claiming rows with a lease, and noting what became of them.

A claimed row is ``sending`` and its ``due_at`` is the end of its lease: a killed worker's row is due again by itself.
Attempts are counted at the claim, so a message that kills its worker ends in ``dead`` like any other.
"""

from __future__ import annotations

import logging
import os
import random
import socket
import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import DataError, IntegrityError, connection, transaction
from django.db.models import F
from django.dispatch import Signal
from django.utils import timezone
from django.utils.translation import gettext as _

from shop_notify import notes, queues
from shop_notify.exceptions import NotRetryable, UnknownNotifier
from shop_notify.managers import NotificationQuerySet
from shop_notify.masking import mask
from shop_notify.models import Notification, State, Worker
from shop_notify.notifiers.base import Receipt
from shop_notify.plain import clean, cost_or_none, count_or_none
from shop_notify.signals import notification_failed, notification_sent

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=120)
SILENCE = timedelta(seconds=45)
"""A worker that was not seen for so long is not counted any more. Longer than one message may take."""
BATCH = 20
HARMLESS_BATCH = 200
"""Where a message that is sent twice does no harm. They take a moment, so nothing urgent waits long behind them."""
SUSPECT_ATTEMPTS = 2
FIRST_DELAY_SECONDS = 15
LONGEST_DELAY_SECONDS = 6 * 3600
LONGEST_ASKED_SECONDS = 24 * 3600
OVERTAKEN = (State.QUEUED, State.UNKNOWN, State.DEAD)
"""States of a row whose sending another worker has not seen succeed."""
RETRYABLE = frozenset({State.DEAD, State.FAILED, State.UNKNOWN})


@dataclass(frozen=True)
class Claim:
    """Rows of one alias that this worker alone has until ``until``."""

    alias: str
    token: uuid.UUID
    rows: list[Notification]
    until: datetime


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of one attempt: the new state and everything to keep of it."""

    state: State
    outcome: str = ""
    due_at: datetime | None = None
    detail: str = ""
    provider_code: str = ""
    receipt: Receipt | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    content: Mapping[str, str] = field(default_factory=dict)
    is_unwanted: bool = False
    """The recipient has muted it: no fall-back follows."""


def start_worker() -> Worker:
    """Make this drain known to the others, and forget those that were killed."""
    now, host = timezone.now(), socket.gethostname()[:100]
    gone = [
        other.pk
        for other in Worker.objects.all()
        if other.seen_at < now - SILENCE or (other.host == host and not _is_running(other.pid))
    ]
    with _unflushed():
        if gone:
            Worker.objects.filter(pk__in=gone).delete()
        return Worker.objects.create(host=host, pid=os.getpid(), seen_at=now)


def stay(worker: Worker) -> None:
    """Show that a worker is alive, every now and then."""
    now = timezone.now()
    if now - worker.seen_at > SILENCE / 4:
        Worker.objects.filter(pk=worker.pk).update(seen_at=now)
        worker.seen_at = now


def stop_worker(worker: Worker) -> None:
    with _unflushed():
        Worker.objects.filter(pk=worker.pk).delete()


@contextmanager
def _unflushed() -> Iterator[None]:
    """A transaction that PostgreSQL need not wait for the disk with: who works now means nothing after its crash.

    A message waits for two commits then, its own and its claim's, and not for a third.
    """
    if connection.in_atomic_block:
        yield
        return
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL synchronous_commit TO off")
        yield


def _is_running(pid: int) -> bool:
    if os.name == "nt":
        # There signal 0 is Ctrl-C. Whoever was killed is found by its silence.
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def claim(worker: Worker, *, without: Collection[str] = ()) -> Claim | None:
    """Take the next due rows of one alias, or None where there is nothing this worker may take.

    Opens its own transaction, in which the other workers are locked: one alias never holds more than half of them.
    Rows with which two workers have died are taken one by one, so that one that kills its worker each time takes no
    other with it.
    """
    now = timezone.now()
    with transaction.atomic():
        passing_over = {*without, *_busy(worker, now)}
        due = Notification.objects.due(now).exclude(alias__in=passing_over).in_order()
        alias = due.values_list("alias", flat=True).first()
        if alias is None:
            return None
        rows = _together(list(due.filter(alias=alias).lock()[: _batch_size(alias)]))
        token, until = uuid.uuid4(), now + LEASE
        Notification.objects.filter(pk__in=[row.pk for row in rows]).update(
            state=State.SENDING, lease=token, due_at=until, attempts=F("attempts") + 1, updated_at=now
        )
        if worker.alias != alias:
            Worker.objects.filter(pk=worker.pk).update(alias=alias, seen_at=now)
            worker.alias, worker.seen_at = alias, now
    for row in rows:
        row.state, row.lease, row.due_at, row.attempts = State.SENDING, token, until, row.attempts + 1
    return Claim(alias, token, rows, until)


def _busy(worker: Worker, now: datetime) -> set[str]:
    """Aliases that hold their half of the workers already. Locks the workers in order."""
    live = list(
        Worker.objects.select_for_update().filter(seen_at__gte=now - SILENCE).order_by("pk").values_list("pk", "alias")
    )
    share = max(1, len(live) // 2)
    held = Counter(alias for pk, alias in live if alias and pk != worker.pk)
    return {alias for alias, count in held.items() if count >= share}


def _batch_size(alias: str) -> int:
    from shop_notify.notifiers import registry

    try:
        return HARMLESS_BATCH if registry.notifier_class(alias).is_idempotent else BATCH
    except UnknownNotifier:
        return BATCH


def _together(rows: list[Notification]) -> list[Notification]:
    """The first row alone if it is suspect, else the rows up to the first that is."""
    sound = next((index for index, row in enumerate(rows) if _is_suspect(row)), len(rows))
    return rows[: max(1, sound)]


def _is_suspect(row: Notification) -> bool:
    """Its worker died, and not for the first time."""
    return row.state == State.SENDING and row.attempts >= SUSPECT_ATTEMPTS


def release(claimed: Claim, rows: Iterable[Notification]) -> None:
    """Give back rows that were claimed and not tried, as if they had not been claimed."""
    Notification.objects.filter(pk__in=[row.pk for row in rows], lease=claimed.token, state=State.SENDING).update(
        state=State.QUEUED, lease=None, due_at=timezone.now(), attempts=F("attempts") - 1
    )


def postpone(row: Notification, *, due_at: datetime, reason: str) -> None:
    """Give back one row until later; this was no attempt."""
    Notification.objects.filter(pk=row.pk, lease=row.lease, state=State.SENDING).update(
        state=State.QUEUED, lease=None, due_at=due_at, attempts=F("attempts") - 1, last_error=reason[:500]
    )


def backoff(attempts: int, *, retry_after: float | None = None) -> timedelta:
    """How long to wait after so many attempts: fourfold each time, with jitter, no less than the provider asks.

    What a notifier gives as ``retry_after`` that is no number is not listened to, nor is more than a day.
    """
    asked = min(retry_after, LONGEST_ASKED_SECONDS) if isinstance(retry_after, int | float) else 0
    seconds = min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 4 ** (max(1, attempts) - 1)) * random.uniform(0.5, 1.5)  # noqa: S311
    return timedelta(seconds=max(seconds, asked))


def settle(row: Notification, result: Result) -> bool:
    """Note the result of an attempt, if the row is still this worker's. Returns whether it was.

    The row and its attempt are written in one transaction; signals are sent after it.
    """
    now = timezone.now()
    changes = _changes(row, result, now)
    with transaction.atomic():
        written = bool(notes.write([(row, changes)]))
        if not written:
            _note_late(row, changes)
        notes.keep(_attempts([(row, result)], now))
        if written:
            _become(row, changes)
    return written


def _note_late(row: Notification, changes: Mapping[str, Any]) -> None:
    """Take a yes that comes after the lease ran out, or after a delivery report.

    Where nobody has said what became of the row, it was sent and is not sent again. Else only the provider's id is
    noted, by which reports will name it.
    """
    if changes["state"] != State.SENT:
        return
    mine = Notification.objects.filter(pk=row.pk)
    if mine.filter(state__in=OVERTAKEN).update(**changes):
        _become(row, changes)
        return
    sent = {name: changes[name] for name in ("provider_id", "sent_at") if name in changes}
    mine.filter(provider_id="").update(**sent)
    row.provider_id = sent.get("provider_id", "")


def settle_all(results: list[tuple[Notification, Result]]) -> None:
    """Note many results in one commit, and take those from the list that are noted.

    Where one of them cannot be noted like the others, each is noted by itself.
    """
    if len(results) > 1 and _settle_together(results):
        results.clear()
    while results:
        settle(*results[0])
        del results[0]


def _settle_together(results: Sequence[tuple[Notification, Result]]) -> bool:
    now = timezone.now()
    noted = [(row, _changes(row, result, now)) for row, result in results]
    try:
        with transaction.atomic():
            complete = notes.write(noted) == len(noted)
            if complete:
                notes.keep(_attempts(results, now))
                for row, changes in noted:
                    _become(row, changes)
            else:
                # Some are not this worker's any more.
                transaction.set_rollback(True)
    except (DataError, IntegrityError):
        return False
    return complete


def _become(row: Notification, changes: Mapping[str, Any]) -> None:
    for name, value in changes.items():
        setattr(row, name, value)
    tell(row)


def _attempts(results: Iterable[tuple[Notification, Result]], now: datetime) -> Iterator[dict[str, Any]]:
    for row, result in results:
        if result.outcome:
            yield {
                "notification_id": row.pk,
                "number": row.attempts,
                "started_at": result.started_at or now,
                "finished_at": result.finished_at or now,
                "outcome": result.outcome,
                "provider_code": clean(result.provider_code or "")[:50],
                "detail": result.detail[:500],
                "answer": result.receipt.answer if result.receipt else {},
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
            "provider_id": clean(receipt.provider_id or "")[:200],
            "segments": count_or_none(receipt.segments),
            "cost": cost_or_none(receipt.cost),
            "cost_currency": clean(receipt.currency or "")[:3],
        }
    if row.fallback and result.state in {State.SENT, State.UNKNOWN}:
        changes["fallback_at"] = now + timedelta(minutes=row.fallback["after_minutes"])
    if row.fallback and result.state in {State.FAILED, State.DEAD, State.SKIPPED} and not result.is_unwanted:
        changes["fallback_at"] = now
    return changes


_NEWS: Mapping[str, Signal] = {
    State.SENT: notification_sent,
    State.FAILED: notification_failed,
    State.DEAD: notification_failed,
}


def tell(row: Notification, news: Mapping[str, Signal] = _NEWS) -> None:
    """Send the signal for a row's new state, after commit."""
    signal = news.get(row.state)
    if signal is not None and signal.has_listeners(Notification):
        transaction.on_commit(partial(_send, signal, row), robust=True)


def _send(signal: Signal, row: Notification) -> None:
    responses = signal.send_robust(sender=Notification, notification=row, payload=row.summary(), event_id=row.event_id)
    for _receiver, answer in responses:
        if isinstance(answer, Exception):
            logger.error("A receiver of a notification signal failed", exc_info=answer)


def retry(notification: Notification) -> None:
    """Send one again that was given up, refused, or whose outcome is unknown: staff have said so.

    Raises:
        NotRetryable: it is in another state.
    """
    changed = _requeue(Notification.objects.filter(pk=notification.pk, state__in=RETRYABLE))
    if not changed:
        raise NotRetryable(
            _("Only what was given up, refused or has an unknown outcome can be retried. Resend it instead.")
        )
    transaction.on_commit(queues.wake, robust=True)


def retry_dead(*, alias: str = "", limit: int = 1000) -> int:
    """Send again what was given up, of one alias or all, the oldest first. Returns how many."""
    dead = Notification.objects.filter(state=State.DEAD)
    if alias:
        dead = dead.filter(alias=alias)
    chosen = list(dead.order_by("created_at").values_list("pk", flat=True)[:limit])
    changed = _requeue(Notification.objects.filter(pk__in=chosen, state=State.DEAD))
    if changed:
        transaction.on_commit(queues.wake, robust=True)
    return changed


def _requeue(rows: NotificationQuerySet) -> int:
    return rows.update(
        state=State.QUEUED,
        attempts=0,
        due_at=timezone.now(),
        lease=None,
        last_error="",
        # Reports about the earlier sending tell nothing of the next.
        provider_id="",
        sent_at=None,
        expires_at=None,
        fallback_at=None,
    )


def resend(notification: Notification, *, address: str = "") -> Notification:
    """Send the same news once more as a row of its own, to another address if one is given.

    Raises:
        AddressRefused: the notifier cannot send to that address.
    """
    from shop_notify.notifiers import registry

    address = address.strip() or notification.address
    registry.get_notifier(notification.alias).check_address(address)
    copied = (
        "event",
        "alias",
        "channel",
        "audience",
        "recipient_key",
        "recipient_name",
        "language",
        "reference",
        "context",
    )
    again = Notification.objects.create(
        event_id=f"resend:{uuid.uuid4()}",
        address=address,
        origin=notification,
        priority=min(notification.priority, 3),
        **{name: getattr(notification, name) for name in copied},
    )
    transaction.on_commit(queues.wake, robust=True)
    return again


def mask_for(alias: str, text: object) -> str:
    """A text about a provider, fit to be kept."""
    from shop_notify.notifiers import registry

    return mask(text, secrets=registry.secrets_of(alias))
