"""Another channel when the first did not arrive, once."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

from django.utils import timezone

from shop_notify import routes
from shop_notify.exceptions import UnknownNotifier
from shop_notify.models import Notification, State
from shop_notify.notifiers import registry

logger = logging.getLogger(__name__)

BATCH = 200
OPEN = (State.SENT, State.UNKNOWN, State.FAILED, State.DEAD, State.SKIPPED)


def start_due() -> int:
    """Write the fall-back of everything that was refused, skipped, or not delivered in time. Returns how many.

    The row is written before its cause is marked: a second run finds it there and writes nothing.
    """
    now = timezone.now()
    due = Notification.objects.filter(fallback_at__lte=now, state__in=OPEN).order_by("fallback_at")[:BATCH]
    rows = list(due)
    routes.write([*_followers(rows)])
    Notification.objects.filter(pk__in=[row.pk for row in rows]).update(fallback_at=None)
    return len(rows)


def _followers(rows: Iterable[Notification]) -> Iterator[Notification]:
    for row in rows:
        try:
            yield _follower(row)
        except UnknownNotifier as error:
            # The worker that has just noted another message must not suffer from it.
            logger.error("A message has no fall-back: %s", error)  # noqa: TRY400 - the trace says no more


def _follower(row: Notification) -> Notification:
    now = timezone.now()
    alias = row.fallback["alias"]
    lifetime = registry.notifier_class(alias).expires_after
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
