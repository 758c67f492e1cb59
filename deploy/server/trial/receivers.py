"""A mail server and an SMS gateway that keep the messages they receive."""

from __future__ import annotations

import json
import secrets
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from aiosmtpd.controller import Controller

from trial.tools import free_port


class Mailbox:
    """A mail server that keeps the recipients, the subject and the text of each message."""

    def __init__(self) -> None:
        self.received: list[tuple[str, str]] = []
        self.port = free_port()
        self.controller = Controller(self, hostname="127.0.0.1", port=self.port)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        message = message_from_bytes(envelope.content, policy=policy.default)
        text = message.get_body(("plain",))
        words = f"{message['subject']} {text.get_content() if text else ''}"
        self.received += [(address, words) for address in envelope.rcpt_tos]
        return "250 OK"


class Gateway(ThreadingHTTPServer):
    """An SMS gateway with the documented responses of Africa's Talking that keeps each phone number and text."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), GatewayHandler)
        self.received: list[tuple[str, str]] = []


class GatewayHandler(BaseHTTPRequestHandler):
    server: Gateway

    def do_POST(self) -> None:
        fields = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        phone = fields["to"][0]
        self.server.received.append((phone, fields["message"][0]))
        recipient = {"statusCode": 101, "number": phone, "status": "Success", "cost": "KES 0.8000", "messageParts": 1}
        recipient["messageId"] = f"ATXid_{secrets.token_hex(8)}"
        body = json.dumps({"SMSMessageData": {"Message": "Sent to 1/1", "Recipients": [recipient]}}).encode()
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        """No access log."""
