"""Length and age of django-q2's queue, for both brokers."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Min
from django.utils import timezone
from django_q.brokers import Broker, get_broker
from django_q.brokers.orm import ORM
from django_q.models import OrmQ
from django_q.signing import BadSignature, SignedPackage


def length() -> int:
    """The number of waiting tasks."""
    return int(get_broker().queue_size())


def oldest_seconds() -> float:
    """The age of the oldest waiting task, 0 if there is none."""
    broker = get_broker()
    since = _oldest_row() if isinstance(broker, ORM) else _head(broker)
    return max(0.0, (timezone.now() - since).total_seconds()) if since else 0.0


def _oldest_row() -> datetime | None:
    """A waiting row's ``lock`` is the time when it was queued; a running row's ``lock`` is in the future."""
    now = timezone.now()
    oldest: datetime | None = OrmQ.objects.filter(lock__lte=now).aggregate(oldest=Min("lock"))["oldest"]
    return oldest


def _head(broker: Broker) -> datetime | None:
    """The time when the first task of the Redis list was queued; tasks signed with another key are not read."""
    head = broker.connection.lindex(broker.list_key, 0)
    if head is None:
        return None
    try:
        queued_at: datetime = SignedPackage.loads(head)["started"]
    except BadSignature:
        return None
    return queued_at
