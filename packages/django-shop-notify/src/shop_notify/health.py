"""Health of each notifier, for the admin, the staff's API and health views."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q
from django.utils import timezone

from shop_notify.conf import app_settings
from shop_notify.exceptions import UnknownNotifier
from shop_notify.models import Attempt, Notification
from shop_notify.notifiers import registry


@dataclass(frozen=True, kw_only=True)
class NotifierHealth:
    """Figures of one notifier. ``oldest_due_at`` is the time at which the oldest waiting message was due."""

    alias: str
    backend: str
    channel: str = ""
    is_ready: bool = False
    problem: str = ""
    waiting: int = 0
    sending: int = 0
    dead: int = 0
    unknown: int = 0
    oldest_due_at: datetime | None = None
    sent_last_hour: int = 0
    failed_last_hour: int = 0


def notifiers() -> list[NotifierHealth]:
    """Every configured alias, and removed ones with messages that wait, were given up or have an unknown outcome."""
    now = timezone.now()
    rows = Notification.objects.health(now)
    recent = _last_hour(now)
    return [
        NotifierHealth(**{**_state(alias), **rows.get(alias, {}), **recent.get(alias, {})})
        for alias in dict.fromkeys([*app_settings.NOTIFIERS, *rows])
    ]


def oldest_due_at() -> datetime | None:
    """The time at which the oldest waiting message was due, None if no message is due: for a readiness probe."""
    now = timezone.now()
    return Notification.objects.due(now).order_by("due_at").values_list("due_at", flat=True).first()


def _state(alias: str) -> dict[str, Any]:
    backend = str(app_settings.NOTIFIERS.get(alias, {}).get("BACKEND", ""))
    try:
        notifier = registry.get_notifier(alias)
    except UnknownNotifier as error:
        return {"alias": alias, "backend": backend, "problem": str(error)}
    return {"alias": alias, "backend": backend, "channel": notifier.channel, "is_ready": True}


def _last_hour(now: datetime) -> dict[str, dict[str, int]]:
    recent = (
        Attempt.objects.filter(finished_at__gte=now - timedelta(hours=1))
        .values("notification__alias")
        .annotate(
            sent_last_hour=Count("id", filter=Q(outcome=Attempt.Outcome.ACCEPTED)),
            failed_last_hour=Count("id", filter=~Q(outcome=Attempt.Outcome.ACCEPTED)),
        )
    )
    return {
        row["notification__alias"]: {name: row[name] for name in ("sent_last_hour", "failed_last_hour")}
        for row in recent
    }
