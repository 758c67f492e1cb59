from __future__ import annotations

import gzip
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.core.management import call_command
from shop_notify.exceptions import PermanentFailure, SetupFailure, TemporaryFailure, UnknownOutcome
from shop_notify.notifiers import Message, get_notifier
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
        status, response = server.chosen or RESPONSES.get(server.mode, (200, None))
        if self.path != f"/bot{TOKEN}/sendMessage":
            status, response = 401, {"ok": False, "error_code": 401, "description": "Unauthorized"}
        elif server.mode == "accept":
            server.messages.append(body)
            response = {"ok": True, "result": {"message_id": len(server.messages), "chat": {"id": body["chat_id"]}}}
        content = response if isinstance(response, bytes) else json.dumps(response).encode()
        content = b"<html>" if response is None else content
        self.send_response(status)
        for name, value in server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class FakeTelegram(Transport):
    def __init__(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Bot)
        self.server.daemon_threads = True
        self.server.mode, self.server.messages = "accept", []
        self.server.chosen, self.server.headers = None, {}
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def behave(self, mode):
        self.server.mode = mode
        if mode == "refuse":
            self.stop()

    def respond(self, status, content, **headers):
        self.server.mode, self.server.chosen, self.server.headers = "chosen", (status, content), headers

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


def refused(code, description="no", **more):
    return {"ok": False, "error_code": code, "description": description, **more}


HTML = b"<html><title>Telegram</title></html>"
ODD = [
    # HTTP status, body, headers, failure, code, seconds to wait
    *((200, body, {}, UnknownOutcome, "200", None) for body in (HTML, b"", b"[]", b"[" * 60_000, b"{" * 60_000)),
    *((200, {"ok": True, "result": result}, {}, UnknownOutcome, "200", None) for result in (None, [], {}, "1", 1)),
    *(
        (200, {"ok": True, "result": {"message_id": one}}, {}, UnknownOutcome, "200", None)
        for one in (None, "1", True)
    ),
    (200, {"ok": True}, {}, UnknownOutcome, "200", None),
    (200, {"ok": "true", "result": {"message_id": 1}}, {}, UnknownOutcome, "200", None),
    (200, gzip.compress(b'{"ok": true}'), {"Content-Encoding": "gzip"}, UnknownOutcome, "200", None),
    (200, b'{"ok":true,"result":{"message_id":1},"x":"' + b"x" * 100_000 + b'"}', {}, UnknownOutcome, "200", None),
    (200, refused(400), {}, PermanentFailure, "400", None),
    (200, refused(429, parameters={"retry_after": 7}), {}, TemporaryFailure, "429", 7),
    (200, refused("x"), {}, PermanentFailure, "200", None),
    (429, refused(429, parameters=None), {"Retry-After": "9"}, TemporaryFailure, "429", 9),
    (429, refused(429, parameters=[]), {}, TemporaryFailure, "429", None),
    (429, refused(429, parameters={"retry_after": "7"}), {}, TemporaryFailure, "429", 7),
    (429, refused(429, parameters={"retry_after": "soon"}), {"Retry-After": "9"}, TemporaryFailure, "429", 9),
    (429, refused(429, parameters={"retry_after": [7]}), {}, TemporaryFailure, "429", None),
    (429, refused(429, parameters={"retry_after": -7}), {}, TemporaryFailure, "429", None),
    (429, b'{"ok":false,"parameters":{"retry_after":Infinity}}', {}, TemporaryFailure, "429", None),
    (429, b'{"ok":false,"parameters":{"retry_after":NaN}}', {}, TemporaryFailure, "429", None),
    (429, HTML, {"Retry-After": "11"}, TemporaryFailure, "429", 11),
    (429, HTML, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, TemporaryFailure, "429", 0),
    (429, HTML, {"Retry-After": "in a minute"}, TemporaryFailure, "429", None),
    (503, HTML, {}, TemporaryFailure, "503", None),
    *((status, HTML, {}, SetupFailure, str(status), None) for status in (301, 302, 307, 401, 403, 404, 407)),
    (302, refused(302), {"Location": "http://127.0.0.1/"}, SetupFailure, "302", None),
    (400, HTML, {}, PermanentFailure, "400", None),
    (400, refused(400, description=["a"]), {}, PermanentFailure, "400", None),
]


@pytest.mark.parametrize(("status", "body", "headers", "failure", "code", "wait"), ODD)
def test_unexpected_responses_have_the_right_outcome(odd, status, body, headers, failure, code, wait):
    notifier, telegram = odd
    telegram.respond(status, body, **headers)
    with pytest.raises(failure) as caught:
        notifier.send(Message(id="m-1", event="e", to=CHAT, text="Hello"))
    assert type(caught.value) is failure
    assert (caught.value.provider_code, getattr(caught.value, "retry_after", None)) == (code, wait)


def test_any_success_with_an_id_is_a_receipt(odd):
    notifier, telegram = odd
    telegram.respond(201, {"ok": True, "result": {"message_id": 5}})
    assert notifier.send(Message(id="m-1", event="e", to=CHAT, text="Hello")).provider_id == f"{CHAT}:5"


def test_user_who_has_never_written_to_the_bot_is_not_suppressed(odd):
    notifier, telegram = odd
    telegram.respond(403, refused(403, "Forbidden: bot can't initiate conversation with a user"))
    with pytest.raises(PermanentFailure) as caught:
        notifier.send(Message(id="m-1", event="e", to=CHAT, text="Hello"))
    assert caught.value.suppress == ""


@pytest.fixture(scope="module")
def odd():
    telegram = FakeTelegram()
    yield TelegramNotifier(alias="telegram", token=TOKEN, base_url=telegram.url), telegram
    telegram.stop()


def test_name_of_the_entry_point_is_enough_in_the_settings(capsys):
    assert isinstance(get_notifier("telegram"), TelegramNotifier)
    call_command("list_notifiers")
    assert "telegram  (shop_notify_telegram:TelegramNotifier)" in capsys.readouterr().out
