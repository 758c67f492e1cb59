"""Every notifier that ships passes the published kit."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from conftest import use_smtp
from gateway import Gateway
from shop_notify.notifiers import (
    AfricasTalkingNotifier,
    AfricasTalkingWhatsAppNotifier,
    ConsoleNotifier,
    EmailNotifier,
    MemoryNotifier,
    SetupFailure,
    TemporaryFailure,
    WebhookNotifier,
    webhook,
)
from shop_notify.testing import NotifierContract, ReportContract, Transport

PHONE = "+254711000001"


class SmsTransport(Transport):
    MODES = {
        "accept": "accept",
        "temporary": "error_html",
        "permanent": "bad_number",
        "unauthorised": "unauthorised",
        "rate_limit": "too_many",
        "time_out": "silence",
        "nonsense": "portal",
    }

    def __init__(self, gateway):
        self.gateway = gateway

    def behave(self, mode):
        if mode == "refuse":
            self.gateway.shutdown()
            self.gateway.server_close()
        else:
            self.gateway.mode = self.MODES[mode]

    def received(self):
        return [{"to": form["to"], "text": form["message"]} for form in self.gateway.accepted]


class TestAfricasTalking(ReportContract, NotifierContract):
    notifier_class = AfricasTalkingNotifier
    address = PHONE
    bad_addresses = ("0711000001", "+254711000001\n", "", "+14155552671", "+8816212345678")

    @pytest.fixture
    def transport(self, short_time_outs):
        with Gateway() as gateway:
            yield SmsTransport(gateway)

    @pytest.fixture
    def options(self, transport):
        pytest.importorskip("africastalking")
        return {
            "username": "duka",
            "api_key": "atsk_secret_key_1",
            "base_url": transport.gateway.url,
            "report_secret": "report-secret-1",
        }

    def report(self, *, provider_id, address):
        return self.post({"id": provider_id, "status": "Success", "phoneNumber": address}, secret="report-secret-1")

    def forged_reports(self, *, provider_id, address):
        form = {"id": provider_id, "status": "Success", "phoneNumber": address}
        return [
            self.post(form),
            self.post(form, secret="report-secret-2"),
            self.post({}, secret="report-secret-1"),
            self.post({**form, "status": "Excellent"}, secret="report-secret-1"),
        ]


class _Chat(BaseHTTPRequestHandler):
    """Africa's Talking's WhatsApp endpoint, and a webhook's."""

    protocol_version = "HTTP/1.1"
    STATUS = {
        "accept": 200,
        "temporary": 503,
        "permanent": 400,
        "rate_limit": 429,
        "unauthorised": 401,
        "nonsense": 200,
    }

    def log_message(self, *args):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server = self.server
        if server.mode == "time_out":
            time.sleep(60)
            return
        if server.mode == "accept":
            server.requests.append((self.path, dict(self.headers), json.loads(body)))
        response = {"messageId": f"ATXid_{len(server.requests)}", "phoneNumber": PHONE, "status": "SENT"}
        content = b"<html>" if server.mode == "nonsense" else json.dumps(response).encode()
        self.send_response(410 if server.mode == "gone" else self.STATUS[server.mode])
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class ChatTransport(Transport):
    def __init__(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _Chat)
        self.server.daemon_threads = True
        self.server.mode, self.server.requests = "accept", []
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def behave(self, mode):
        if mode == "refuse":
            self.server.shutdown()
            self.server.server_close()
        else:
            self.server.mode = mode

    def received(self):
        return [
            {"to": body["phoneNumber"], "text": body["body"]["message"]}
            for _path, _headers, body in self.server.requests
        ]

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *exc_info):
        self.server.shutdown()
        self.server.server_close()


class TestWhatsApp(NotifierContract):
    notifier_class = AfricasTalkingWhatsAppNotifier
    address = PHONE
    bad_addresses = ("0711000001", "+14155552671")

    @pytest.fixture
    def transport(self, short_time_outs):
        with ChatTransport() as transport:
            yield transport

    @pytest.fixture
    def options(self, transport):
        return {
            "username": "duka",
            "api_key": "atsk_secret_key_1",
            "wa_number": "+254711000000",
            "base_url": transport.url,
        }

    def test_approved_template_is_sent_by_id_with_values_of_the_payload(self, transport, options):
        templates = {"order_placed": {"id": "t-7", "values": ["order.number", "order.total", "no.such"]}}
        notifier = AfricasTalkingWhatsAppNotifier(alias="wa", **options, templates=templates)
        context = {"order": {"number": "K7Q", "total": "10.00"}}
        receipt = notifier.send(self.message(event="order_placed", context=context))
        assert receipt.provider_id == "ATXid_1"
        (_path, headers, body) = transport.server.requests[0]
        assert body["body"] == {"templateId": "t-7", "bodyValues": ["K7Q", "10.00", ""]}
        assert headers["apiKey"] == "atsk_secret_key_1"


class WebhookTransport(ChatTransport):
    def behave(self, mode):
        super().behave("gone" if mode == "permanent" else mode)

    def received(self):
        return [
            {"to": self.url + path, "text": body["data"]["text"], "key": headers["webhook-id"]}
            for path, headers, body in self.server.requests
        ]


class TestWebhook(NotifierContract):
    notifier_class = WebhookNotifier
    modes = frozenset({"temporary", "permanent", "rate_limit", "refuse", "time_out"})
    sends_idempotency_key = True
    bad_addresses = ("http://example.org/", "ftp://example.org/", "https://", "nonsense", "https://u:p@example.org/")
    secret = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()

    @pytest.fixture
    def transport(self, monkeypatch):
        monkeypatch.setattr(webhook, "WALL_SECONDS", 1.0)
        with WebhookTransport() as transport:
            type(self).address = transport.url + "/hook"
            yield transport

    @pytest.fixture
    def options(self, transport):
        return {"secrets": [self.secret], "private_hosts": ["127.0.0.1"]}

    @pytest.mark.parametrize(("is_ours", "failure"), [(True, SetupFailure), (False, TemporaryFailure)])
    def test_refusal_concerns_the_set_up_only_at_the_address_of_the_settings(
        self, transport, options, is_ours, failure
    ):
        """The endpoint of one recipient must not hold the messages to all others."""
        transport.behave("unauthorised")
        url = self.address if is_ours else "https://ours.example.org/"
        with pytest.raises(failure) as caught:
            WebhookNotifier(alias="hook", url=url, **options).send(self.message())
        assert type(caught.value) is failure


class MemoryTransport(Transport):
    def behave(self, mode):
        assert mode == "accept"

    def received(self):
        return [
            {"to": message.to, "text": message.text, "key": message.id}
            for message in MemoryNotifier.outbox.get("contract", [])
        ]


class TestMemory(NotifierContract):
    notifier_class = MemoryNotifier
    address = "member@example.org"
    modes = frozenset()
    sends_idempotency_key = True

    @pytest.fixture
    def transport(self):
        return MemoryTransport()

    @pytest.fixture
    def options(self, transport):
        return {}


class ConsoleTransport(Transport):
    def __init__(self, capsys):
        self.capsys = capsys

    def behave(self, mode):
        assert mode == "accept"

    def received(self):
        blocks = [block for block in self.capsys.readouterr().out.split("-" * 72 + "\n") if block]
        return [
            {"to": block.partition("To: ")[2].partition("\n")[0], "text": block.partition("\n\n")[2]}
            for block in blocks
        ]


class TestConsole(NotifierContract):
    notifier_class = ConsoleNotifier
    address = "member@example.org"
    modes = frozenset()

    @pytest.fixture
    def transport(self, capsys):
        return ConsoleTransport(capsys)

    @pytest.fixture
    def options(self, transport):
        return {}


class SmtpTransport(Transport):
    REPLIES = {
        "temporary": "451 4.3.0 later",
        "permanent": "550 5.7.1 no",
        "rate_limit": "421 4.7.0 too many",
        "unauthorised": "530 5.7.0 Authentication required",
    }

    def __init__(self):
        self.mode = "accept"
        self.envelopes = []

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.mode in self.REPLIES:
            return self.REPLIES[self.mode]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        import asyncio

        if self.mode == "time_out":
            await asyncio.sleep(3)
        self.envelopes.append(envelope)
        return "250 OK"

    def behave(self, mode):
        self.mode = mode
        if mode == "refuse":
            self.controller.stop()

    def received(self):
        return [
            {
                "to": envelope.rcpt_tos[0],
                "text": message_from_bytes(envelope.content, policy=policy.default).get_body(("plain",)).get_content(),
            }
            for envelope in self.envelopes
        ]


class TestEmail(NotifierContract):
    notifier_class = EmailNotifier
    address = "member@example.org"
    modes = frozenset({"temporary", "permanent", "rate_limit", "unauthorised", "refuse", "time_out"})
    bad_addresses = ("", "member", "a@example.org, b@example.org", "a@example.org\nBcc: b@example.org")

    @pytest.fixture
    def transport(self, settings):
        from aiosmtpd.controller import Controller

        transport = SmtpTransport()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        transport.controller = Controller(transport, hostname="127.0.0.1", port=port)
        transport.controller.start()
        use_smtp(settings, port, timeout=1)
        yield transport
        if transport.mode != "refuse":
            transport.controller.stop()

    @pytest.fixture
    def options(self, transport):
        return {}


def test_every_shipped_notifier_is_in_this_module():
    from shop_notify.notifiers import registry

    covered = {
        kit.notifier_class
        for kit in (TestAfricasTalking, TestConsole, TestEmail, TestMemory, TestWebhook, TestWhatsApp)
    }
    assert covered == {point.load() for point in registry.installed().values()}
