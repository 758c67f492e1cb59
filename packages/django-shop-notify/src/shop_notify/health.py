"""Health of each notifier, for the admin, the staff's API and health views."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Count, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from shop_notify.conf import app_settings
from shop_notify.exceptions import UnknownNotifier
from shop_notify.models import AccountBalance, Attempt, Notification, SetupProblem
from shop_notify.notifiers import registry


@dataclass(frozen=True, kw_only=True)
class NotifierHealth:
    """Figures of one notifier. ``oldest_due_at`` is the time at which the oldest waiting message was due."""

    alias: str
    backend: str
    channel: str = ""
    is_ready: bool = False
    problem: str = ""
    problem_since: datetime | None = None
    balance: str = ""
    balance_low_since: datetime | None = None
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
    parts = (_refused_setups(), _balances(), rows, recent)
    return [
        NotifierHealth(**reduce(or_, (part.get(alias, {}) for part in parts), _state(alias)))
        for alias in dict.fromkeys([*app_settings.NOTIFIERS, *rows])
    ]


def oldest_due_at() -> datetime | None:
    """The time at which the oldest waiting message was due, None if no message is due: for a readiness probe.

    Messages that wait because a provider refuses the set-up of their notifier are not counted: no worker can send
    them.
    """
    due = Notification.objects.due(timezone.now()).exclude(alias__in=list(_refused_setups()))
    return due.order_by("due_at").values_list("due_at", flat=True).first()


def _balances() -> dict[str, dict[str, Any]]:
    return {
        row.alias: {"balance": f"{row.currency} {row.amount:.2f}", "balance_low_since": row.low_since}
        for row in AccountBalance.objects.filter(alias__in=list(app_settings.NOTIFIERS))
    }


def _refused_setups() -> dict[str, dict[str, Any]]:
    text = _("The provider refuses the set-up: %(error)s")
    return {
        problem.alias: {
            "is_ready": False,
            "problem": text % {"error": problem.error},
            "problem_since": problem.began_at,
        }
        for problem in SetupProblem.objects.open().filter(alias__in=list(app_settings.NOTIFIERS))
    }


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
