from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.core.management import call_command
from shop_notify.exceptions import PermanentFailure, TemporaryFailure
from shop_notify.notifiers import get_notifier
from shop_notify.testing import NotifierContract, Transport
from shop_notify_telegram import TelegramNotifier

TOKEN = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
CHAT = "123456789"

RESPONSES = {
    "accept": (200, {"ok": True, "result": {"message_id": 1}}),
    "temporary": (502, {"ok": False, "error_code": 502, "description": "Bad Gateway"}),
    "permanent": (400, {"ok": False, "error_code": 400, "description": "Bad Request: chat not found"}),
    "blocked": (403, {"ok": False, "error_code": 403, "description": "Forbidden: bot was blocked by the user"}),
    "unauthorised": (401, {"ok": False, "error_code": 401, "description": "Unauthorized"}),
    "rate_limit": (
        429,
        {"ok": False, "error_code": 429, "description": "Too Many Requests", "parameters": {"retry_after": 7}},
    ),
}


class Bot(BaseHTTPRequestHandler):
    """Responds as https://core.telegram.org/bots/api#making-requests describes."""

    def log_message(self, *args):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        if server.mode == "time_out":
            time.sleep(60)
            return
        status, response = RESPONSES.get(server.mode, (200, None))
        if self.path != f"/bot{TOKEN}/sendMessage":
            status, response = 401, {"ok": False, "error_code": 401, "description": "Unauthorized"}
        elif server.mode == "accept":
            server.messages.append(body)
            response = {"ok": True, "result": {"message_id": len(server.messages), "chat": {"id": body["chat_id"]}}}
        content = b"<html>" if response is None else json.dumps(response).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class FakeTelegram(Transport):
    def __init__(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Bot)
        self.server.daemon_threads = True
        self.server.mode, self.server.messages = "accept", []
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def behave(self, mode):
        self.server.mode = mode
        if mode == "refuse":
            self.stop()

    def received(self):
        return [{"to": message["chat_id"], "text": message["text"]} for message in self.server.messages]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class TestTelegram(NotifierContract):
    notifier_class = TelegramNotifier
    address = CHAT
    bad_addresses = ("", "nobody", "+254711000001", "12 34", "123456789\n")

    @pytest.fixture
    def transport(self, monkeypatch):
        monkeypatch.setattr(TelegramNotifier, "timeout_seconds", 1.0)
        telegram = FakeTelegram()
        yield telegram
        telegram.stop()

    @pytest.fixture
    def options(self, transport):
        return {"token": TOKEN, "base_url": transport.url}

    def test_wait_of_the_rate_limit_is_passed_on(self, notifier, transport):
        transport.behave("rate_limit")
        with pytest.raises(TemporaryFailure) as caught:
            notifier.send(self.message())
        assert caught.value.retry_after == 7

    def test_user_who_has_blocked_the_bot_is_left_alone(self, notifier, transport):
        transport.behave("blocked")
        with pytest.raises(PermanentFailure) as caught:
            notifier.send(self.message())
        assert caught.value.suppress == "stop"


def test_name_of_the_entry_point_is_enough_in_the_settings(capsys):
    assert isinstance(get_notifier("telegram"), TelegramNotifier)
    call_command("list_notifiers")
    assert "telegram  (shop_notify_telegram:TelegramNotifier)" in capsys.readouterr().out
