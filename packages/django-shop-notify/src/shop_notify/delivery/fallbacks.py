"""Fallbacks: a message by another channel if the original was not delivered."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from shop_notify import outbox
from shop_notify.delivery import setup_problems
from shop_notify.exceptions import UnknownNotifier
from shop_notify.models import Notification, State
from shop_notify.notifiers import registry

BATCH = 200
NOT_DELIVERED = (State.SENT, State.UNKNOWN, State.FAILED, State.DEAD, State.SKIPPED)


def start_fallbacks() -> int:
    """Put fallbacks into the outbox for messages that were refused, skipped, or not delivered in time.

    A fallback is inserted before its original is marked as done, and only once: a run that repeats this after a crash
    inserts nothing. Returns the number of originals.
    """
    now = timezone.now()
    setup_problems.skip_for_fallbacks(now)
    due = Notification.objects.filter(fallback_at__lte=now, state__in=NOT_DELIVERED).order_by("fallback_at")[:BATCH]
    rows = list(due)
    outbox.put([_fallback_of(row) for row in rows])
    Notification.objects.filter(pk__in=[row.pk for row in rows]).update(fallback_at=None)
    return len(rows)


def _fallback_of(row: Notification) -> Notification:
    now = timezone.now()
    alias = row.fallback["alias"]
    lifetime = _lifetime(alias)
    copied = ("event_id", "event", "audience", "recipient_key", "recipient_name", "language", "group", "reference")
    return Notification(
        alias=alias,
        channel=row.fallback["channel"],
        address=row.fallback["address"],
        context=row.context,
        priority=row.priority,
        created_at=now,
        due_at=now,
        expires_at=now + lifetime if lifetime else None,
        origin=row,
        **{name: getattr(row, name) for name in copied},
    )


def _lifetime(alias: str) -> timedelta | None:
    """How long a message of this alias is useful. None if its notifier cannot be imported: then the message waits."""
    try:
        return registry.notifier_class(alias).expires_after
    except UnknownNotifier:
        return None
