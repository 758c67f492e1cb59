"""What the base classes and the HTTP helper give to the author of a notifier."""

from __future__ import annotations

import contextlib
import re
import smtplib
import socket
import threading
from datetime import timedelta

import pytest
from shop_notify.exceptions import (
    AddressRefused,
    PermanentFailure,
    SetupFailure,
    TemporaryFailure,
    UnknownOutcome,
)
from shop_notify.notifiers import Notifier, SmsNotifier, email, http


class Gateway(SmsNotifier):
    def read_report(self, request):
        return []


class NoUrls:
    urlpatterns = ()


def with_settings(settings, **changes):
    settings.SHOP_NOTIFY = {**settings.SHOP_NOTIFY, **changes}


def test_report_url_is_absolute_and_has_the_secret(settings, monkeypatch):
    with_settings(settings, BASE_URL="https://shop.example.org/")
    notifier = Gateway(alias="sms-2")
    assert notifier.report_url == "https://shop.example.org/notify/reports/sms-2/"
    notifier.report_secret = "a b+ü"  # a key that signs reports stays out of the URL
    assert notifier.report_url == "https://shop.example.org/notify/reports/sms-2/"
    monkeypatch.setattr(Gateway, "has_secret_in_report_url", True)
    assert notifier.report_url == "https://shop.example.org/notify/reports/sms-2/a%20b+%C3%BC/"


@pytest.mark.parametrize("missing", ["base", "urls", "root", "slug"])
def test_report_url_is_empty_if_it_cannot_be_known(settings, missing):
    with_settings(settings, BASE_URL="" if missing == "base" else "https://shop.example.org")
    if missing == "urls":
        settings.ROOT_URLCONF = NoUrls
    if missing == "root":
        del settings.ROOT_URLCONF
    assert Gateway(alias="s m s" if missing == "slug" else "sms").report_url == ""


def test_sms_base_sets_limits_and_unknown_outcomes(settings):
    with_settings(settings, PHONE_REGIONS=["KE"])
    notifier = Gateway(alias="sms")
    assert (notifier.channel, notifier.is_metered, notifier.repeats_unknown) == ("sms", True, False)
    assert (notifier.max_attempts, notifier.expires_after) == (4, timedelta(hours=24))
    assert Gateway.address_of({"phone": "+254711000001"}, {}) == "+254711000001"
    assert Gateway(alias="sms", repeat_unknown=True).repeats_unknown
    notifier.check_address("+254711000001")
    for refused in ("0711000001", "+14155552671", ""):
        with pytest.raises(AddressRefused):
            notifier.check_address(refused)


def whole_request(connection):
    """Head and body, which may come in several parts."""
    received = connection.recv(65536)
    head, _blank, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    while length and len(body) < int(length[1]):
        part = connection.recv(65536)
        body, received = body + part, received + part
    return received


@pytest.fixture
def responding():
    """Start a server that responds to one request with these bytes, and keeps the request."""
    with contextlib.ExitStack() as stack:

        def start(content, *, silent=False):
            server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            start.received = b""

            def respond():
                with contextlib.suppress(OSError):
                    connection, _address = server.accept()
                    stack.callback(connection.close)
                    start.received = whole_request(connection)
                    connection.sendall(content)
                    if not silent:
                        connection.close()

            threading.Thread(target=respond, daemon=True).start()
            return f"http://127.0.0.1:{server.getsockname()[1]}/path?a=b"

        yield start


def ok(body, status="200 OK", headers=b""):
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n".encode() + headers + b"\r\n" + body


def test_request_sends_json_and_reads_the_response(responding):
    response = http.request("POST", responding(ok(b'{"id": 7}')), json={"to": "ü"}, headers={"X-Key": "k"})
    assert (response.status, response.is_success, response.json()) == (200, True, {"id": 7})
    head, _blank, body = responding.received.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /path?a=b HTTP/1.1\r\n")
    assert b"X-Key: k" in head
    assert b"Content-Type: application/json" in head
    assert body == b'{"to": "\\u00fc"}'


def test_request_sends_a_form(responding):
    http.request("POST", responding(ok(b"")), form={"to": "+254", "text": "ü &"})
    assert responding.received.endswith(b"\r\n\r\nto=%2B254&text=%C3%BC+%26")


@pytest.mark.parametrize(
    ("status", "failure", "retry_after"),
    [
        ("503 Busy", TemporaryFailure, 7.0),
        ("429 Slow", TemporaryFailure, 7.0),
        ("401 No", SetupFailure, None),
        ("403 No", SetupFailure, None),
        ("407 No", SetupFailure, None),
        ("400 No", PermanentFailure, None),
        ("302 Found", SetupFailure, None),
    ],
)
def test_failure_of_a_status(responding, status, failure, retry_after):
    response = http.request("GET", responding(ok(b"why", status, b"Retry-After: 7\r\nLocation: /x\r\n")))
    error = response.failure()
    assert type(error) is failure
    assert str(error) == f"HTTP {status[:3]}: why"
    assert getattr(error, "retry_after", None) == retry_after


@pytest.mark.parametrize(
    "content",
    [b"", b"HTT", b"HTTP/1.1 200 OK\r\nX-", ok(b"<html>"), ok(b"[" * 60_000), ok(b"1" * 70_000), ok(b"{}")[:-1]],
)
def test_response_that_cannot_be_read_is_an_unknown_outcome(responding, content):
    with pytest.raises(UnknownOutcome):
        http.request("GET", responding(content)).json()


def test_silence_is_an_unknown_outcome(responding):
    with pytest.raises(UnknownOutcome):
        http.request("GET", responding(b"", silent=True), seconds=0.2)


@pytest.mark.parametrize(
    "url", ["", "ftp://a/", "http://", "http://a:b/", "http://a b/", "https://a/\r\nX: y", "http://ü/"]
)
def test_unusable_url_refuses_the_set_up_and_is_not_shown(url):
    with pytest.raises(SetupFailure) as caught:
        http.request("GET", url)
    assert not url or url not in f"{caught.value} {caught.value.__cause__}"


@pytest.mark.parametrize("value", ["secret\r\nX: y", "secret\0", "secret-ключ"])
def test_header_that_http_does_not_allow_is_refused_without_its_value(value):
    with pytest.raises(PermanentFailure) as caught:
        http.request("GET", "http://127.0.0.1:9/", headers={"Authorization": value})
    assert "secret" not in f"{caught.value} {caught.value.__cause__!r} {caught.value.__context__!r}"


@pytest.mark.parametrize("name", ["X\r\nY", "X Y", "X:", "X\0", "Ü", ""])
def test_name_of_a_header_that_http_does_not_allow_is_refused(responding, name):
    with pytest.raises(PermanentFailure, match="The header"):
        http.request("GET", responding(ok(b"")), headers={name: "1"})


def test_server_that_is_down_is_a_temporary_failure():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(TemporaryFailure) as caught:
        http.request("GET", f"http://127.0.0.1:{port}/")
    assert type(caught.value) is TemporaryFailure


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (smtplib.SMTPAuthenticationError(535, b"5.7.8 bad credentials"), SetupFailure),
        (smtplib.SMTPAuthenticationError(454, b"4.7.0 later"), TemporaryFailure),
        (smtplib.SMTPSenderRefused(530, b"5.7.0 Must issue STARTTLS first", "a@example.org"), SetupFailure),
        (smtplib.SMTPSenderRefused(553, b"5.7.1 sender not owned by user", "a@example.org"), SetupFailure),
        (smtplib.SMTPSenderRefused(552, b"5.3.4 too big", "a@example.org"), PermanentFailure),
        (smtplib.SMTPSenderRefused(451, b"4.3.0 later", "a@example.org"), TemporaryFailure),
        (smtplib.SMTPRecipientsRefused({"b@example.org": (530, b"5.7.0 log in")}), SetupFailure),
        (smtplib.SMTPRecipientsRefused({"b@example.org": (550, b"5.1.1 unknown")}), PermanentFailure),
        (smtplib.SMTPDataError(535, b"log in"), SetupFailure),
        (smtplib.SMTPNotSupportedError("SMTP AUTH extension not supported by server."), SetupFailure),
        (smtplib.SMTPNotSupportedError("STARTTLS extension not supported by server."), SetupFailure),
        (smtplib.SMTPNotSupportedError("needs SMTPUTF8"), PermanentFailure),
    ],
)
def test_mail_errors_that_refuse_the_set_up(error, failure):
    with pytest.raises(Exception) as caught, email._as_delivery_failures():
        raise error
    assert type(caught.value) is failure


def test_notifier_without_reports_has_no_special_url(settings):
    with_settings(settings, BASE_URL="https://shop.example.org")
    assert Notifier(alias="mail").report_url == ""
