"""Stand-ins for the service behind a payment provider, for ``PaymentProviderContract``."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any, ClassVar, Literal, Self
from urllib.parse import parse_qsl, urlsplit

from django.http import HttpRequest
from django.test import RequestFactory

from shop_orders.payment_providers import signatures
from shop_orders.payment_providers.base import PaymentStart

Mode = Literal["accept", "declined", "unavailable", "expired_token", "nonsense", "lost", "time_out", "unreachable"]

MODES: Mapping[Mode, str] = {
    "declined": "The service refuses a new payment or refund, and does nothing.",
    "unavailable": "It responds with 503, and does nothing.",
    "expired_token": "It refuses the credentials as its documentation says for an expired token, and does nothing. "
    "A token that was refused is refused for ever.",
    "nonsense": "It responds with the status 200 and something else, such as a page of HTML, and does nothing.",
    "lost": "It does what was asked, and closes the connection without a response.",
    "time_out": "It does what was asked, and does not respond before the provider gives up.",
    "unreachable": "There is no connection.",
}
"""How a service can fail. ``accept`` is none of them: the service works."""


@dataclass(frozen=True, kw_only=True)
class ServicePayment:
    """A payment that the service was asked for.

    ``amount`` is in the currency's main unit. A service that counts in cents converts it by the rules of its own
    documentation, not by the provider's code, so that a wrong unit is found.
    """

    reference: str
    amount: Decimal
    currency: str
    key: str = ""
    """The idempotency key that came with the request."""


@dataclass(frozen=True, kw_only=True)
class ServiceRefund:
    """Money that the service sent back. ``payment`` is the reference of the payment."""

    reference: str
    payment: str
    amount: Decimal
    currency: str
    key: str = ""


class PaymentService:
    """A stand-in for the service behind a payment provider, with its own records. Subclass it, or LocalPaymentService,
    which is a server.

    A service that cannot do something raises NotImplementedError there: the checks that need it are skipped, and say
    so. ``behave``, ``requested``, ``pay``, ``fail`` and ``refunds`` are always needed.
    """

    def behave(self, mode: Mode) -> None:
        """Respond in this way from now on: ``accept``, or one of MODES."""
        raise NotImplementedError

    def requested(self) -> Sequence[ServicePayment]:
        """The payments that it was asked for, in order. A request repeated with the same key is one payment."""
        raise NotImplementedError

    def pay(self, reference: str, *, amount: Decimal | None = None) -> None:
        """The customer pays: what was asked for, or another amount."""
        raise NotImplementedError

    def fail(self, reference: str) -> None:
        """The payment fails, and can no longer be paid."""
        raise NotImplementedError

    def refunds(self) -> Sequence[ServiceRefund]:
        """The money that it sent back, in order. Empty for a provider with ``refunds_by_hand``."""
        raise NotImplementedError

    def authorise(self, reference: str) -> None:
        """The customer allows the amount, which is captured later."""
        raise NotImplementedError

    def fail_refund(self, reference: str) -> None:
        """A refund, by its own reference, does not arrive."""
        raise NotImplementedError

    def refund_elsewhere(self, reference: str, amount: Decimal) -> None:
        """Staff send money back on the service's own pages."""
        raise NotImplementedError

    def webhook(
        self, kind: str, reference: str, *, amount: Decimal | None = None, currency: str = "", event_id: str = "evt-1"
    ) -> HttpRequest:
        """The call that the service makes: ``kind`` is captured, failed, refunded or refund_failed.

        ``amount`` is in the currency's main unit; None leaves it out of the call. ``event_id`` is the service's id of
        the event, if its calls have one.
        """
        raise NotImplementedError

    def incoming(self, receipt: str, *, amount: Decimal, currency: str, account: str) -> HttpRequest:
        """The call about money that a customer sent by hand, such as to a till, and that the shop did not ask for."""
        raise NotImplementedError

    def state(self, started: PaymentStart) -> Mapping[str, Any]:
        """The ``state`` that the provider's methods receive: the ``data`` that ``start`` returned."""
        return dict(started.data)


class LocalPaymentService(PaymentService):
    """A stand-in on a local server at ``url``: ``with MyService() as service``. Its subclass writes ``respond`` and
    keeps the records; the modes are built in.

    If ``respond`` raises an error, the provider gets a 500, and the test fails with that error at the end.
    """

    declined: ClassVar[tuple[int, Any]] = (402, {"error": "declined"})
    expired_token: ClassVar[tuple[int, Any]] = (401, {"error": "expired token"})
    """Status and body of the responses in the modes of the same names, as the service's documentation says."""
    token_path: ClassVar[str] = ""
    """The path that issues tokens, if there is one. It works unless the service is unavailable or unreachable."""

    def __init__(self) -> None:
        self.mode: Mode = "accept"
        self.port = 0
        self._released = Event()
        self._error: Exception | None = None

    def respond(self, method: str, path: str, body: Mapping[str, Any], headers: Message) -> tuple[int, Any]:
        """Process the request, and return status and JSON. ``body`` has the values of the JSON, the form or the query;
        ``headers`` ignores case."""
        raise NotImplementedError

    def behave(self, mode: Mode) -> None:
        self._released.set()
        self._released = Event()
        if self.mode == "unreachable":
            self._start()
        self.mode = mode
        if mode == "unreachable":
            self._stop()

    @property
    def url(self) -> str:
        """The base URL of the local server, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, *error: object) -> None:
        self._released.set()
        if self.mode != "unreachable":
            self._stop()
        if self._error is not None:
            raise AssertionError(f"`respond` of the stand-in {type(self).__name__} failed.") from self._error

    def _start(self) -> None:
        service = self

        class Handler(BaseHTTPRequestHandler):
            def respond(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                service._handle(self, raw)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = respond  # noqa: N815 - named by http.server

            def log_message(self, *arguments: Any) -> None:
                """Silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads, self._server.block_on_close = True, False
        self.port = self._server.server_port
        Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def _stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handle(self, handler: BaseHTTPRequestHandler, raw: bytes) -> None:
        mode, released = self.mode, self._released
        if urlsplit(handler.path).path == self.token_path and mode != "unavailable":
            mode = "accept"
        status, content = self._response(mode, handler, raw)
        if mode == "time_out":
            released.wait(30)
        if mode in ("lost", "time_out"):
            handler.close_connection = True
            return
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    def _response(self, mode: Mode, handler: BaseHTTPRequestHandler, raw: bytes) -> tuple[int, bytes]:
        if mode == "nonsense":
            return 200, b"<html>Welcome</html>"
        if mode == "unavailable":
            return 503, b'{"error": "unavailable"}'
        if mode == "expired_token" or (mode == "declined" and handler.command != "GET"):
            status, response = getattr(self, mode)
        else:
            url = urlsplit(handler.path)
            if raw and "json" in handler.headers.get("Content-Type", ""):
                body = json.loads(raw)
            else:
                body = dict(parse_qsl(raw.decode() or url.query))
            return self._respond(handler.command, url.path, body, handler.headers)
        return status, json.dumps(response).encode()

    def _respond(self, *request: Any) -> tuple[int, bytes]:
        try:
            status, response = self.respond(*request)
            return status, json.dumps(response).encode()
        except Exception as error:  # noqa: BLE001 - raised at the end, in the thread of the test
            self._error = self._error or error
            return 500, b'{"error": "a fault of the stand-in"}'


def signed_call(body: Mapping[str, Any], secret: str, *, event_id: str = "evt-1") -> HttpRequest:
    """A call with this JSON, signed now as https://www.standardwebhooks.com describes."""
    content, now = json.dumps(body).encode(), int(time.time())
    signature = signatures.sign(secret, message_id=event_id, timestamp=now, body=content)
    headers = {"webhook-id": event_id, "webhook-timestamp": str(now), "webhook-signature": signature}
    return RequestFactory(headers=headers).post("/", content, content_type="application/json")
