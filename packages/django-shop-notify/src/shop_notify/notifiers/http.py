"""HTTP for notifiers: a request whose every outcome is a response or a delivery failure.

    response = http.request("POST", url, json={"to": message.to}, headers={"Authorization": f"Bearer {key}"})
    if not response.is_success:
        raise response.failure()
    return Receipt(provider_id=str(response.json()["id"]))

No redirect is followed, and the size and the time of a response are limited.
"""

from __future__ import annotations

import http.client
import json as json_format
import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit

from django.utils.translation import gettext as _
from shop_core.connections import Deadline

from shop_notify.exceptions import (
    DeliveryFailure,
    PermanentFailure,
    SetupFailure,
    TemporaryFailure,
    UnknownOutcome,
)

MAX_RESPONSE_BYTES = 64 * 1024
WALL_SECONDS = 10.0
RETRYABLE_STATUSES = frozenset({408, 425, 429})
SETUP_STATUSES = frozenset({401, 403, 407})
_HEADER_NAME = re.compile(r"[\w!#$%&'*+.^`|~-]+", re.ASCII)
_FORBIDDEN_IN_HEADERS = frozenset("\r\n\0")


@dataclass(frozen=True)
class Response:
    """An HTTP response. ``headers`` have lower-case names; ``body`` is cut at the limits of size and time."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    is_complete: bool = True

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        """The body as UTF-8; bytes that are not become a question mark."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            UnknownOutcome: it is not JSON, or the limits have cut it.
        """
        with suppress(ValueError, RecursionError):
            if self.is_complete:
                return json_format.loads(self.body)
        raise UnknownOutcome(_("The provider's response could not be read."), provider_code=str(self.status))

    def failure(self, detail: str = "") -> DeliveryFailure:
        """The failure to raise for a status that is not a success, by ``failure_for``."""
        return failure_for(self.status, detail or self.text[:200], retry_after=self.headers.get("retry-after"))


def request(
    method: str,
    url: str,
    *,
    json: Any = None,
    form: Mapping[str, str] | None = None,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    seconds: float = WALL_SECONDS,
    connect: Callable[[SplitResult, float], socket.socket] | None = None,
) -> Response:
    """Send one request with ``json``, ``form`` or ``body``, and return the response, whatever its status.

    It takes at most ``seconds``, from the connection to the last byte. ``connect`` opens the socket in another way.

    Raises:
        TemporaryFailure: there is no connection, so nothing was sent.
        SetupFailure: the URL cannot be used.
        PermanentFailure: a header has characters that HTTP does not allow.
        UnknownOutcome: the connection broke, or no status came in time.
    """
    until = time.monotonic() + seconds
    target, head = _url(url), {"User-Agent": "django-shop-notify", **(headers or {})}
    if json is not None:
        body, head = json_format.dumps(json).encode(), {"Content-Type": "application/json", **head}
    elif form is not None:
        body, head = urlencode(form).encode(), {"Content-Type": "application/x-www-form-urlencoded", **head}
    _check_headers(head)
    raw = (connect or _connect)(target, until)
    with raw, Deadline(raw, until - time.monotonic()), closing(_connection_on(raw, target)) as connection:
        try:
            path = (target.path or "/") + (f"?{target.query}" if target.query else "")
            connection.request(method, path, body, head)
            response = connection.getresponse()
            if time.monotonic() >= until:
                # The deadline closed the connection before the end of the headers, which then look complete.
                raise UnknownOutcome(_("The provider did not respond in time."), provider_code="time")
            received, is_complete = _read(response, until)
        except (OSError, http.client.HTTPException) as error:
            raise UnknownOutcome(_("The provider did not respond properly."), provider_code="broken") from error
    names = {name.lower(): value for name, value in response.getheaders()}
    return Response(response.status, received, names, is_complete)


def _url(url: str) -> SplitResult:
    """The parts of a URL. Errors do not show it, since it may contain a secret."""
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or not url.isascii() or any(character <= " " or character == "\x7f" for character in url):
        raise SetupFailure(_("The address of the provider is not a URL with http or https."), provider_code="url")
    return parts


def _check_headers(headers: Mapping[str, str]) -> None:
    """Refuse what http.client would refuse with an error that shows the value, which may be a secret."""
    for name, value in headers.items():
        try:
            value.encode("latin-1")
        except UnicodeEncodeError:
            is_allowed = False
        else:
            is_allowed = _HEADER_NAME.fullmatch(name) is not None and not _FORBIDDEN_IN_HEADERS & {*value}
        if not is_allowed:
            text = _("The header %(name)s has characters that HTTP does not allow.")
            raise PermanentFailure(text % {"name": name}, provider_code="header")


def _connect(url: SplitResult, until: float) -> socket.socket:
    try:
        address = (url.hostname or "", port_of(url))
        return socket.create_connection(address, timeout=max(0.1, until - time.monotonic()))
    except (OSError, UnicodeError) as error:
        raise TemporaryFailure(_("The provider cannot be reached."), provider_code="connect") from error


def port_of(url: SplitResult) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def _connection_on(raw: socket.socket, url: SplitResult) -> http.client.HTTPConnection:
    """HTTP, or HTTPS with TLS, on an open socket."""
    host = url.hostname or ""
    connection = http.client.HTTPConnection(host, port_of(url))
    connection.sock = raw
    if url.scheme == "https":
        connection.default_port = 443  # left out of the Host header
        try:
            connection.sock = _tls().wrap_socket(raw, server_hostname=host)
        except OSError as error:
            raise TemporaryFailure(_("There is no secure connection to the provider."), provider_code="tls") from error
    return connection


@cache
def _tls() -> ssl.SSLContext:
    """Created once: loading the certificate authorities takes longer than sending a message."""
    return ssl.create_default_context()


def _read(response: http.client.HTTPResponse, until: float) -> tuple[bytes, bool]:
    """The body within the limits of size and time, and whether it is all of it."""
    body = bytearray()
    while chunk := response.read1(4096):
        body += chunk
        if len(body) > MAX_RESPONSE_BYTES:
            return bytes(body[:MAX_RESPONSE_BYTES]), False
        if time.monotonic() >= until:
            break
    return bytes(body), not response.length and time.monotonic() < until


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
    """The usual meaning of an HTTP status that is not a success.

    5xx, 408, 425 and 429 are temporary. 401, 403 and 407 refuse the set-up, and so does a redirect, which means that
    its URL is wrong. Others are permanent.
    """
    text = f"HTTP {status}: {detail}"
    if status >= 500 or status in RETRYABLE_STATUSES:
        return TemporaryFailure(text, provider_code=str(status), retry_after=retry_after_seconds(retry_after))
    if status in SETUP_STATUSES or 300 <= status < 400:
        return SetupFailure(text, provider_code=str(status))
    return PermanentFailure(text, provider_code=str(status))
