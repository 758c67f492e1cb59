"""Periodic work. ``manage.py shop_notify_jobs`` runs what is due, each minute from cron or any scheduler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F, Q
from django.utils import timezone

from shop_notify import delivery, pruning
from shop_notify.masking import mask
from shop_notify.models import JobRun

GRACE = 3
"""A job is overdue when it has not finished for this many of its intervals."""


@dataclass(frozen=True)
class Job:
    """One piece of periodic work. ``undone`` says what happens if it never runs."""

    name: str
    function: Callable[[], object]
    every: timedelta
    undone: str


JOBS: tuple[Job, ...] = (
    Job(
        "fall_back",
        delivery.start_fallbacks,
        timedelta(minutes=1),
        "A message that does not arrive is not followed by one on the other channel.",
    ),
    Job(
        "deliver",
        delivery.deliver_due,
        timedelta(minutes=1),
        "Retries, and messages whose wake-up was lost, wait until the next new message.",
    ),
    Job(
        "prune",
        pruning.prune,
        timedelta(days=1),
        "Finished notifications and the personal data in them are kept for ever.",
    ),
)


def due(now: datetime | None = None) -> list[Job]:
    """The jobs whose interval has passed since they last started."""
    now = now or timezone.now()
    started = dict(JobRun.objects.values_list("name", "last_started_at"))
    # A scheduler that comes every minute comes a little early now and then.
    return [job for job in JOBS if (last := started.get(job.name)) is None or last + job.every * 0.9 <= now]


def overdue(now: datetime | None = None) -> list[Job]:
    """The jobs that have not finished when they should have, for health views."""
    now = now or timezone.now()
    finished = dict(JobRun.objects.values_list("name", "last_finished_at"))
    return [job for job in JOBS if (last := finished.get(job.name)) is None or last + job.every * GRACE < now]


def run(job: Job) -> bool:
    """Run one job and note how it went. Returns False, and notes the error, where it raised.

    Two schedulers that start the same job at once: the second finds it started and leaves it.
    """
    now = timezone.now()
    JobRun.objects.get_or_create(name=job.name)
    free = Q(last_started_at=None) | Q(last_started_at__lte=now - timedelta(seconds=1))
    if not JobRun.objects.filter(free, name=job.name).update(last_started_at=now):
        return True
    try:
        job.function()
    except Exception as error:  # noqa: BLE001 - a job that raises is noted and leaves the others alone
        JobRun.objects.filter(name=job.name).update(last_error=mask(f"{type(error).__name__}: {error}"))
        return False
    JobRun.objects.filter(name=job.name).update(last_finished_at=timezone.now(), last_error="")
    return True


def state() -> dict[str, JobRun]:
    return {row.name: row for row in JobRun.objects.order_by(F("name"))}
