"""Signed webhooks, by the Standard Webhooks specification (https://www.standardwebhooks.com)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import socket
import time
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.utils.translation import gettext as _
from shop_core.connections import PrivateAddress, connect

from shop_notify.exceptions import AddressRefused, PermanentFailure, SetupFailure, TemporaryFailure
from shop_notify.notifiers import http
from shop_notify.notifiers.base import Message, Notifier, Receipt

WALL_SECONDS = 10.0


class WebhookNotifier(Notifier):
    """POSTs ``{"type", "timestamp", "data"}`` to ``url``, or to the recipient's ``webhook``, signed with ``secrets``.

    While a secret (``whsec_...``) is being replaced, list both: each signs every message. Only https and public
    addresses are allowed, except for the hosts in ``private_hosts``. An endpoint that responds with 410 is suppressed.
    If the endpoint of ``url`` responds with 401 or 403, the set-up is wrong: messages wait until it accepts one.
    """

    channel = "webhook"
    secret_options = frozenset({"secrets"})

    def __init__(
        self,
        *,
        alias: str,
        secrets: Sequence[str],
        url: str = "",
        private_hosts: Sequence[str] = (),
    ) -> None:
        super().__init__(alias=alias)
        if isinstance(secrets, str) or not secrets:
            raise ValueError(_("“secrets” must be a list of at least one secret."))
        self.url = url
        # In lower case and without brackets, as ``urlsplit`` returns them.
        self.private_hosts = frozenset(host.lower().strip("[]") for host in private_hosts)
        self._keys = [_signing_key(secret) for secret in secrets]

    @classmethod
    def address_of(cls, recipient: Mapping[str, str], options: Mapping[str, Any]) -> str:
        return str(recipient.get("webhook") or options.get("url") or "")

    def check_address(self, address: str) -> None:
        self._parse(address)

    def send(self, message: Message) -> Receipt:
        try:
            self._parse(message.to)
        except AddressRefused as error:
            raise PermanentFailure(str(error)) from error
        body = _body(message)
        headers = {
            "Content-Type": "application/json",
            **self._signature_headers(message.id, body),
        }
        response = http.request(
            "POST", message.to, body=body, headers=headers, seconds=WALL_SECONDS, connect=self._dial
        )
        status = response.status
        if response.is_success:
            return Receipt(provider_id=message.id, provider_code=str(status), response={"status": status})
        if status == 410:
            raise PermanentFailure(_("The endpoint is gone."), provider_code="410", suppress="gone")
        if 300 <= status < 400:
            # If the URL of the settings is wrong, all messages wait until it is corrected.
            failure = SetupFailure if message.to == self.url else PermanentFailure
            raise failure(
                _("The endpoint responded with a redirect, which is not followed."), provider_code=str(status)
            )
        if status in http.SETUP_STATUSES and message.to == self.url:
            # The address of the settings, not that of one recipient.
            raise SetupFailure(f"HTTP {status}", provider_code=str(status))
        # The specification asks senders to retry after any status but 2xx, since endpoints are often repaired.
        wait = http.retry_after_seconds(response.headers.get("retry-after"))
        raise TemporaryFailure(f"HTTP {status}", provider_code=str(status), retry_after=wait)

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

    def _dial(self, url: SplitResult, until: float) -> socket.socket:
        host = url.hostname or ""
        try:
            return connect(host, http.port_of(url), until=until, allow_private=host in self.private_hosts)
        except PrivateAddress as error:
            raise PermanentFailure(_("The endpoint's address is not public."), provider_code="private") from error
        except UnicodeError as error:
            raise PermanentFailure(_("The URL has no valid host name.")) from error
        except OSError as error:
            raise TemporaryFailure(_("The endpoint cannot be reached.")) from error


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
        "timestamp": message.created_at.astimezone(UTC).isoformat(),
        "data": {"subject": message.subject, "text": message.text, **message.context},
    }
    return json.dumps(data, separators=(",", ":")).encode()
