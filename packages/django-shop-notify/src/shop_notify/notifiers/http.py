"""Reading what any provider's HTTP answer has in common."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from shop_notify.exceptions import DeliveryFailure, PermanentFailure, TemporaryFailure

MAX_ANSWER_BYTES = 64 * 1024
WORTH_A_RETRY = frozenset({408, 425, 429})


class HangUp:
    """Ends a connection at a moment, in any thread: time-outs are for each read, and a slow drip outlasts them.

    Whoever reads finds the connection closed. ``cancel`` it when the answer is there, or use it in ``with``.
    """

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        # A handle of its own, since TLS takes that of a plain socket away; one that speaks TLS refuses dup().
        self._line = socket.fromfd(connection.fileno(), connection.family, connection.type)
        self._timer = threading.Timer(max(0.0, seconds), self._hang_up)
        self._timer.daemon = True
        self._timer.start()

    def _hang_up(self) -> None:
        with suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)

    def cancel(self) -> None:
        self._timer.cancel()
        self._line.close()

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc_info: object) -> None:
        self.cancel()


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
