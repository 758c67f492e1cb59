"""The worker's loop: claim a batch, send it outside any transaction, record the results, until nothing is due."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import InterfaceError, OperationalError, close_old_connections
from django.utils import timezone
from shop_core.db.transactions import connection_of, outside_transaction

from shop_notify.delivery import claiming, fallbacks, metering, reports, sending, settling, setup_problems, workers
from shop_notify.delivery.claiming import Claim
from shop_notify.delivery.settling import Result
from shop_notify.models import Attempt, Notification, State, Worker
from shop_notify.notifiers.base import Notifier

logger = logging.getLogger(__name__)

CLAIM_SECONDS = 20.0
"""After this time a wake-up claims no more rows, and the next wake-up continues."""
MAX_WAIT_SECONDS = 0.5
"""The longest time that the result of an idempotent message waits for the rest of its batch."""


def wake_up() -> None:
    """Deliver what is due and raise nothing. A queue calls this function; calling it too often does no harm."""
    try:
        deliver_due()
    except Exception:
        logger.exception("Delivery stopped. Messages that are due wait for the next wake-up.")


@outside_transaction(Notification)
def deliver_due(*, for_seconds: float = CLAIM_SECONDS, keep_going: Callable[[], bool] = lambda: True) -> int:
    """Deliver until nothing is due, ``for_seconds`` are over or ``keep_going()`` is false.

    Returns how many messages were attempted.

    Raises:
        CalledInTransaction: it runs in a transaction, whose rollback would delete the record of what was sent.
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
    """Send the rows of a claim one by one. Returns how many were attempted; the others are released."""
    if not claimed.rows:
        # Another transaction, such as one that applies a delivery report, holds their locks for a moment.
        time.sleep(0.01)
        return 0
    batch, is_trial = sending.Batch.prepare(claimed), claimed.is_trial
    results = ResultBuffer(batch.notifier, claimed.until)
    try:
        for index, row in enumerate(claimed.rows):
            workers.heartbeat(worker)
            if not _may_send(claimed) or not keep_going():
                claiming.release(claimed, claimed.rows[index:])
                return index
            result = _attempt(batch, row)
            refuses_setup = result is not None and result.outcome == Attempt.Outcome.SETUP
            if result is not None and refuses_setup:
                result = setup_problems.record(row, result)
            if result is not None:
                results.add(row, result)
            if refuses_setup:
                claiming.release(claimed, claimed.rows[index + 1 :])
                return index + 1
            if is_trial and result is not None and result.outcome == Attempt.Outcome.ACCEPTED:
                setup_problems.end(claimed.alias)
                is_trial = False
    finally:
        results.flush()
    return len(claimed.rows)


def _may_send(claimed: Claim) -> bool:
    """Whether the lease lasts for one more message and the alias is not paused after a time-out of its notifier."""
    left = (claimed.until - timezone.now()).total_seconds()
    return left >= sending.SEND_SECONDS and claimed.alias not in sending.paused_aliases()


def _attempt(batch: sending.Batch, row: Notification) -> Result | None:
    """The result of one attempt, None if a limit on paid messages has postponed it."""
    try:
        return batch.attempt(row)
    except metering.OverLimit as over:
        reason = f"SMS_LIMITS {over.limit}"
        if row.falls_back_before(over.until):
            return Result(state=State.SKIPPED, detail=reason)
        claiming.postpone(row, due_at=over.until, reason=reason)
        return None


class ResultBuffer:
    """Records results in the database: each at once, or in batches if the notifier is idempotent.

    So when a worker dies, all messages that it sent are recorded, except the one in progress, and only that one may be
    repeated. With an idempotent notifier one batch may be repeated.
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
        """Record the results that are held. While the database is down, try again until the lease expires."""
        if not self._held:
            return
        rows = [row for row, _result in self._held]
        pause = 0.2
        while True:
            try:
                settling.settle_all(self._held)
                break
            except (OperationalError, InterfaceError):
                is_over = timezone.now() + timedelta(seconds=pause) > self._until
                if is_over or connection_of(Notification).in_atomic_block:
                    raise
                logger.warning("The result of a notification cannot be recorded yet")
                time.sleep(pause)
                pause = min(2.0, pause * 2)
                close_old_connections()
        self._follow_up(rows)

    def _follow_up(self, rows: list[Notification]) -> None:
        """Apply reports that arrived before the result was recorded, and start the fallbacks that are due now."""
        if self._notifier is not None and self._notifier.awaits_reports():
            for row in rows:
                if row.provider_id:
                    reports.apply_waiting(row)
        now = timezone.now()
        if any(row.fallback_at is not None and row.fallback_at <= now for row in rows):
            fallbacks.start_fallbacks()
