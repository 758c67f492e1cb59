"""SMS limits: messages that cost money are counted in the database, to stop SMS pumping."""

from __future__ import annotations

import hashlib
import logging
from datetime import UTC, datetime, timedelta
from functools import partial

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from shop_core.db.rows import as_stored
from shop_core.db.transactions import connection_of, in_transaction

from shop_notify.conf import app_settings
from shop_notify.models import Notification, SendCount

logger = logging.getLogger(__name__)

ADMINS = "admins"

PERIOD_SECONDS = {
    "phone_10_minutes": 600,
    "phone_day": 86400,
    "customer_day": 86400,
    "visitor_hour": 3600,
    "hour": 3600,
}


class OverLimit(Exception):
    """A limit is used up. ``until`` is when its next period begins."""

    def __init__(self, limit: str, until: datetime) -> None:
        super().__init__(limit)
        self.limit = limit
        self.until = until


def count(notification: Notification) -> None:
    """Count one message against every limit; if one is used up, count nothing. A message is counted only once.

    Opens its own transaction. Each count is one conditional update, so many workers together never exceed a limit.

    Raises:
        OverLimit: one of the limits is used up.
    """
    if notification.metered_at is not None:
        return
    now = timezone.now()
    _count_all(notification, now)
    notification.metered_at = now


@in_transaction(Notification)
def _count_all(notification: Notification, now: datetime) -> None:
    for limit, key in _keys(notification).items():
        _count_one(limit, key, now)
    Notification.objects.filter(pk=notification.pk).update(metered_at=now)


def _keys(notification: Notification) -> dict[str, str]:
    keys = {"hour": "all", "phone_10_minutes": _hash(notification.address), "phone_day": _hash(notification.address)}
    if notification.recipient_key:
        keys["customer_day"] = _hash(notification.recipient_key)
    if notification.context.get("visitor") and notification.audience != ADMINS:
        keys["visitor_hour"] = _hash(f"visitor {notification.context['visitor']}")
    return dict(sorted(keys.items()))


def _count_one(limit: str, key: str, now: datetime) -> None:
    seconds = PERIOD_SECONDS[limit]
    starts_at = as_stored(datetime.fromtimestamp(int(now.timestamp()) // seconds * seconds, UTC))
    period = {"key": key, "seconds": seconds, "starts_at": starts_at}
    SendCount.objects.bulk_create([SendCount(**period)], ignore_conflicts=True)
    allowed = app_settings.SMS_LIMITS[limit]
    if not SendCount.objects.filter(**period, used__lt=allowed).update(used=F("used") + 1):
        raise OverLimit(limit, starts_at + timedelta(seconds=seconds))
    if limit == "hour" and SendCount.objects.filter(**period, used=allowed).exists():
        # Django mails errors to the site's ADMINS: the shop may be under SMS pumping. After commit only, since another
        # limit may roll the count back.
        report = partial(
            logger.error, "SMS_LIMITS: the %d messages of this hour are used up. Further messages wait.", allowed
        )
        transaction.on_commit(report, using=connection_of(SendCount).alias)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
