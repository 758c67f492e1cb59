"""Waking a worker. The outbox row is the truth: a wake-up may be lost, doubled or late, and has no arguments."""

from __future__ import annotations

import logging

from django.utils.module_loading import import_string

from shop_notify.conf import app_settings

logger = logging.getLogger(__name__)

WAKE_UP = "shop_notify.delivery.wake_up"
TASK = "shop_notify.tasks.deliver"


def wake() -> None:
    """Call the queue of the settings. An error is logged: whoever wrote the rows must not suffer from it."""
    try:
        import_string(app_settings.QUEUE)()
    except Exception:
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


def none() -> None:
    """Wake nobody: ``manage.py deliver_notifications --loop`` looks for itself."""
