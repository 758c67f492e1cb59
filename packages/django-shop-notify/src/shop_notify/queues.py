"""Waking a worker. The outbox row is the truth: a wake-up may be lost, doubled or late, and has no arguments."""

from __future__ import annotations

import inspect
import logging
import time

from django.db import connection
from django.utils.module_loading import import_string

from shop_notify.conf import app_settings

logger = logging.getLogger(__name__)

WAKE_UP = "shop_notify.delivery.wake_up"
TASK = "shop_notify.tasks.deliver"
POSTGRESQL = "shop_notify.queues.postgresql"
CHANNEL = "shop_notify"
RECOVERY_SECONDS = 5.0
_failed_until: dict[str, float] = {}


def wake() -> None:
    """Call the queue of the settings. An error is logged: whoever wrote the rows must not suffer from it.

    A queue that failed is left alone for a moment: to find a broker gone takes seconds, and each writer would wait.
    """
    queue, now = app_settings.QUEUE, time.monotonic()
    if _failed_until.get(queue, 0.0) > now:
        return
    try:
        import_string(queue)()
    except Exception:
        _failed_until[queue] = time.monotonic() + RECOVERY_SECONDS
        logger.exception("The queue could not be woken. The rows wait for `manage.py deliver_notifications`.")


def inline() -> None:
    """Deliver at once, in the process and thread that has written the rows."""
    import_string(WAKE_UP)()


def django_q2() -> None:
    """Let a django-q2 cluster deliver."""
    from django_q.tasks import async_task

    async_task(WAKE_UP, task_name="shop_notify", save=False)


def django_tasks() -> None:
    """Let the worker of a ``TASKS`` backend deliver (Django 6)."""
    import_string(TASK).enqueue()


def postgresql() -> None:
    """Wake every ``manage.py deliver_notifications --loop`` on the same PostgreSQL database at once, by NOTIFY."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, '')", [CHANNEL])


def listen() -> None:
    """Let this connection hear the wake-ups of ``postgresql``. A second time changes nothing."""
    with connection.cursor() as cursor:
        cursor.execute(f"LISTEN {CHANNEL}")


def wait(seconds: float) -> bool:
    """Wait until a wake-up came since ``listen``, at most so long. Returns whether one did."""
    with connection.wrap_database_errors:
        return any(connection.connection.notifies(timeout=seconds, stop_after=1))


def can_listen() -> bool:
    """Whether the queue of the settings is ``postgresql``, and the database and its driver (psycopg 3.2) can do it."""
    if app_settings.QUEUE != POSTGRESQL or connection.vendor != "postgresql":
        return False
    connection.ensure_connection()
    notifies = getattr(connection.connection, "notifies", None)
    return callable(notifies) and "stop_after" in inspect.signature(notifies).parameters


def none() -> None:
    """Wake nobody: ``manage.py deliver_notifications --loop`` looks for itself."""
