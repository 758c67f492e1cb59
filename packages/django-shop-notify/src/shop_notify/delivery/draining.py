"""The worker's loop: claim a batch, send it outside any transaction, record the results, until nothing is due."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import InterfaceError, OperationalError, close_old_connections, connection
from django.utils import timezone

from shop_notify.delivery import claiming, fallbacks, metering, reports, sending, settling, workers
from shop_notify.delivery.claiming import Claim
from shop_notify.delivery.settling import Result
from shop_notify.models import Notification, State, Worker
from shop_notify.notifiers.base import Notifier

logger = logging.getLogger(__name__)

CLAIM_SECONDS = 20.0
"""A wake-up stops claiming after this long and leaves the rest to the next."""
MAX_WAIT_SECONDS = 0.5
"""The longest that the result of an idempotent message waits for the others of its batch."""


def wake_up() -> None:
    """Deliver what is due and raise nothing: the function that a queue calls. Calling it too often does no harm."""
    try:
        deliver_due()
    except Exception:
        logger.exception("Delivery stopped. What is due waits for the next wake-up.")


def deliver_due(*, for_seconds: float = CLAIM_SECONDS, keep_going: Callable[[], bool] = lambda: True) -> int:
    """Deliver until nothing is due, ``for_seconds`` are over or ``keep_going()`` is false.

    Returns how many messages were tried.
    """
    if not Notification.objects.due(timezone.now()).exists():
        return 0
    until, tried = time.monotonic() + for_seconds, 0
    worker = workers.start_worker()
    try:
        while time.monotonic() < until and keep_going():
            claimed = claiming.claim(worker, without=sending.paused_aliases())
            if claimed is None:
                break
            tried += _deliver_batch(claimed, worker, keep_going)
    finally:
        workers.stop_worker(worker)
    return tried


def _deliver_batch(claimed: Claim, worker: Worker, keep_going: Callable[[], bool]) -> int:
    """Send the rows of a claim one by one. Returns how many were tried; the others are released."""
    if not claimed.rows:
        # Another transaction has locked them for a moment, such as a delivery report.
        time.sleep(0.01)
        return 0
    batch = sending.Batch.prepare(claimed)
    results = ResultBuffer(batch.notifier, claimed.until)
    try:
        for index, row in enumerate(claimed.rows):
            workers.heartbeat(worker)
            if not _may_send(claimed) or not keep_going():
                claiming.release(claimed, claimed.rows[index:])
                return index
            result = _attempt(batch, row)
            if result is not None:
                results.add(row, result)
    finally:
        results.flush()
    return len(claimed.rows)


def _may_send(claimed: Claim) -> bool:
    """Whether the lease is long enough for one more message, and its notifier does not hang."""
    left = (claimed.until - timezone.now()).total_seconds()
    return left >= sending.SEND_SECONDS and claimed.alias not in sending.paused_aliases()


def _attempt(batch: sending.Batch, row: Notification) -> Result | None:
    """The result of one attempt, None where a limit on paid messages has postponed it."""
    try:
        return batch.attempt(row)
    except metering.OverLimit as over:
        reason = f"SMS_LIMITS {over.limit}"
        if row.is_late_for_fallback(over.until):
            return Result(state=State.SKIPPED, detail=reason)
        claiming.postpone(row, due_at=over.until, reason=reason)
        return None


class ResultBuffer:
    """Results on their way into the database: written at once, or in batches where the notifier is idempotent.

    A worker that dies has recorded all it has sent but the message in hand, and so repeats no other; of an idempotent
    notifier it may repeat a batch.
    """

    def __init__(self, notifier: Notifier | None, until: datetime) -> None:
        self._notifier = notifier
        self._until = until
        self._held: list[tuple[Notification, Result]] = []
        self._flush_at = 0.0

    def add(self, row: Notification, result: Result) -> None:
        if not self._held:
            may_wait = self._notifier is not None and self._notifier.is_idempotent
            self._flush_at = time.monotonic() + (MAX_WAIT_SECONDS if may_wait else 0.0)
        self._held.append((row, result))
        if time.monotonic() >= self._flush_at:
            self.flush()

    def flush(self) -> None:
        """Settle the results that are held, also through an outage of the database for as long as the lease lasts."""
        if not self._held:
            return
        rows = [row for row, _result in self._held]
        pause = 0.2
        while True:
            try:
                settling.settle_all(self._held)
                break
            except (OperationalError, InterfaceError):
                if connection.in_atomic_block or timezone.now() + timedelta(seconds=pause) > self._until:
                    raise
                logger.warning("The result of a notification cannot be recorded yet")
                time.sleep(pause)
                pause = min(2.0, pause * 2)
                close_old_connections()
        self._follow_up(rows)

    def _follow_up(self, rows: list[Notification]) -> None:
        """Apply reports that came before the result was recorded, and start the fallbacks that are due now."""
        if self._notifier is not None and self._notifier.awaits_reports():
            for row in rows:
                if row.provider_id:
                    reports.apply_waiting(row)
        now = timezone.now()
        if any(row.fallback_at is not None and row.fallback_at <= now for row in rows):
            fallbacks.start_fallbacks()
