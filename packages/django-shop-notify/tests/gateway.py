"""A local HTTP server with the documented responses of Africa's Talking, and with malformed ones."""

from __future__ import annotations

import gzip
import json
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs


class Gateway(ThreadingHTTPServer):
    """``requests`` are the posted forms; ``mode`` selects the next responses, ``code`` the recipient's status."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port=0):
        super().__init__(("127.0.0.1", port), _Handler)
        self.requests = []
        self.headers = []
        self.paths = []
        self.accepted = []
        self.mode = "accept"
        self.code = 101
        self.balance = "KES 1785.50"
        self.lock = threading.Lock()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *exc_info):
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        """Some modes break the connection on purpose."""


STATUS = {
    100: "Processed",
    101: "Success",
    102: "Queued",
    401: "RiskHold",
    402: "InvalidSenderId",
    403: "InvalidPhoneNumber",
    404: "UnsupportedNumberType",
    405: "InsufficientBalance",
    406: "UserInBlacklist",
    407: "CouldNotRoute",
    409: "DoNotDisturbRejection",
    500: "InternalServerError",
    501: "GatewayError",
    502: "RejectedByGateway",
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_POST(self):
        form = {
            key: values[0]
            for key, values in parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()).items()
        }
        server = self.server
        with server.lock:
            server.requests.append(form)
            server.headers.append(dict(self.headers))
            server.paths.append(self.path)
            number = len(server.requests)
        getattr(self, f"respond_{server.mode}")(form, number)

    def do_GET(self):
        """The application data: https://developers.africastalking.com/docs/application."""
        server = self.server
        with server.lock:
            server.paths.append(self.path)
            server.headers.append(dict(self.headers))
        if server.mode == "accept":
            self._send(200, json.dumps({"UserData": {"balance": server.balance}}).encode(), "application/json")
        else:
            getattr(self, f"respond_{server.mode}")({"to": ""}, 1)

    def respond_accept(self, form, number):
        self._json(self._body(form, number))

    def respond_charset(self, form, number):
        self._json(self._body(form, number), content_type="application/json; charset=utf-8")

    def respond_shouting(self, form, number):
        self._json(self._body(form, number), content_type="Application/JSON")

    def respond_no_recipients(self, form, number):
        self._json({"SMSMessageData": {"Message": "InvalidSenderId", "Recipients": []}})

    def respond_bad_number(self, form, number):
        self.server.code = 403
        self._json(self._body(form, number))
        self.server.code = 101

    def respond_unauthorised(self, form, number):
        self._send(401, b"The supplied authentication is invalid", "text/plain")

    def respond_too_many(self, form, number):
        self._send(429, b"slow down", "text/plain", {"Retry-After": "120"})

    def respond_error_html(self, form, number):
        self._send(500, b"<h1>Internal error</h1>", "text/html")

    def respond_error_json(self, form, number):
        self._send(503, b'{"error": "maintenance"}', "application/json")

    def respond_portal(self, form, number):
        self._send(200, b"<html>Log in to the hotel network</html>", "text/html")

    def respond_empty(self, form, number):
        self._send(200, b"", "application/json")

    def respond_broken_json(self, form, number):
        self._send(200, b'{"SMSMessageData": {"Rec', "application/json")

    def respond_array(self, form, number):
        self._send(200, b"[1, 2]", "application/json")

    def respond_redirect(self, form, number):
        self._send(302, b"", "text/plain", {"Location": f"{self.server.url}/elsewhere"})

    def respond_reset(self, form, number):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.rfile.close()
        self.connection.close()

    def respond_truncated(self, form, number):
        body = json.dumps(self._body(form, number)).encode()
        self._head(201, "application/json", len(body) + 500)
        self.wfile.write(body)
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)

    def respond_silence(self, form, number):
        time.sleep(60)

    def respond_drip(self, form, number):
        self._head(200, "application/json", 10_000)
        for _ in range(60):
            self.wfile.write(b" ")
            self.wfile.flush()
            time.sleep(1)

    def respond_slow_headers(self, form, number):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        for _ in range(60):
            self.wfile.write(b".")
            self.wfile.flush()
            time.sleep(0.2)

    def respond_huge(self, form, number):
        self._head(200, "text/plain", 50 * 1024 * 1024)
        for _ in range(50):
            self.wfile.write(b"x" * 1024 * 1024)

    def respond_bomb(self, form, number):
        self._send(200, gzip.compress(b"0" * 50 * 1024 * 1024), "application/json", {"Content-Encoding": "gzip"})

    def _body(self, form, number):
        code = self.server.code
        accepted = code < 200
        if accepted:
            self.server.accepted.append(form)
        recipient = {
            "statusCode": code,
            "number": form["to"],
            "status": STATUS.get(code, "?"),
            "cost": "KES 0.8000" if accepted else "0",
            "messageId": f"ATXid_{number}" if accepted else "None",
            "messageParts": 1 if accepted else 0,
        }
        said = f"Sent to {int(accepted)}/1 Total Cost: KES 0.8000"
        return {"SMSMessageData": {"Message": said, "Recipients": [recipient]}}

    def _json(self, body, content_type="application/json"):
        self._send(201, json.dumps(body).encode(), content_type)

    def _send(self, status, body, content_type, headers=()):
        self._head(status, content_type, len(body), headers)
        self.wfile.write(body)

    def _head(self, status, content_type, length, headers=()):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(length))
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.end_headers()
