"""What waits in django-q2's queue, on either broker."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Min
from django.utils import timezone
from django_q.brokers import Broker, get_broker
from django_q.brokers.orm import ORM
from django_q.models import OrmQ
from django_q.signing import BadSignature, SignedPackage


def length() -> int:
    """How many tasks wait."""
    return int(get_broker().queue_size())


def oldest_seconds() -> float:
    """How long the oldest waiting task has waited, 0 where none waits."""
    broker = get_broker()
    since = _oldest_row() if isinstance(broker, ORM) else _head(broker)
    return max(0.0, (timezone.now() - since).total_seconds()) if since else 0.0


def _oldest_row() -> datetime | None:
    """A waiting row's ``lock`` is when it was queued; that of a running one lies ahead."""
    now = timezone.now()
    oldest: datetime | None = OrmQ.objects.filter(lock__lte=now).aggregate(oldest=Min("lock"))["oldest"]
    return oldest


def _head(broker: Broker) -> datetime | None:
    """When the task at the head of the Redis list was queued; a task of another key is not read."""
    head = broker.connection.lindex(broker.list_key, 0)
    if head is None:
        return None
    try:
        queued_at: datetime = SignedPackage.loads(head)["started"]
    except BadSignature:
        return None
    return queued_at
