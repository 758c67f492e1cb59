"""The list of active workers. It is used to keep one alias from occupying more than half of them."""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from shop_core.db.transactions import connection_of

from shop_notify.delivery import queries
from shop_notify.models import Worker

WORKER_TIMEOUT = timedelta(seconds=45)
"""A worker that was not seen for this long is no longer counted. It is longer than one message may take."""


def start_worker() -> Worker:
    """Add this process or thread to the list, and remove the workers that were killed."""
    now, host = timezone.now(), socket.gethostname()[:100]
    gone = [
        other.pk
        for other in Worker.objects.all()
        if other.seen_at < now - WORKER_TIMEOUT or (other.host == host and not _is_running(other.pid))
    ]
    with _asynchronous_commit():
        if gone:
            Worker.objects.filter(pk__in=gone).delete()
        return Worker.objects.create(host=host, pid=os.getpid(), seen_at=now)


def heartbeat(worker: Worker) -> None:
    """Record that a worker is alive, at most four times in ``WORKER_TIMEOUT``."""
    now = timezone.now()
    if now - worker.seen_at > WORKER_TIMEOUT / 4:
        Worker.objects.filter(pk=worker.pk).update(seen_at=now)
        worker.seen_at = now


def stop_worker(worker: Worker) -> None:
    with _asynchronous_commit():
        Worker.objects.filter(pk=worker.pk).delete()


def set_alias(worker: Worker, alias: str, now: datetime) -> None:
    """Store which alias a worker delivers for, if it has changed."""
    if worker.alias != alias:
        Worker.objects.filter(pk=worker.pk).update(alias=alias, seen_at=now)


def busy_aliases(worker: Worker, now: datetime) -> set[str]:
    """Aliases that already occupy half of the workers. Locks the workers' rows in order."""
    live: list[Any] = list(
        Worker.objects.select_for_update()
        .filter(seen_at__gte=now - WORKER_TIMEOUT)
        .order_by("pk")
        .values_list("pk", "alias", named=True)
    )
    share = max(1, len(live) // 2)
    occupied = Counter(other.alias for other in live if other.alias and other.pk != worker.pk)
    return {alias for alias, count in occupied.items() if count >= share}


@contextmanager
def _asynchronous_commit() -> Iterator[None]:
    """A transaction whose commit PostgreSQL does not flush to disk: the list is not needed after a crash.

    A message therefore waits for the disk only twice: at its claim and at its result.
    """
    connection = connection_of(Worker)
    if connection.in_atomic_block:
        yield
        return
    with transaction.atomic(using=connection.alias):
        if connection.vendor == "postgresql":
            queries.commit_without_flush()
        yield


def _is_running(pid: int) -> bool:
    if os.name == "nt":
        # On Windows signal 0 is Ctrl-C. A worker that was killed is removed after WORKER_TIMEOUT.
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
