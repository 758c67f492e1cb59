"""Deleting old notifications, and with them the personal data."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from shop_notify.conf import app_settings
from shop_notify.models import DeliveryReport, Notification, RouteFailure, SendCount, SetupProblem

CHUNK = 1000


def prune(*, days: int | None = None) -> int:
    """Delete notifications that were finished more than ``days`` ago (default: ``KEEP_DAYS``).

    Their attempts and reports are deleted too, in chunks with one transaction each. Returns how many
    notifications were deleted.
    """
    now = timezone.now()
    before = now - timedelta(days=app_settings.KEEP_DAYS if days is None else days)
    pruned = 0
    while True:
        chunk = list(Notification.objects.final().filter(updated_at__lt=before).values_list("pk", flat=True)[:CHUNK])
        if not chunk:
            break
        Notification.objects.filter(pk__in=chunk).delete()
        pruned += len(chunk)
    DeliveryReport.objects.filter(notification=None, received_at__lt=before).delete()
    RouteFailure.objects.filter(failed_at__lt=before).delete()
    SetupProblem.objects.exclude(alias__in=list(app_settings.NOTIFIERS)).delete()
    SendCount.objects.filter(starts_at__lt=now - timedelta(days=2)).delete()
    return pruned
