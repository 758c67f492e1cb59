"""Waking a worker. The messages are in the outbox: a wake-up has no arguments, and may be lost, repeated or late."""

from __future__ import annotations

import logging
import time

from django.utils.module_loading import import_string
from shop_core.hooks import load_hook

from shop_notify.conf import app_settings
from shop_notify.queues import queries

logger = logging.getLogger(__name__)

WAKE_UP = "shop_notify.delivery.wake_up"
TASK = "shop_notify.tasks.deliver"
POSTGRESQL = "shop_notify.queues.postgresql"
RECOVERY_SECONDS = 5.0
_failed_until: dict[str, float] = {}


def wake() -> None:
    """Call the queue of the settings. An error is logged and not raised: the caller has written its rows.

    A queue that failed is not called again for ``RECOVERY_SECONDS``: it takes seconds to notice that a broker is down,
    and every caller would wait that long.
    """
    queue, now = app_settings.QUEUE, time.monotonic()
    if _failed_until.get(queue, 0.0) > now:
        return
    try:
        load_hook(queue)()
    except Exception:
        _failed_until[queue] = time.monotonic() + RECOVERY_SECONDS
        logger.exception("The queue failed to wake a worker. The rows wait for `manage.py deliver_notifications`.")


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
    queries.notify()


def none() -> None:
    """Wake no worker: ``manage.py deliver_notifications --loop`` polls the outbox."""
