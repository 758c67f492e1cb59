"""Periodic work of the catalogue. Run ``manage.py shop_catalog_jobs`` each minute; it runs what is due."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from shop_catalog import categories, images, inventory, products, statistics
from shop_catalog.models import JobRun, ProductUpload

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """Work to do every so often. ``undone`` says what stays undone if it never runs."""

    name: str
    function: Callable[[], object]
    every: timedelta
    undone: str


def check_tree() -> None:
    """Log what is wrong with the category tree."""
    faults = categories.check()
    if faults:
        logger.error("The category tree has %d faults. Run `manage.py check_category_tree --fix`.", len(faults))


def check_stock() -> None:
    """Log products whose stock is not the sum of their movements."""
    differences = inventory.differences()
    if differences:
        logger.error(
            "The stock of %d products differs from the ledger. Run `manage.py check_stock`.", len(differences)
        )


def forget_uploads() -> int:
    """Delete files whose preview nobody confirmed within a day."""
    return ProductUpload.objects.filter(created_at__lt=timezone.now() - timedelta(days=1)).delete()[0]


JOBS: tuple[Job, ...] = (
    Job(
        "fold_statistics",
        statistics.fold,
        timedelta(minutes=1),
        "Average prices and counts of categories get slower with every change.",
    ),
    Job(
        "announce_stock",
        inventory.announce_pending,
        timedelta(minutes=1),
        "A low-stock message that a crash interrupted is never sent.",
    ),
    Job(
        "settle_schedules",
        products.settle_schedules,
        timedelta(minutes=5),
        "Products published or ended by time make average prices slower, and a group keeps its old from-price.",
    ),
    Job(
        "make_renditions",
        images.make_renditions,
        timedelta(hours=1),
        "Pictures that a fixture brought are shown in full size, which is slow.",
    ),
    Job("forget_uploads", forget_uploads, timedelta(hours=6), "Files of unconfirmed imports fill the database."),
    Job("check_tree", check_tree, timedelta(days=1), "A damaged category tree is not noticed."),
    Job("check_stock", check_stock, timedelta(days=1), "Stock that differs from its ledger is not noticed."),
)


def run_due(*, everything: bool = False) -> list[str]:
    """Run the jobs that are due, each on its own; answers the names of those that failed."""
    failed = []
    for job in JOBS:
        run, _created = JobRun.objects.get_or_create(name=job.name)
        is_due = everything or _is_due(job, run.last_started_at, grace=timedelta(0))
        if is_due and not _run(job, run):
            failed.append(job.name)
    return failed


def overdue() -> list[Job]:
    """Jobs that should have run and have not, with a second interval of grace, or that failed last time."""
    runs = {run.name: run for run in JobRun.objects.all()}
    late = []
    for job in JOBS:
        run = runs.get(job.name)
        if run is None or run.last_error or _is_due(job, run.last_finished_at, grace=job.every + timedelta(minutes=1)):
            late.append(job)
    return late


def _is_due(job: Job, last: datetime | None, *, grace: timedelta) -> bool:
    return last is None or last + job.every + grace <= timezone.now()


def _run(job: Job, run: JobRun) -> bool:
    """Run a job unless another process has just begun it."""
    now = timezone.now()
    unchanged = Q(last_started_at=run.last_started_at) if run.last_started_at else Q(last_started_at__isnull=True)
    if not JobRun.objects.filter(unchanged, pk=run.pk).update(last_started_at=now):
        return True
    try:
        job.function()
    except Exception as error:
        logger.exception("The job %s failed", job.name)
        JobRun.objects.filter(pk=run.pk).update(last_error=f"{type(error).__name__}: {error}"[:500])
        return False
    JobRun.objects.filter(pk=run.pk).update(last_finished_at=timezone.now(), last_error="")
    return True
