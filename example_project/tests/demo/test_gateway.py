"""The demo's mail server and SMS gateway, used with the shop's real notifiers."""

from __future__ import annotations

import smtplib
import socket
import threading
from email.message import EmailMessage

import pytest
from demo import gateway, mailserver
from demo.models import Mail, Switch, Text
from shop_notify.notifiers import AfricasTalkingNotifier
from shop_notify.notifiers.base import Message

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def running(monkeypatch):
    posted = []
    monkeypatch.setattr(gateway, "REPORT_AFTER_SECONDS", 0)
    monkeypatch.setattr(gateway, "_post", lambda url, fields: posted.append((url, fields)) or True)
    server = gateway.server("127.0.0.1", 0, callback_url="http://shop/reports/")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server, posted
    server.shutdown()
    server.server_close()


def notifier(server):
    return AfricasTalkingNotifier(
        alias="sms",
        username="sandbox",
        api_key="k",
        sender="ACACIA",
        base_url=f"http://127.0.0.1:{server.server_port}",
    )


def message(text="Hello"):
    return Message(
        id="1",
        event="x",
        to="+254712345678",
        name="",
        language="en",
        subject="",
        text=text,
        html="",
        context={},
        headers={},
    )


def wait_for(condition):
    for _attempt in range(100):
        if condition():
            return
        threading.Event().wait(0.05)
    raise AssertionError("it did not happen within five seconds")


def test_the_sdk_delivers_and_gets_a_receipt(running):
    server, posted = running

    receipt = notifier(server).send(message())

    text = Text.objects.get()
    assert (text.phone, text.text, text.sender, text.segments) == ("+254712345678", "Hello", "ACACIA", 1)
    assert receipt.provider_id == text.message_id
    wait_for(lambda: Text.objects.get().report)
    assert posted[0][0] == "http://shop/reports/"
    assert posted[0][1]["status"] == "Success"
    assert Text.objects.get().report == "Success"


def test_one_report_can_be_made_to_fail(running):
    server, posted = running
    Switch.objects.create(name=gateway.FAIL_NEXT)

    notifier(server).send(message())
    wait_for(lambda: Text.objects.get().report)
    notifier(server).send(message())
    wait_for(lambda: Text.objects.filter(report="Success").exists())

    assert sorted(fields["status"] for _url, fields in posted) == ["Failed", "Success"]


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("[" * 80, 1),
        ("[" * 81, 2),
        ("ж" * 70, 1),
        ("ж" * 71, 2),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
    ],
)
def test_segments(text, segments):
    assert gateway.segments(text) == segments


def test_a_mail_arrives_in_the_inbox_with_both_bodies():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = mailserver.controller("127.0.0.1", port)
    server.start()
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = "Grüße", "shop@example.org", "a@example.org, b@example.org"
    mail.set_content("text\nof two lines")
    mail.add_alternative("<p>html</p>", subtype="html")

    with smtplib.SMTP("127.0.0.1", port) as smtp:
        smtp.send_message(mail)
    server.stop()

    rows = Mail.objects.order_by("recipient").values_list("recipient", "subject", "text", "html")
    assert list(rows) == [
        (address, "Grüße", "text\nof two lines\n", "<p>html</p>\n") for address in ("a@example.org", "b@example.org")
    ]


def test_the_gateway_requires_a_key(running):
    import urllib.error
    import urllib.request

    server, _posted = running
    request = urllib.request.Request(f"http://127.0.0.1:{server.server_port}/version1/messaging", b"to=%2B1")

    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    assert refused.value.code == 401
    refused.value.close()
    assert not Text.objects.exists()
