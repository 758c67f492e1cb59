"""Signed calls, as https://www.standardwebhooks.com describes them: HMAC-SHA256 over id, timestamp and body."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Sequence

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

from shop_orders.exceptions import InvalidWebhook

TOLERANCE_SECONDS = 300


def secrets_of(value: Sequence[str], *, option: str) -> tuple[str, ...]:
    """Check the secrets in an option of a provider, and return them.

    Raises:
        ImproperlyConfigured: the option is a string instead of a list, or a secret is empty.
    """
    if isinstance(value, str) or not value or not all(isinstance(secret, str) and secret.strip() for secret in value):
        raise ImproperlyConfigured(f'"{option}" must be a list of secrets, none of them empty.')
    return tuple(value)


def sign(secret: str, *, message_id: str, timestamp: int, body: bytes) -> str:
    """The value of the ``webhook-signature`` header."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def verify(request: HttpRequest, secrets: Sequence[str], *, now: float | None = None) -> str:
    """Verify a call, and return the id of its message. Several secrets may be valid during a rotation.

    Raises:
        InvalidWebhook: a header is missing, no signature matches, or the timestamp is more than five minutes off.
    """
    message_id = request.headers.get("webhook-id", "")
    given = request.headers.get("webhook-signature", "").split(" ")
    try:
        timestamp = int(request.headers.get("webhook-timestamp", ""))
    except ValueError:
        raise InvalidWebhook
    expected = [sign(secret, message_id=message_id, timestamp=timestamp, body=request.body) for secret in secrets]
    fits = [hmac.compare_digest(one.encode(), other.encode()) for one in expected for other in given]
    if not message_id or not any(fits) or abs((now or time.time()) - timestamp) > TOLERANCE_SECONDS:
        raise InvalidWebhook
    return message_id
