"""A local stand-in for Meta: responds and calls the webhook as its documentation shows."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from shop_notify.testing import Transport

NUMBER_ID = "106540352242922"
TOKEN = "EAAJB-token-that-stays-secret"
APP_SECRET = "app-secret-that-stays-secret"
VERIFY_TOKEN = "verify-token-that-stays-secret"
WAMID = "wamid.HBgLMTY1MDM4Nzk0MzkVAgARGBI3N0ExNUQ2NzQ2Nzc0RTg1NUIA"


def error(code, title, details="", **more):
    """The body of https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes."""
    data = {"error_data": {"messaging_product": "whatsapp", "details": details}} if details else {}
    message = {"message": f"(#{code}) {title}", "type": "OAuthException", "code": code, **data, **more}
    return {"error": {**message, "fbtrace_id": "AI5Ob2z72R0JAUB5zOF-nao"}}


THROUGHPUT = "Message failed to send because there were too many messages sent from this phone number"
RESPONSES = {
    "temporary": (503, error(2, "API Service")),
    "permanent": (400, error(131026, "Message undeliverable")),
    "unauthorised": (401, error(190, "Access token has expired")),
    "rate_limit": (400, error(130429, "Rate limit hit", THROUGHPUT)),
    "nonsense": (200, b"<html><title>Facebook</title></html>"),
}


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        if server.mode == "time_out":
            time.sleep(60)
            return
        status, response = server.responses.get(server.mode) or self.accept(body)
        content = response if isinstance(response, bytes) else json.dumps(response).encode()
        self.send_response(status)
        for name, value in server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def accept(self, body):
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            return 401, error(190, "Access token has expired")
        if self.path != f"/v23.0/{NUMBER_ID}/messages":
            return 404, error(2500, "Unknown path components")
        if body["messaging_product"] != "whatsapp" or not body["to"].isdecimal():
            return 400, error(100, "Invalid parameter")
        self.server.messages.append(body)
        contact = {"input": body["to"], "wa_id": body["to"]}
        message = {"id": f"{WAMID}{len(self.server.messages)}", "message_status": "accepted"}
        return 200, {"messaging_product": "whatsapp", "contacts": [contact], "messages": [message]}


class FakeMeta(Transport):
    def __init__(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.mode, self.server.messages = "accept", []
        self.server.responses, self.server.headers = dict(RESPONSES), {}
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True).start()

    def behave(self, mode):
        self.server.mode = mode
        if mode == "refuse":
            self.stop()

    def respond(self, status, content, **headers):
        self.server.mode, self.server.headers = "chosen", headers
        self.server.responses["chosen"] = (status, content)

    def received(self):
        return [{"to": f"+{body['to']}", "text": text_of(body)} for body in self.server.messages]

    @property
    def requests(self):
        return self.server.messages

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def text_of(body):
    if body["type"] == "text":
        return body["text"]["body"]
    return "\n".join(parameter["text"] for part in body["template"]["components"] for parameter in part["parameters"])


def webhook(*statuses, number_id=NUMBER_ID):
    """The body of https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks."""
    metadata = {"display_phone_number": "15550783881", "phone_number_id": number_id}
    value = {"messaging_product": "whatsapp", "metadata": metadata, "statuses": list(statuses)}
    change = {"value": value, "field": "messages"}
    return {"object": "whatsapp_business_account", "entry": [{"id": "102290129340398", "changes": [change]}]}


def status(name, provider_id=WAMID, *errors, recipient="254711000001"):
    pricing = {"billable": True, "pricing_model": "PMP", "type": "regular", "category": "utility"}
    more = {"errors": list(errors)} if errors else {"pricing": pricing}
    return {"id": provider_id, "status": name, "timestamp": "1750263773", "recipient_id": recipient, **more}


def signature(body, secret=APP_SECRET):
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
