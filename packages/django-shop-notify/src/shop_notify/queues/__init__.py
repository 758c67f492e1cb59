"""Queues: waking a worker, by the callable that ``QUEUE`` names. A wake-up may be lost, repeated or late."""

from shop_notify.queues.waking import POSTGRESQL, django_q2, django_tasks, inline, none, postgresql, wake

__all__ = ["POSTGRESQL", "django_q2", "django_tasks", "inline", "none", "postgresql", "wake"]
