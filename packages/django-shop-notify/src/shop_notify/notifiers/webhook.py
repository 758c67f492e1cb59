"""Signed webhooks, by the Standard Webhooks specification (https://www.standardwebhooks.com)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import http.client
import ipaddress
import json
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.utils.translation import gettext as _

from shop_notify.exceptions import AddressRefused, PermanentFailure, TemporaryFailure, UnknownOutcome
from shop_notify.notifiers.base import Message, Notifier, Receipt
from shop_notify.notifiers.http import MAX_RESPONSE_BYTES, Deadline, retry_after_seconds

WALL_SECONDS = 10.0


class WebhookNotifier(Notifier):
    """POSTs ``{"type", "timestamp", "data"}`` to ``url``, or to the recipient's ``webhook``, signed with ``secrets``.

    While a secret (``whsec_...``) is being replaced, list both: each signs every message. Only https and public
    addresses are allowed, except for the hosts in ``private_hosts``. An endpoint that responds with 410 is suppressed.
    """

    channel = "webhook"
    secret_options = frozenset({"secrets"})

    def __init__(
        self,
        *,
        alias: str,
        secrets: Sequence[str],
        url: str = "",  # noqa: ARG002 - address_of reads it
        private_hosts: Sequence[str] = (),
    ) -> None:
        super().__init__(alias=alias)
        if isinstance(secrets, str) or not secrets:
            raise ValueError(_("“secrets” must be a list of at least one secret."))
        self.private_hosts = frozenset(private_hosts)
        self._keys = [_signing_key(secret) for secret in secrets]

    @classmethod
    def address_of(cls, recipient: Mapping[str, str], options: Mapping[str, Any]) -> str:
        return str(recipient.get("webhook") or options.get("url") or "")

    def check_address(self, address: str) -> None:
        self._parse(address)

    def send(self, message: Message) -> Receipt:
        try:
            url = self._parse(message.to)
        except AddressRefused as error:
            raise PermanentFailure(str(error)) from error
        body = _body(message)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "django-shop-notify",
            **self._signature_headers(message.id, body),
        }
        status, retry_after = self._post(url, body, headers)
        if 200 <= status < 300:
            return Receipt(provider_id=message.id, provider_code=str(status), response={"status": status})
        if status == 410:
            raise PermanentFailure(_("The endpoint is gone."), provider_code="410", suppress="gone")
        if 300 <= status < 400:
            raise PermanentFailure(
                _("The endpoint responded with a redirect, which is not followed."), provider_code=str(status)
            )
        # The specification asks senders to retry after any status but 2xx, since endpoints are often repaired.
        raise TemporaryFailure(
            f"HTTP {status}", provider_code=str(status), retry_after=retry_after_seconds(retry_after)
        )

    def _parse(self, address: str) -> SplitResult:
        try:
            url = urlsplit(address)
            host, port = url.hostname or "", url.port
        except ValueError as error:
            raise AddressRefused(_("This is not a URL.")) from error
        allowed = {"https", "http"} if host in self.private_hosts else {"https"}
        if url.scheme not in allowed or not host or url.username is not None or (port == 0):
            raise AddressRefused(_("A webhook's URL must use https and have a host and no user name."))
        if not address.isascii() or any(character <= " " or character == "\x7f" for character in address):
            raise AddressRefused(_("The URL has spaces, control characters or letters that are not ASCII."))
        return url

    def _signature_headers(self, message_id: str, body: bytes) -> dict[str, str]:
        timestamp = str(int(time.time()))
        content = f"{message_id}.{timestamp}.".encode() + body
        signatures = [base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode() for key in self._keys]
        return {
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
        }

    def _post(self, url: SplitResult, body: bytes, headers: Mapping[str, str]) -> tuple[int, str | None]:
        until = time.monotonic() + WALL_SECONDS
        raw = self._dial(url, until)
        with raw, Deadline(raw, until - time.monotonic()), closing(_http_connection_on(raw, url)) as connection:
            try:
                target = (url.path or "/") + (f"?{url.query}" if url.query else "")
                connection.request("POST", target, body, dict(headers))
                response = connection.getresponse()
                if time.monotonic() >= until:
                    # The deadline closed the connection before the end of the headers, which then look complete.
                    raise UnknownOutcome(_("The endpoint did not respond in time."))
                _drain(response, until)
            except (OSError, http.client.HTTPException) as error:
                raise UnknownOutcome(_("The endpoint did not respond properly.")) from error
            return response.status, response.getheader("Retry-After")

    def _dial(self, url: SplitResult, until: float) -> socket.socket:
        """A connection to a checked address. The name is resolved only once: a second result could differ."""
        try:
            address = self._resolve(url.hostname or "", _port(url))
            return socket.create_connection((address, _port(url)), timeout=max(0.1, until - time.monotonic()))
        except OSError as error:
            raise TemporaryFailure(_("The endpoint cannot be reached.")) from error

    def _resolve(self, host: str, port: int) -> str:
        try:
            addresses = [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        except UnicodeError as error:
            raise PermanentFailure(_("The URL has no valid host name.")) from error
        if host not in self.private_hosts and not all(is_public(address) for address in addresses):
            raise PermanentFailure(_("The endpoint's address is not public."), provider_code="private")
        return addresses[0]


def _port(url: SplitResult) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def _http_connection_on(raw: socket.socket, url: SplitResult) -> http.client.HTTPConnection:
    """HTTP, or HTTPS with TLS, on an open socket."""
    host = url.hostname or ""
    connection = http.client.HTTPConnection(host, _port(url))
    connection.sock = raw
    if url.scheme == "https":
        # The default port is left out of the Host header.
        connection.default_port = 443
        try:
            connection.sock = _tls().wrap_socket(raw, server_hostname=host)
        except OSError as error:
            raise TemporaryFailure(_("There is no secure connection to the endpoint.")) from error
    return connection


@cache
def _tls() -> ssl.SSLContext:
    """Created once: loading the certificate authorities takes longer than sending a message."""
    return ssl.create_default_context()


def is_public(address: str) -> bool:
    """Whether an IP address is on the public Internet. If an IPv6 address contains an IPv4 one, that is checked."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None:
            return is_public(str(inner))
        if ip in ipaddress.ip_network("64:ff9b::/96"):
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        if ip.is_site_local:
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved)


def _signing_key(secret: str) -> bytes:
    """The key of a ``whsec_`` secret."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        key = b""
    if len(key) < 24:
        raise ValueError(_("A webhook secret must be “whsec_” and at least 24 random bytes in base64."))
    return key


def _body(message: Message) -> bytes:
    data = {
        "type": message.event,
        "timestamp": datetime.now(UTC).isoformat(),
        "data": {"subject": message.subject, "text": message.text, **message.context},
    }
    return json.dumps(data, separators=(",", ":")).encode()


def _drain(response: http.client.HTTPResponse, until: float) -> None:
    """Read at most ``MAX_RESPONSE_BYTES`` of the response, which is not used."""
    size = 0
    while chunk := response.read1(4096):
        size += len(chunk)
        if size > MAX_RESPONSE_BYTES or time.monotonic() >= until:
            return
