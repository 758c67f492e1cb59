from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import socket
import ssl
import threading
import time
from datetime import timedelta
from unittest import mock

import pytest
from django.utils import timezone
from shop_core.connections import Deadline
from shop_notify import delivery, outbox
from shop_notify.exceptions import AddressRefused, PermanentFailure, SetupFailure, TemporaryFailure, UnknownOutcome
from shop_notify.models import Notification, Suppression, TemplateOverride
from shop_notify.notifiers import Message, WebhookNotifier, http, webhook
from test_contract import WebhookTransport

KEY, OTHER = b"0123456789abcdef01234567", b"76543210fedcba9876543210"


def secret(key):
    return "whsec_" + base64.b64encode(key).decode()


@pytest.fixture
def endpoint(monkeypatch):
    monkeypatch.setattr(webhook, "WALL_SECONDS", 1.0)
    with WebhookTransport() as transport:
        yield transport


def notifier(**options):
    return WebhookNotifier(alias="hook", secrets=[secret(KEY)], private_hosts=["127.0.0.1"], **options)


def message(to):
    return Message(id="m-1", event="order_placed", to=to, text="Hello", context={"order": {"number": "K7Q"}})


def test_body_and_signature_follow_standard_webhooks(endpoint):
    rotating = WebhookNotifier(alias="hook", secrets=[secret(KEY), secret(OTHER)], private_hosts=["127.0.0.1"])
    rotating.send(message(f"{endpoint.url}/hook?site=1"))
    ((path, headers, body),) = endpoint.server.requests
    assert path == "/hook?site=1"
    assert (body["type"], body["data"]["order"], body["data"]["text"]) == ("order_placed", {"number": "K7Q"}, "Hello")
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 5
    content = f"m-1.{headers['webhook-timestamp']}.".encode() + json.dumps(body, separators=(",", ":")).encode()
    wanted = ["v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode() for key in (KEY, OTHER)]
    assert headers["webhook-signature"].split(" ") == wanted


def test_signature_equals_the_example_of_the_specification():
    """https://github.com/standard-webhooks/standard-webhooks: its test vector."""
    signer = WebhookNotifier(alias="hook", secrets=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
    content = b'msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}'
    made = base64.b64encode(hmac.digest(signer._keys[0], content, hashlib.sha256)).decode()
    assert made == "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://127.1/",
        "https://0x7f.1/",
        "https://2130706433/",
        "https://0/",
        "https://localhost/",
        "https://10.0.0.1/",
        "https://172.16.0.1/",
        "https://192.168.1.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://100.64.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:a9fe:a9fe]/",
        "https://[fe80::1]/",
        "https://[fc00::1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/",
        "https://224.0.0.1/",
        "https://0.0.0.0/",
        "https://255.255.255.255/",
        "https://[::7f00:1]/",
        "https://[::]/",
        "https://[64:ff9b:1::a00:1]/",
        "https://[2001:0:7f00:1::ffff:ffff]/",
        "https://[fec0::1]/",
        "https://[ff02::1]/",
        "https://017700000001/",
    ],
)
def test_private_addresses_are_refused_after_resolution(url):
    public_only = WebhookNotifier(alias="hook", secrets=[secret(KEY)])
    with pytest.raises((PermanentFailure, TemporaryFailure)) as caught:
        public_only.send(message(url))
    assert caught.value.provider_code == "private"


def test_name_that_resolves_to_a_public_and_a_private_address_is_refused(monkeypatch):
    addresses = [(2, 1, 6, "", ("93.184.216.34", 443)), (2, 1, 6, "", ("127.0.0.1", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: addresses)
    with pytest.raises(PermanentFailure, match="address is not public"):
        WebhookNotifier(alias="hook", secrets=[secret(KEY)]).send(message("https://rebind.example.org/"))


def test_connection_goes_to_the_address_that_was_checked(monkeypatch):
    """The name is resolved only once, so a different second result (DNS rebinding) cannot be used."""
    asked, connected = [], []

    def resolve(*args, **kwargs):
        asked.append(args)
        return [(2, 1, 6, "", ("93.184.216.34", 443))]

    def connect(address, timeout):
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(TemporaryFailure):
        WebhookNotifier(alias="hook", secrets=[secret(KEY)]).send(message("https://rebind.example.org/"))
    assert connected == [("93.184.216.34", 443)]
    assert len(asked) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "https://user:pw@example.org/",
        "https:///x",
        "https://a:99999/",
        "https://a/ b",
        "https://bücher.example/",
        "https://a/ü",
        "",
    ],
)
def test_malformed_urls_are_refused(url):
    with pytest.raises(AddressRefused):
        notifier().check_address(url)


def test_invalid_host_name_is_refused():
    with pytest.raises(PermanentFailure, match="host name"):
        notifier().send(message(f"https://{'a' * 70}.example.org/"))


def test_redirect_is_not_followed(endpoint):
    endpoint.server.mode = "accept"
    endpoint.server.RequestHandlerClass.STATUS["moved"] = 302
    endpoint.behave("moved")
    with pytest.raises(PermanentFailure, match="a redirect"):
        notifier().send(message(endpoint.url))
    # The address of the settings is wrong for every message.
    with pytest.raises(SetupFailure, match="a redirect"):
        notifier(url=endpoint.url).send(message(endpoint.url))


def test_silent_endpoint_is_an_unknown_outcome_within_the_time_limit(endpoint):
    endpoint.behave("time_out")
    began = time.monotonic()
    with pytest.raises(UnknownOutcome):
        notifier().send(message(endpoint.url))
    assert time.monotonic() - began < 3


@pytest.fixture
def dripping():
    """A server that sends the beginning of a response at once, and then single bytes without end."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve(begin):
            connection, _address = server.accept()
            with contextlib.suppress(OSError), connection:
                connection.sendall(begin)
                while True:
                    time.sleep(0.1)
                    connection.sendall(b"a")

        def start(begin):
            threading.Thread(target=serve, args=[begin], daemon=True).start()
            return f"127.0.0.1:{server.getsockname()[1]}"

        yield start


@pytest.mark.parametrize(
    ("scheme", "begin", "failure"),
    [
        ("http", b"HTTP/1.1 200 OK\r\nX-Slow: ", UnknownOutcome),
        ("http", b"HTTP/1.1 503 Busy\r\nX-Slow: ", UnknownOutcome),
        ("http", b"HTTP/1.1 100 Continue\r\n\r\n" * 3, UnknownOutcome),
        ("http", b"HTT", UnknownOutcome),
        ("https", b"\x16\x03\x03\x40\x00", TemporaryFailure),
    ],
)
def test_slow_response_ends_within_the_time_limit(monkeypatch, dripping, scheme, begin, failure):
    monkeypatch.setattr(webhook, "WALL_SECONDS", 1.0)
    address = dripping(begin)
    began = time.monotonic()
    with pytest.raises(failure):
        notifier().send(message(f"{scheme}://{address}/"))
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("is_secure", [False, True])
def test_deadline_closes_the_connection_unless_it_is_cancelled(is_secure):
    def connect():
        ours, theirs = socket.socketpair()
        theirs.settimeout(0.5)
        if is_secure:
            context = ssl.create_default_context()
            ours = context.wrap_socket(ours, server_hostname="a.example.org", do_handshake_on_connect=False)
        return ours, theirs

    ours, theirs = connect()
    with ours, theirs, Deadline(ours, 0.05):
        assert theirs.recv(1) == b""
    ours, theirs = connect()
    with ours, theirs:
        Deadline(ours, 0.05).cancel()
        with pytest.raises(TimeoutError):
            theirs.recv(1)


def test_slow_or_endless_body_does_not_hold_the_worker(monkeypatch, dripping):
    """The status decides the outcome; the body is not read to its end."""
    monkeypatch.setattr(webhook, "WALL_SECONDS", 1.0)
    address = dripping(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + b"\0" * http.MAX_RESPONSE_BYTES * 2)
    began = time.monotonic()
    assert notifier().send(message(f"http://{address}/")).provider_code == "200"
    assert time.monotonic() - began < 3


def test_default_port_is_not_in_the_host_header(monkeypatch):
    ours, theirs = socket.socketpair()
    monkeypatch.setattr(WebhookNotifier, "_dial", lambda self, url, until: ours)
    monkeypatch.setattr(http, "_tls", lambda: mock.Mock(wrap_socket=lambda raw, server_hostname: raw))
    theirs.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
    with theirs:
        assert notifier().send(message("https://hooks.example.org/in")).provider_code == "204"
        assert b"\r\nHost: hooks.example.org\r\n" in theirs.recv(65536)


@pytest.mark.parametrize("secrets", [[], "whsec_abc", ["short"], ["whsec_!!!"], [""]])
def test_bad_secrets_are_refused(secrets):
    with pytest.raises(ValueError, match="secret"):
        WebhookNotifier(alias="hook", secrets=secrets)


def use_webhook(settings, **options):
    options = {"secrets": [secret(KEY)], "private_hosts": ["127.0.0.1"], **options}
    settings.SHOP_NOTIFY = {
        **settings.SHOP_NOTIFY,
        "NOTIFIERS": {"hook": {"BACKEND": "webhook", "OPTIONS": options}},
        "ROUTES": [
            {"signal": "testproject.library.signals.loan_made", "event": "loan_made", "via": ["hook"]},
        ],
    }


@pytest.mark.django_db
def test_body_and_its_time_are_the_same_at_each_attempt(endpoint, settings, monkeypatch):
    sent, request = [], http.request

    def recorded(*args, **kwargs):
        sent.append((kwargs["headers"]["webhook-id"], kwargs["body"]))
        return request(*args, **kwargs)

    monkeypatch.setattr(http, "request", recorded)
    use_webhook(settings, url=endpoint.url + "/hook")
    earlier = timezone.now() - timedelta(hours=3)
    row = Notification.objects.create(
        event="order_placed",
        event_id="e-1",
        alias="hook",
        channel="webhook",
        address=endpoint.url + "/hook",
        context={"order": {"number": "K7Q", "currency": "KES", "total": "1.00"}},
        created_at=earlier,
    )
    for mode in ("temporary", "temporary", "accept"):
        endpoint.behave(mode)
        Notification.objects.update(due_at=earlier)
        delivery.deliver_due()
        TemplateOverride.objects.get_or_create(event="order_placed", channel="webhook", text="New text")
    row.refresh_from_db()
    assert (row.state, row.attempts) == ("sent", 3)
    first, *others = sent
    assert others == [first, first]
    assert json.loads(first[1])["timestamp"] == row.created_at.isoformat()
    assert "New text" not in first[1].decode()
    # If staff send it again, a new body is written.
    Notification.objects.update(state="dead")
    outbox.retry_dead()
    delivery.deliver_due()
    assert json.loads(sent[-1][1])["data"]["text"] == "New text"


def test_each_address_of_a_host_is_tried(endpoint, monkeypatch):
    port = int(endpoint.url.rpartition(":")[2])
    # Nothing listens on the second loopback address.
    addresses = [(2, 1, 6, "", (address, port)) for address in ("127.0.0.2", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: addresses)
    hook = WebhookNotifier(alias="hook", secrets=[secret(KEY)], private_hosts=["hook.example.org"])
    assert hook.send(message(f"http://hook.example.org:{port}/")).provider_code == "200"


@pytest.mark.parametrize(("host", "allowed"), [("LocalHost", "localhost"), ("localhost", "LOCALHOST")])
def test_host_is_written_in_any_case(endpoint, host, allowed):
    port = endpoint.url.rpartition(":")[2]
    hook = WebhookNotifier(alias="hook", secrets=[secret(KEY)], private_hosts=[allowed])
    hook.check_address(f"HTTP://{host}:{port}/")
    assert hook.send(message(f"HTTP://{host}:{port}/")).provider_code == "200"


@pytest.mark.django_db
def test_endpoint_that_is_gone_is_suppressed(endpoint, settings):
    use_webhook(settings, url=endpoint.url + "/hook")
    from testproject.library import signals

    for number in range(2):
        payload = {"loan": {"number": number}, "book": {}}
        signals.loan_made.send(sender=None, payload=payload, event_id=f"e-{number}")
        endpoint.behave("permanent")
        delivery.deliver_due()
    assert [row.state for row in Notification.objects.order_by("id")] == ["failed", "skipped"]
    assert Suppression.objects.get().reason == "gone"
