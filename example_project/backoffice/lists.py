"""URLs of the admin's lists, filtered to the rows of a figure."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from backoffice.sales import Period


def url(model: str, **filters: Any) -> str:
    """The URL of a list; ``model`` has the form ``shop_orders_order``."""
    path = reverse(f"admin:{model}_changelist")
    return f"{path}?{urlencode(filters)}" if filters else path


def orders(period: Period | None = None, **filters: Any) -> str:
    times = {"placed_at__gte": period.start, "placed_at__lt": period.end} if period else {}
    return url("shop_orders_order", **_as_text(times), **filters)


def sales(period: Period, currency: str, **filters: Any) -> str:
    """The orders behind a sum: of one currency, without the cancelled ones."""
    return orders(period, currency__exact=currency, sales="yes", **filters)


def notifications(period: Period | None = None, **filters: Any) -> str:
    times = {"created_at__gte": period.start, "created_at__lt": period.end} if period else {}
    return url("shop_notify_notification", **_as_text(times), **filters)


def _as_text(times: dict[str, Any]) -> dict[str, str]:
    return {name: moment.isoformat() for name, moment in times.items()}
