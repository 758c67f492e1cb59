"""Dates and times as spreadsheets write them: ``31.12.2026``, ``12/31/2026 14:00``, ``46387.5``."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext_lazy as _

DAY_FIRST, MONTH_FIRST = "day", "month"
WRITTEN = re.compile(
    r"^(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})(?:,?[ T]+(\d{1,2}):(\d{2})(?::(\d{2}))?\s*([ap]m)?)?$", re.IGNORECASE
)
SERIAL = re.compile(r"^\d{5}(?:[.,]\d+)?$")
EPOCH = datetime(1899, 12, 30, tzinfo=UTC)
"""Day 0 of a spreadsheet, whose calendar has a 29 February 1900."""

REASONS = {
    "not_a_time": _("Write the date as 2026-01-31, or the time as 2026-01-31 12:00."),
    "ambiguous_date": _("This can be read in two ways. Choose whether the day or the month comes first."),
}


class NotATime(ValueError):
    """A cell that holds no time. ``code`` names the reason."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
        self.reason = str(REASONS[code])


def order_shown(text: Any) -> str:
    """Which comes first in a written date: the day, the month, or "" where it can be either."""
    found = WRITTEN.match(text.strip()) if isinstance(text, str) else None
    if found is None:
        return ""
    first, second = int(found[1]), int(found[3])
    if first > 12:
        return DAY_FIRST
    if second > 12:
        return MONTH_FIRST
    return DAY_FIRST if found[2] == "." else ""


def read(value: Any, *, order: str) -> str:
    """The time as ISO 8601 with its offset. What names no offset is in the site's time zone.

    Raises:
        NotATime: it is no time, or the order of day and month is not known.
    """
    if isinstance(value, datetime):
        return _with_offset(value)
    text = str(value).strip()
    if SERIAL.match(text):
        days = Decimal(text.replace(",", "."))
        moment = EPOCH + timedelta(seconds=int((days * 86400).to_integral_value()))
        return _with_offset(moment.replace(tzinfo=None))
    if (written := WRITTEN.match(text)) is not None:
        return _with_offset(_written(written, order))
    try:
        parsed, day = parse_datetime(text), parse_date(text[:10])
    except ValueError:
        raise NotATime("not_a_time") from None
    if parsed is not None:
        return _with_offset(parsed)
    if day is None or len(text) > 10:
        raise NotATime("not_a_time")
    return _with_offset(datetime(day.year, day.month, day.day))  # noqa: DTZ001 - the offset is added


def _written(found: re.Match[str], order: str) -> datetime:
    own = order_shown(found[0])
    if not own and not order and found[1] != found[3]:
        raise NotATime("ambiguous_date")
    first, second = int(found[1]), int(found[3])
    day, month = (second, first) if (own or order) == MONTH_FIRST else (first, second)
    year = int(found[4]) + (2000 if len(found[4]) == 2 else 0)
    hour = int(found[5] or 0)
    if found[8]:
        hour = hour % 12 + (12 if found[8].lower() == "pm" else 0)
    try:
        return datetime(year, month, day, hour, int(found[6] or 0), int(found[7] or 0))  # noqa: DTZ001
    except ValueError:
        raise NotATime("not_a_time") from None


def _with_offset(moment: datetime) -> str:
    if timezone.is_naive(moment):
        try:
            moment = timezone.make_aware(moment)
        except (ValueError, OverflowError):
            raise NotATime("not_a_time") from None
    return moment.isoformat()
