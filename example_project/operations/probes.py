"""Health probes. Each returns "" or a description of the problem, without host names and secrets."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from django.core.cache import cache
from django.db import InterfaceError, OperationalError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Min
from django.utils import timezone
from shop_catalog import jobs as catalog_jobs
from shop_notify import jobs as notify_jobs
from shop_notify.models import Notification
from shop_orders import jobs as orders_jobs
from shop_orders.models import OrderEvent

from operations import task_queue

LATE_SECONDS = 300
"""Work that has waited longer than this counts as stuck."""

PACKAGES: tuple[Any, ...] = (catalog_jobs, orders_jobs, notify_jobs)
Probe = Callable[[], str]


def database() -> str:
    is_postgresql = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_read_only" if is_postgresql else "SELECT 1")
        (value,) = cursor.fetchone()
    return "it is read-only" if is_postgresql and value == "on" else ""


def migrations() -> str:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return f"{len(missing)} migrations are not applied" if missing else ""


def caching() -> str:
    value = secrets.token_hex(8)
    key = f"readyz:{value}"
    cache.set(key, value, 10)
    return "" if cache.get(key) == value else "a value was not kept"


def queue() -> str:
    return _late(task_queue.oldest_seconds(), "a task")


def outbox() -> str:
    return _late(outbox_age_seconds(), "a message or an event")


def outbox_age_seconds() -> float:
    """The age of the oldest message or event that is due."""
    now = timezone.now()
    waiting: Iterable[datetime | None] = (
        Notification.objects.due(now).aggregate(oldest=Min("due_at"))["oldest"],
        OrderEvent.objects.due(now).aggregate(oldest=Min("next_attempt_at"))["oldest"],
    )
    return max(((now - moment).total_seconds() for moment in waiting if moment), default=0.0)


def jobs() -> str:
    late = [name for name, _consequence in overdue_jobs()]
    return f"not run in time: {', '.join(late)}" if late else ""


def overdue_jobs() -> Iterator[tuple[str, str]]:
    """The name of each periodic job that is late, and the consequence."""
    for package in PACKAGES:
        late = {getattr(job, "name", job) for job in package.overdue()}
        label = package.__name__.split(".")[0]
        for job in package.JOBS:
            if job.name in late:
                yield f"{label}.{job.name}", job.consequence


def _late(seconds: float, what: str) -> str:
    return f"{what} has waited for {seconds:.0f} seconds" if seconds > LATE_SECONDS else ""


READY: Mapping[str, Probe] = {
    "database": database,
    "migrations": migrations,
    "cache": caching,
    "queue": queue,
    "outbox": outbox,
}
"""If any of these fails, the shop is not ready."""
WARNINGS: Mapping[str, Probe] = {"jobs": jobs}
"""If one of these fails, it is reported, but the shop is ready."""

NOT_CHECKED = "not checked, because the database failed"


def run(probes: Mapping[str, Probe]) -> dict[str, str]:
    """The result of each probe. For a probe that raises it is the error's class: its text may contain a secret.

    After a probe that could not query the database, the others are NOT_CHECKED, except for the cache: each would wait
    for a connection too.
    """
    found: dict[str, str] = {}
    is_lost = False
    for name, probe in probes.items():
        if is_lost and probe is not caching:
            found[name] = NOT_CHECKED
            continue
        try:
            found[name] = probe()
        except Exception as error:  # noqa: BLE001 - a probe must report every kind of failure
            found[name] = f"failed with {type(error).__name__}"
            is_lost = is_lost or isinstance(error, InterfaceError | OperationalError)
    return found
