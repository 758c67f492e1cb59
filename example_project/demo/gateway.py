"""A local SMS gateway with the documented responses of Africa's Talking, and delivery reports for each message.

Response: https://developers.africastalking.com/docs/sms/sending/bulk (201, ``SMSMessageData.Recipients``).
Report: https://developers.africastalking.com/docs/sms/notifications (a form, POSTed to the callback URL).
"""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from django.db import close_old_connections
from django.utils import timezone

from demo.models import Switch, Text

PRICE_PER_SEGMENT = Decimal("0.80")
REPORT_AFTER_SECONDS = 1.0
REPORT_ATTEMPTS = 5
FAIL_NEXT = "fail_next_sms"
GSM = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà^{}\\[~]|€"
)
"""The characters of GSM 03.38; any other character makes the whole message UCS-2."""
GSM_DOUBLE = set("^{}\\[~]|€")


def segments(text: str) -> int:
    """The number of SMS segments of a text (3GPP TS 23.038)."""
    if set(text) <= GSM:
        length, single, part = len(text) + sum(character in GSM_DOUBLE for character in text), 160, 153
    else:
        length, single, part = len(text.encode("utf-16-be")) // 2, 70, 67
    return 1 if length <= single else -(-length // part)


def accept(fields: dict[str, str]) -> dict[str, Any]:
    """Save a message for each number and return the gateway's response."""
    recipients: list[dict[str, Any]] = []
    for phone in fields.get("to", "").split(","):
        count = segments(fields.get("message", ""))
        text = Text.objects.create(
            message_id=f"ATXid_{uuid.uuid4().hex}",
            sender=fields.get("from", ""),
            phone=phone,
            text=fields.get("message", ""),
            segments=count,
            cost=f"KES {PRICE_PER_SEGMENT * count:.4f}",
        )
        recipients.append(
            {
                "statusCode": 101,
                "number": phone,
                "status": "Success",
                "cost": text.cost,
                "messageId": text.message_id,
                "messageParts": count,
            }
        )
    total = sum((Decimal(recipient["cost"].split()[1]) for recipient in recipients), Decimal(0))
    message = f"Sent to {len(recipients)}/{len(recipients)} Total Cost: KES {total:.4f}"
    return {"SMSMessageData": {"Message": message, "Recipients": recipients}}


def report(message_id: str, callback_url: str) -> None:
    """Send the delivery report of a message after a second, and again until the shop accepts it."""
    close_old_connections()
    try:
        text = Text.objects.get(message_id=message_id)
        failed = bool(Switch.objects.filter(name=FAIL_NEXT).delete()[0])
        fields = {
            "id": text.message_id,
            "status": "Failed" if failed else "Success",
            "phoneNumber": text.phone,
            "networkCode": "63902",
            "retryCount": "0",
            **({"failureReason": "AbsentSubscriber"} if failed else {}),
        }
        for attempt in range(REPORT_ATTEMPTS):
            time.sleep(REPORT_AFTER_SECONDS * (attempt + 1))
            if _post(callback_url, fields):
                text.report, text.reported_at = fields["status"], timezone.now()
                text.save(update_fields=["report", "reported_at"])
                return
    finally:
        close_old_connections()


def _post(url: str, fields: dict[str, str]) -> bool:
    request = urllib.request.Request(url, urllib.parse.urlencode(fields).encode())  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


class Handler(BaseHTTPRequestHandler):
    callback_url: str

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if not self.path.rstrip("/").endswith("/messaging") or not self.headers.get("apiKey"):
            self._respond(401, b"The supplied authentication is invalid", "text/plain")
            return
        close_old_connections()
        try:
            response = accept(dict(urllib.parse.parse_qsl(body)))
        finally:
            close_old_connections()
        self._respond(201, json.dumps(response).encode(), "application/json")
        for recipient in response["SMSMessageData"]["Recipients"]:
            threading.Thread(target=report, args=(recipient["messageId"], self.callback_url), daemon=True).start()

    def _respond(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """No access log: the inbox page shows the messages."""


def server(host: str, port: int, *, callback_url: str) -> ThreadingHTTPServer:
    handler = type("Handler", (Handler,), {"callback_url": callback_url})
    return ThreadingHTTPServer((host, port), handler)
