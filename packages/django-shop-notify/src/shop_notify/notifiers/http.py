"""HTTP for notifiers: a time limit for a connection, ``Retry-After``, and the usual meaning of a status."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from shop_notify.exceptions import DeliveryFailure, PermanentFailure, TemporaryFailure

MAX_RESPONSE_BYTES = 64 * 1024
RETRYABLE_STATUSES = frozenset({408, 425, 429})


class Deadline:
    """Closes a connection after some seconds, in any thread.

    A socket's time-out limits each read, but not a response that arrives slowly.

    After the deadline, reads behave as if the server had closed the connection. Call ``cancel`` when the response has
    arrived, or use ``with``.
    """

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        # Its own file descriptor: TLS takes over the descriptor of a plain socket, and a TLS socket refuses dup().
        self._socket = socket.fromfd(connection.fileno(), connection.family, connection.type)
        self._timer = threading.Timer(max(0.0, seconds), self._close)
        self._timer.daemon = True
        self._timer.start()

    def _close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def cancel(self) -> None:
        self._timer.cancel()
        self._socket.close()

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
    """The usual meaning of an HTTP status that is not a success: 5xx, 408, 425 and 429 are temporary."""
    text = f"HTTP {status}: {detail}"
    if status >= 500 or status in RETRYABLE_STATUSES:
        return TemporaryFailure(text, provider_code=str(status), retry_after=retry_after_seconds(retry_after))
    return PermanentFailure(text, provider_code=str(status))
