"""Reading what any provider's HTTP answer has in common."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from shop_notify.exceptions import DeliveryFailure, PermanentFailure, TemporaryFailure

MAX_ANSWER_BYTES = 64 * 1024
WORTH_A_RETRY = frozenset({408, 425, 429})


def retry_after_seconds(value: str | None) -> float | None:
    """Seconds of a ``Retry-After`` header, which is a number or a date (RFC 9110, 10.2.3)."""
    if not value:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return float(value)
    try:
        when = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return max(0.0, ((when if when.tzinfo else when.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds())


def failure_for(status: int, detail: str, *, retry_after: str | None = None) -> DeliveryFailure:
    """The usual meaning of an HTTP status that is no success: 5xx, 408, 425 and 429 are worth another try."""
    text = f"HTTP {status}: {detail}"
    if status >= 500 or status in WORTH_A_RETRY:
        return TemporaryFailure(text, provider_code=str(status), retry_after=retry_after_seconds(retry_after))
    return PermanentFailure(text, provider_code=str(status))
