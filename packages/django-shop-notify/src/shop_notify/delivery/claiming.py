"""Claiming due rows with a lease, and releasing rows that were not attempted.

A claimed row is ``sending`` and its ``due_at`` is the end of its lease, so the row of a killed worker becomes due
again without further action. Attempts are counted at the claim, so a message that kills its worker ends in ``dead``
like any other.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F
from django.utils import timezone
from shop_core.db.transactions import in_transaction

from shop_notify.delivery import workers
from shop_notify.exceptions import UnknownNotifier
from shop_notify.models import Notification, SetupProblem, State, Worker
from shop_notify.notifiers import registry

LEASE = timedelta(seconds=120)
BATCH = 20
IDEMPOTENT_BATCH = 200
"""For idempotent notifiers. Most send quickly, so an urgent message does not wait long for the end of a batch."""
SUSPECT_ATTEMPTS = 2


@dataclass(frozen=True)
class Claim:
    """Rows of one alias that only this worker may send, until the time ``until``."""

    alias: str
    token: uuid.UUID
    rows: list[Notification]
    until: datetime
    is_trial: bool = False
    """The provider has refused the set-up of the alias, and these messages show whether it still does."""


def claim(worker: Worker, *, without: Collection[str] = ()) -> Claim | None:
    """Claim the next due rows of one alias, or return None if there is no row that this worker may claim.

    Opens its own transaction and locks the workers' rows, so that one alias never occupies more than half of them.
    A row whose worker died at its second or a later attempt is claimed alone, so that a message that kills its worker
    at each attempt does not delay the others.
    """
    claimed = _claim(worker, frozenset(without))
    if claimed is not None:
        for row in claimed.rows:
            row.state, row.lease, row.due_at = State.SENDING, claimed.token, claimed.until
            row.attempts += 1
        worker.alias = claimed.alias
    return claimed


@in_transaction(Notification)
def _claim(worker: Worker, without: frozenset[str]) -> Claim | None:
    now = timezone.now()
    retry_times = dict(SetupProblem.objects.open().values_list("alias", "retry_at"))
    paused = {alias for alias, retry_at in retry_times.items() if retry_at > now}
    excluded = without | workers.busy_aliases(worker, now) | paused
    due = Notification.objects.due(now).exclude(alias__in=excluded).in_order()
    alias = due.values_list("alias", flat=True).first()
    if alias is None:
        return None
    rows = _before_first_suspect(list(due.filter(alias=alias).lock()[: _batch_size(alias)]))
    claimed = Claim(alias, uuid.uuid4(), rows, now + LEASE, is_trial=alias in retry_times)
    Notification.objects.filter(pk__in=[row.pk for row in rows]).update(
        state=State.SENDING,
        lease=claimed.token,
        due_at=claimed.until,
        attempts=F("attempts") + 1,
        updated_at=now,
    )
    workers.set_alias(worker, alias, now)
    return claimed


def _batch_size(alias: str) -> int:
    try:
        return IDEMPOTENT_BATCH if registry.notifier_class(alias).is_idempotent else BATCH
    except UnknownNotifier:
        return BATCH


def _before_first_suspect(rows: list[Notification]) -> list[Notification]:
    """The first row alone if it is suspect, else the rows before the first suspect one."""
    first_suspect = next((index for index, row in enumerate(rows) if _is_suspect(row)), len(rows))
    return rows[: max(1, first_suspect)]


def _is_suspect(row: Notification) -> bool:
    """Whether a worker has died while it was sending this row, at the second or a later attempt."""
    return row.state == State.SENDING and row.attempts >= SUSPECT_ATTEMPTS


def release(claimed: Claim, rows: Iterable[Notification]) -> None:
    """Release rows that were claimed and not attempted, as if they had not been claimed."""
    Notification.objects.filter(pk__in=[row.pk for row in rows], lease=claimed.token, state=State.SENDING).update(
        state=State.QUEUED, lease=None, due_at=timezone.now(), attempts=F("attempts") - 1
    )


def postpone(row: Notification, *, due_at: datetime, reason: str) -> None:
    """Release one row, to be claimed at ``due_at``, without counting an attempt."""
    Notification.objects.filter(pk=row.pk, lease=row.lease, state=State.SENDING).update(
        state=State.QUEUED, lease=None, due_at=due_at, attempts=F("attempts") - 1, last_error=reason[:500]
    )
