"""The official SDK, with a transport that keeps the HTTP status, follows no redirect and limits the response."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

import requests
from africastalking.Application import ApplicationService
from africastalking.SMS import SMSService
from africastalking.Whatsapp import WhatsappService
from shop_core.connections import Deadline
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError

from shop_notify.exceptions import TemporaryFailure, UnknownOutcome
from shop_notify.notifiers.http import MAX_RESPONSE_BYTES

WALL_SECONDS = 15.0
TIMEOUT_SECONDS = (3.05, 9.05)
"""Limits for connecting, and for the time between two bytes: those of the SDK."""


@dataclass(frozen=True)
class Response:
    """An HTTP response, as the SDK's ``send`` returns it with this transport."""

    status: int
    text: str
    retry_after: str | None = None


class _Transport:
    """Replaces the SDK's ``_make_request``, which loses the status and reads without a limit."""

    def _make_request(
        self,
        url: str,
        method: str,
        headers: Any,
        data: Any,
        params: Any,
        callback: Any = None,  # noqa: ARG002
        timeout: Any = None,  # noqa: ARG002
    ) -> Response:
        until = time.monotonic() + WALL_SECONDS
        try:
            with (
                requests.Session() as session,
                _with_deadline(session).request(
                    method,
                    url,
                    headers={**headers, "Accept-Encoding": "identity"},
                    data=data,
                    params=params,
                    timeout=TIMEOUT_SECONDS,
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                body = _read(response, until)
                return Response(
                    response.status_code, body.decode("utf-8", "replace"), response.headers.get("Retry-After")
                )
        except requests.exceptions.ConnectTimeout as error:
            raise TemporaryFailure("The gateway cannot be reached.", provider_code="connect_timeout") from error
        except requests.exceptions.SSLError as error:
            raise TemporaryFailure("No secure connection to the gateway.", provider_code="tls") from error
        except requests.exceptions.ReadTimeout as error:
            raise UnknownOutcome("The gateway did not respond in time.", provider_code="read_timeout") from error
        except requests.exceptions.ConnectionError as error:
            if isinstance(getattr(error.args[0] if error.args else None, "reason", None), NewConnectionError):
                raise TemporaryFailure("The gateway cannot be reached.", provider_code="refused") from error
            raise UnknownOutcome("The connection to the gateway broke.", provider_code="broken") from error
        except requests.exceptions.RequestException as error:
            raise UnknownOutcome("The gateway's response was cut off.", provider_code="broken") from error


class _LimitedConnection:
    """A connection that is closed after ``WALL_SECONDS``, also in the middle of the headers."""

    sock: Any
    _deadline: Deadline | None = None

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        self._deadline = Deadline(self.sock, WALL_SECONDS)

    def close(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        super().close()  # type: ignore[misc]


class _LimitedHTTPConnection(_LimitedConnection, HTTPConnection):
    pass


class _LimitedHTTPSConnection(_LimitedConnection, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _LimitedHTTPConnection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _LimitedHTTPSConnection


def _with_deadline(session: requests.Session) -> requests.Session:
    adapter = requests.adapters.HTTPAdapter()
    adapter.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _read(response: requests.Response, until: float) -> bytes:
    """The body, read byte by byte, so that a slow response cannot take longer than ``WALL_SECONDS``."""
    body = bytearray()
    for chunk in response.iter_content(1):
        body += chunk
        if len(body) > MAX_RESPONSE_BYTES:
            raise UnknownOutcome("The gateway's response is too long.", provider_code="too_long")
        if time.monotonic() > until:
            raise UnknownOutcome("The gateway's response took too long.", provider_code="too_slow")
    return bytes(body)


class SmsClient(_Transport, SMSService):
    """``SMSService`` for one account; ``base_url`` selects another host, for tests."""

    def __init__(self, username: str, api_key: str, *, base_url: str = "") -> None:
        self._own_url = base_url.rstrip("/")
        super().__init__(username, api_key)

    def _init_service(self) -> None:
        super()._init_service()
        if self._own_url:
            self._baseUrl = self._contentUrl = f"{self._own_url}/version1"


class AccountClient(_Transport, ApplicationService):
    """``ApplicationService`` for one account; ``base_url`` as for ``SmsClient``."""

    def __init__(self, username: str, api_key: str, *, base_url: str = "") -> None:
        self._own_url = base_url.rstrip("/")
        super().__init__(username, api_key)

    def _init_service(self) -> None:
        super()._init_service()
        if self._own_url:
            self._baseUrl = f"{self._own_url}/version1"


class WhatsappClient(_Transport, WhatsappService):
    """``WhatsappService`` for one account; ``base_url`` as for ``SmsClient``."""

    def __init__(self, username: str, api_key: str, *, base_url: str = "") -> None:
        self._own_url = base_url.rstrip("/")
        super().__init__(username, api_key)

    def _init_service(self) -> None:
        super()._init_service()
        if self._own_url:
            self._baseUrl = self._own_url

    def send_approved(self, template_id: str, values: list[str], wa_number: str, phone_number: str) -> Response:
        """Send an approved template with its values, which ``send`` of SDK 2.0 cannot do."""
        body = {"templateId": template_id, "bodyValues": values}
        data = {"username": self._username, "waNumber": wa_number, "phoneNumber": phone_number, "body": body}
        headers = {**self._headers, "Content-Type": "application/json"}
        url = self._make_url("/whatsapp/message/send")
        return self._make_request(url, "POST", headers, json.dumps(data), None)
