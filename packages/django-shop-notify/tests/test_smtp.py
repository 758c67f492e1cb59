"""Addresses with letters other than a-z before the @, by a real server with and without SMTPUTF8 (RFC 6531)."""

from __future__ import annotations

import contextlib
import re
import smtplib
import socket

import django
import pytest
from conftest import mail_server
from django.core import mail as django_mail
from django.core.mail import EmailMultiAlternatives
from shop_notify import delivery, outbox
from shop_notify.exceptions import AddressRefused
from shop_notify.masking import mask
from shop_notify.models import Notification
from shop_notify.notifiers import EmailNotifier

pytestmark = pytest.mark.django_db

BACKEND = "shop_notify.smtp.EmailBackend"
ADDRESSES = {
    "jörg@example.org": "jörg@example.org",
    "admın@example.org": "admın@example.org",
    "jörg.müller+shop@bücher.example": "jörg.müller+shop@xn--bcher-kva.example",
    "иван@пример.рф": "иван@xn--e1afmkfd.xn--p1ai",
    "हिन्दी@example.org": "हिन्दी@example.org",
    "jose\u0301@example.org": "jos\u00e9@example.org",
    f"{'é' * 32}@example.org": f"{'é' * 32}@example.org",
}
"""The address, and what the server is given."""


@pytest.fixture
def utf8_server(settings):
    yield from mail_server(settings, BACKEND, enable_SMTPUTF8=True)


@pytest.fixture
def ascii_server(settings):
    yield from mail_server(settings, BACKEND, enable_SMTPUTF8=False)


def queue(address, **changes):
    return Notification.objects.create(
        **{
            "event_id": address,
            "event": "order_shipped",
            "alias": "email",
            "channel": "email",
            "address": address,
            "audience": "customer",
            "language": "en",
            "context": {"order": {"number": "A", "url": "", "lines": [], "charges": []}},
            **changes,
        }
    )


def head(envelope):
    """The header of the message as it was sent, unfolded."""
    return re.sub(rb"\r\n[ \t]+", b" ", envelope.content.partition(b"\r\n\r\n")[0]).decode()


def line(envelope, name):
    return next(line for line in head(envelope).split("\r\n") if line.startswith(f"{name}: "))


def mail(*to, **options):
    return EmailMultiAlternatives("Grüße", "Text", '"Bücher, Laden" <shop@bücher.example>', to, **options)


def test_other_letters_arrive_with_smtputf8(utf8_server):
    rows = [queue(address, recipient_name="Müller, Jörg") for address in ADDRESSES]

    delivery.deliver_due()

    assert [(row.state, row.last_error) for row in Notification.objects.all()] == [("sent", "")] * len(rows)
    sent = {envelope.rcpt_tos[0]: envelope for envelope in utf8_server.envelopes}
    assert sorted(sent) == sorted(ADDRESSES.values())
    for address, envelope in sent.items():
        assert envelope.smtp_utf8
        assert "BODY=8BITMIME" in envelope.mail_options
        assert line(envelope, "To").endswith(f"<{address}>")
        assert line(envelope, "Message-ID").isascii()
        assert head(envelope).replace(address, "").isascii()


def test_ascii_addresses_are_sent_as_by_django(utf8_server, settings):
    queue("ann@bücher.example", recipient_name="Jörg@Home, Inc")
    delivery.deliver_due()
    mail("Ann <ann@example.org>", reply_to=["Jörg <ann@bücher.example>"]).send()

    for envelope in utf8_server.envelopes:
        assert not envelope.smtp_utf8
        assert "SMTPUTF8" not in envelope.mail_options
        assert head(envelope).isascii()
    assert utf8_server.envelopes[0].rcpt_tos == ["ann@xn--bcher-kva.example"]
    assert utf8_server.envelopes[1].mail_from == "shop@xn--bcher-kva.example"


def test_replies_can_go_to_other_letters_alone(utf8_server):
    mail("Ann <ann@example.org>", reply_to=["Jörg <jörg@bücher.example>"]).send()

    (envelope,) = utf8_server.envelopes
    assert envelope.smtp_utf8
    assert line(envelope, "Reply-To").endswith("<jörg@xn--bcher-kva.example>")


def test_reply_address_is_text_if_the_server_has_no_smtputf8(ascii_server):
    """RFC 6857: an empty group with the address as its name."""
    message = mail("Ann <ann@example.org>", reply_to=["Bob <bob@example.org>", "Jörg <jörg@bücher.example>"])
    message.send()

    (envelope,) = ascii_server.envelopes
    assert not envelope.smtp_utf8
    assert head(envelope).isascii()
    (received,) = ascii_server.messages
    named = [
        (group.display_name, [address.addr_spec for address in group.addresses])
        for group in received["Reply-To"].groups
    ]
    assert named == [(None, ["bob@example.org"]), ("jörg@bücher.example", [])]
    assert message.reply_to == ["Bob <bob@example.org>", "Jörg <jörg@bücher.example>"]


def test_reply_address_of_the_notifier_stops_no_message(ascii_server, settings):
    options = {"BACKEND": "shop_notify.notifiers.EmailNotifier", "OPTIONS": {"reply_to": "jörg@example.org"}}
    settings.SHOP_NOTIFY = {**settings.SHOP_NOTIFY, "NOTIFIERS": {"email": options}}
    row = queue("ann@example.org")

    delivery.deliver_due()

    row.refresh_from_db()
    assert (row.state, row.last_error) == ("sent", "")
    (group,) = ascii_server.messages[0]["Reply-To"].groups
    assert group.display_name == "jörg@example.org"


@pytest.mark.parametrize("recipient", ["jörg@example.org", "ann@example.org"])
def test_lost_connection_is_an_error_unless_it_is_ignored(ascii_server, recipient):
    message = mail(recipient, reply_to=["jörg@example.org"])
    for fails_silently in (True, False):
        backend = django_mail.mailers["default"] if django.VERSION >= (6, 1) else django_mail.get_connection()
        backend.fail_silently = fails_silently
        backend.open()
        backend.connection.sock.shutdown(socket.SHUT_RDWR)
        with contextlib.nullcontext() if fails_silently else pytest.raises(smtplib.SMTPServerDisconnected):
            assert backend.send_messages([message]) == 0
    assert ascii_server.envelopes == []


@pytest.mark.parametrize("address", ["jö@example.org\r\nBcc: evil@example.org", "jö@example.org\x00", "jö@é\r\nX: y"])
def test_reply_address_adds_nothing_to_the_header(ascii_server, address):
    with contextlib.suppress(ValueError, smtplib.SMTPException):
        mail("ann@example.org", reply_to=[address]).send()
    for envelope in ascii_server.envelopes:
        assert head(envelope).isascii()
        assert not re.search(r"^(bcc|x):", head(envelope), re.IGNORECASE | re.MULTILINE)


def test_server_without_smtputf8_fails_the_message_finally_and_no_other(ascii_server):
    refused, accepted = queue("jörg@example.org"), queue("ann@example.org")

    delivery.deliver_due()

    refused.refresh_from_db()
    accepted.refresh_from_db()
    assert (refused.state, accepted.state) == ("failed", "sent")
    assert "SMTPUTF8" in refused.last_error
    assert [envelope.rcpt_tos for envelope in ascii_server.envelopes] == [["ann@example.org"]]


def test_one_message_is_sent_to_all_or_none_of_its_recipients(ascii_server):
    with pytest.raises(smtplib.SMTPNotSupportedError):
        mail("ann@example.org", "jörg@example.org").send()
    assert ascii_server.envelopes == []


def test_every_address_of_a_message_can_have_other_letters(utf8_server):
    message = mail(
        "Ann <ann@example.org>",
        '"Müller, Jörg" <jörg@example.org>',
        cc=["admın@example.org"],
        bcc=["secret-é@example.org"],
        reply_to=["é <é@bücher.example>"],
    )
    message.from_email = "ñ@bücher.example"
    message.attach_alternative("<p>é</p>", "text/html")
    message.send()

    (envelope,) = utf8_server.envelopes
    assert envelope.mail_from == "ñ@xn--bcher-kva.example"
    assert envelope.rcpt_tos == ["ann@example.org", "jörg@example.org", "admın@example.org", "secret-é@example.org"]
    assert line(envelope, "From") == "From: ñ@xn--bcher-kva.example"
    assert line(envelope, "To").endswith("<jörg@example.org>")
    assert line(envelope, "Cc") == "Cc: admın@example.org"
    assert line(envelope, "Reply-To").endswith("<é@xn--bcher-kva.example>")
    assert "secret" not in envelope.content.decode()
    (parsed,) = utf8_server.messages
    assert parsed["Subject"] == "Grüße"
    assert parsed["To"].addresses[1].display_name == "Müller, Jörg"
    assert parsed.get_body(("html",)).get_content().strip() == "<p>é</p>"
    assert message.to == ["Ann <ann@example.org>", '"Müller, Jörg" <jörg@example.org>']


@pytest.mark.parametrize(
    "address",
    [
        "jö\r\nBcc: evil@example.org",
        "jö\r\nDATA@example.org",
        "jö\x00rg@example.org",
        "jö\u2028rg@example.org",
        "jö>\r\nRCPT TO:<evil@example.org",
        "jö@example.org, evil@example.org",
        "<jö@example.org> <evil@example.org>",
    ],
)
def test_nothing_can_be_added_to_headers_or_commands(utf8_server, address):
    with contextlib.suppress(ValueError, smtplib.SMTPException):
        mail(address).send()
    for envelope in utf8_server.envelopes:  # Django 5.2 encodes what it does not refuse
        assert head(envelope).isascii()
        assert "evil@example.org" not in envelope.rcpt_tos
    with pytest.raises(AddressRefused):
        EmailNotifier(alias="email").check_address(address)


def test_staff_can_send_again_to_what_the_backend_can_send_to(settings, utf8_server):
    row = queue("ann@example.org", state="sent")

    assert outbox.resend(row, address="jörg@example.org").address == "jörg@example.org"
    for address in ["ſ@example.org", "İ@example.org", "j\u200börg@example.org", "v\u0456ctim@example.org"]:
        with pytest.raises(AddressRefused):
            outbox.resend(row, address=address)


def test_backend_of_django_is_given_no_such_address(mailbox):
    row = queue("ann@example.org", state="sent")

    with pytest.raises(AddressRefused):
        outbox.resend(row, address="jörg@example.org")


def test_errors_show_no_letter_of_an_address_but_the_first():
    assert mask("to हिन्दी.भाषा@example.org, jörg@example.org") == "to ह***@example.org, j***@example.org"


def test_sender_of_another_domain_has_a_message_id_in_ascii(utf8_server, settings):
    settings.DEFAULT_FROM_EMAIL = "Bücher <shop@bücher.example>"
    row = queue("jörg@example.org")

    delivery.deliver_due()

    row.refresh_from_db()
    assert row.provider_id == f"<{row.public_id}@xn--bcher-kva.example>"
    assert line(utf8_server.envelopes[0], "Message-ID") == f"Message-ID: {row.provider_id}"
