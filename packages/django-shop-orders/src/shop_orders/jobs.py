"""Periodic work: what, how often, and what stays undone if it never runs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from shop_orders import carts, events, idempotency, payments
from shop_orders.models import JobRun

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Job:
    """``function`` answers how many rows it changed; it may run twice at once."""

    name: str
    function: Callable[[], int]
    every: timedelta
    undone: str


JOBS: tuple[Job, ...] = (
    Job(
        name="announce_events",
        function=events.announce_due,
        every=timedelta(minutes=1),
        undone="Signals that a crash or a failing receiver left over are not sent again: messages are missing.",
    ),
    Job(
        name="reconcile_payments",
        function=payments.reconcile,
        every=timedelta(minutes=5),
        undone="A payment whose webhook got lost is noticed only when its order expires, a refund never.",
    ),
    Job(
        name="expire_orders",
        function=payments.expire_due,
        every=timedelta(minutes=1),
        undone="Unpaid orders keep their stock for ever.",
    ),
    Job(
        name="send_refunds",
        function=payments.send_due_refunds,
        every=timedelta(minutes=5),
        undone="Refunds that a provider could not take at once, and those of late payments, stay queued.",
    ),
    Job(name="prune_carts", function=carts.prune, every=timedelta(days=1), undone="Old carts pile up."),
    Job(
        name="prune_idempotency_keys",
        function=idempotency.prune,
        every=timedelta(hours=6),
        undone="Answers to old requests pile up.",
    ),
)


def run_due(*, run_all: bool = False) -> dict[str, int | None]:
    """Run what is due, or everything; answers ``{name: rows changed, None where it failed}``."""
    return {job.name: run(job) for job in JOBS if run_all or _claim(job)}


def run(job: Job) -> int | None:
    """Run one job now and note how it went. A failure is logged and noted, and stops no other job."""
    JobRun.objects.update_or_create(name=job.name, defaults={"last_started_at": timezone.now()})
    try:
        changed = job.function()
    except Exception as error:
        logger.exception("The job %s failed", job.name)
        JobRun.objects.filter(name=job.name).update(last_error=f"{type(error).__name__}: {error}"[:1000])
        return None
    JobRun.objects.filter(name=job.name).update(last_finished_at=timezone.now(), last_error="")
    return changed


def overdue() -> list[str]:
    """Names of jobs that did not finish within three of their intervals, or a quarter of an hour if that is longer."""
    runs = dict(JobRun.objects.values_list("name", "last_finished_at"))
    now = timezone.now()
    return [
        job.name
        for job in JOBS
        if (finished := runs.get(job.name)) is None or now - finished > max(3 * job.every, timedelta(minutes=15))
    ]


def _claim(job: Job) -> bool:
    """Whether the job is due; its row is taken at the same time, so that two runners do not both start it."""
    now = timezone.now()
    JobRun.objects.get_or_create(name=job.name)
    due = Q(last_started_at=None) | Q(last_started_at__lte=now - job.every)
    return JobRun.objects.filter(due, name=job.name).update(last_started_at=now) == 1
