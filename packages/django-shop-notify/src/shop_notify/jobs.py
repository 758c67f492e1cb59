"""Periodic jobs of notify. ``manage.py shop_notify_jobs``, called every minute, runs those that are due."""

from __future__ import annotations

from datetime import timedelta

from shop_core.jobs import Job, Schedule

from shop_notify import delivery, pruning
from shop_notify.masking import mask
from shop_notify.models import JobRun


def masked(error: Exception) -> str:
    """The error as the table of runs stores it, without addresses."""
    return mask(f"{type(error).__name__}: {error}")


JOBS: tuple[Job, ...] = (
    Job(
        name="fall_back",
        function=delivery.start_fallbacks,
        every=timedelta(minutes=1),
        consequence="A message that does not arrive has no fallback by another channel.",
    ),
    Job(
        name="deliver",
        function=delivery.deliver_due,
        every=timedelta(minutes=1),
        consequence="Retries, and messages whose wake-up was lost, wait until another message is sent.",
    ),
    Job(
        name="check_balances",
        function=delivery.check_balances,
        every=timedelta(hours=1),
        consequence="Nobody is alarmed before an account at a provider is empty and its messages wait.",
    ),
    Job(
        name="prune",
        function=pruning.prune,
        every=timedelta(days=1),
        consequence="Finished notifications and the personal data in them are kept for ever.",
    ),
)

SCHEDULE = Schedule("shop_notify", JOBS, runs=JobRun, describe=masked, shortest_delay=timedelta())

run_due = SCHEDULE.run_due
overdue = SCHEDULE.overdue
