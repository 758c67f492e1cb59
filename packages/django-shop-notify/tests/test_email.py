from __future__ import annotations

import email.header
import email.utils
import re
import socket
from decimal import Decimal

import pytest
from conftest import use_smtp
from shop_notify import delivery
from shop_notify.models import Attempt, Notification, SetupProblem, Suppression

pytestmark = pytest.mark.django_db


def order():
    return {
        "number": "K7Q-2M4",
        "currency": "KES",
        "subtotal": "1000.00",
        "total": "1160.00",
        "url": "https://shop.example.org/orders/K7Q-2M4/?token=t",
        "lines": [
            {"sku": "TEA", "name": "Tea & <milk>", "quantity": 2, "unit_price": "500.00", "line_total": "1000.00"},
        ],
        "charges": [{"kind": "tax", "label": "VAT 16 %", "amount": "160.00"}],
    }


def queue(**changes):
    return Notification.objects.create(
        **{
            "event_id": "e-1",
            "event": "order_placed",
            "alias": "email",
            "channel": "email",
            "address": "customer@example.org",
            "audience": "customer",
            "recipient_name": "Test Customer",
            "language": "en",
            "context": {"order": order()},
            **changes,
        }
    )


def test_text_and_html_arrive_by_real_smtp(mailbox):
    row = queue()
    delivery.deliver_due()
    row.refresh_from_db()
    assert (row.state, row.last_error) == ("sent", "")
    (mail,) = mailbox.messages
    assert mail["Subject"] == "Your order K7Q-2M4"
    assert mail["To"] == "Test Customer <customer@example.org>"
    assert mail["From"] == "library@example.org"
    assert mail["Message-ID"] == f"<{row.public_id}@example.org>" == row.provider_id
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["List-Unsubscribe"] is None
    text = mail.get_body(("plain",)).get_content()
    html = mail.get_body(("html",)).get_content()
    assert "2 x Tea & <milk>: KES 1000.00" in text
    assert "Total: KES 1160.00" in text
    assert "Tea &amp; &lt;milk&gt;" in html
    assert "https://shop.example.org/orders/K7Q-2M4/?token=t" in html
    assert row.subject == "Your order K7Q-2M4"


def test_options_of_a_line_are_shown_and_escaped(mailbox):
    goods = {**order()["lines"][0], "options": {"Engraving": "<b>"}, "options_text": "Engraving: <b>"}
    queue(context={"order": {**order(), "lines": [goods]}})
    delivery.deliver_due()
    (mail,) = mailbox.messages
    assert "2 x Tea & <milk> (Engraving: <b>): KES 1000.00" in mail.get_body(("plain",)).get_content()
    assert "(Engraving: &lt;b&gt;)" in mail.get_body(("html",)).get_content()


def taxed_order(*, is_included):
    """Goods of 1000, shipping of 100 and 10 off, with tax at 16 % and at 0 %."""
    taxes = [("0.16", "16", "144.00"), ("0", "0", "0.00")]
    return {
        **order(),
        "total": "1090.00" if is_included else "1234.00",
        "charges": [
            {"kind": "shipping", "label": "Post", "amount": "100.00", "is_included": False},
            {"kind": "discount", "label": "Sale", "amount": "-10.00", "is_included": False},
            *(
                {"kind": "tax", "label": "VAT", "amount": tax, "is_included": is_included}
                for _rate, _percent, tax in taxes
            ),
        ],
        "tax_lines": [
            {
                "label": "VAT",
                "rate": rate,
                "percent": percent,
                "base": "900.00",
                "amount": tax,
                "is_included": is_included,
            }
            for rate, percent, tax in taxes
        ],
    }


@pytest.mark.parametrize("language", ["en", "sw"])
@pytest.mark.parametrize("is_included", [True, False])
def test_amounts_above_the_total_add_up_to_it(mailbox, language, is_included):
    queue(context={"order": taxed_order(is_included=is_included)}, language=language)
    delivery.deliver_due()
    (mail,) = mailbox.messages
    word = {"en": "Total", "sw": "Jumla"}[language]
    for kind, pattern in (
        ("plain", r"^(.+): KES (-?[\d.]+)$"),
        ("html", r"<t[dh][^>]*>([^<]+)</t[dh]><t[dh][^>]*>KES (-?[\d.]+)<"),
    ):
        rows = re.findall(pattern, mail.get_body((kind,)).get_content().replace("\r", ""), re.MULTILINE)
        at = [label for label, _amount in rows].index(word)
        assert sum(Decimal(amount) for _label, amount in rows[:at]) == Decimal(rows[at][1])
        assert ("VAT 16 %", "144.00") in (rows[at + 1 :] if is_included else rows[:at])
        assert len(rows) == 5


def test_tax_without_a_rate_is_shown_as_an_amount(mailbox):
    unknown = {"label": "Levy", "rate": None, "percent": "", "base": None, "amount": "160.00", "is_included": False}
    queue(context={"order": {**order(), "tax_lines": [unknown]}})
    delivery.deliver_due()
    text = mailbox.messages[0].get_body(("plain",)).get_content().replace("\r", "")
    assert "\nLevy: KES 160.00\nTotal: KES 1160.00\n\nFollow" in text


def test_administrators_get_their_own_text(mailbox):
    queue(audience="admins", address="desk@example.org", recipient_name="")
    delivery.deliver_due()
    (mail,) = mailbox.messages
    assert mail["Subject"] == "New order K7Q-2M4, KES 1160.00"
    assert mail["To"] == "desk@example.org"


def test_each_row_is_a_mail_of_its_own(mailbox):
    queue()
    queue(address="other@example.org")
    delivery.deliver_due()
    assert sorted(envelope.rcpt_tos for envelope in mailbox.envelopes) == [
        ["customer@example.org"],
        ["other@example.org"],
    ]


@pytest.mark.parametrize(
    ("reply", "state", "outcome", "code"),
    [
        ("451 4.7.1 greylisted, try again", "queued", "temporary", "451"),
        ("421 4.3.0 overloaded", "queued", "temporary", "421"),
        ("550 5.7.1 refused by policy", "failed", "permanent", "550"),
    ],
)
def test_recipient_replies_of_the_4xx_kind_are_retried_and_5xx_are_not(mailbox, reply, state, outcome, code):
    mailbox.rcpt_replies = [reply]
    row = queue()
    delivery.deliver_due()
    row.refresh_from_db()
    assert row.state == state
    attempt = Attempt.objects.get()
    assert (attempt.outcome, attempt.provider_code) == (outcome, code)
    assert mailbox.messages == []
    assert Suppression.objects.count() == 0


def test_mailbox_that_does_not_exist_is_suppressed(mailbox):
    mailbox.rcpt_replies = ["550 5.1.1 no such user"]
    queue()
    delivery.deliver_due()
    suppression = Suppression.objects.get()
    assert (suppression.channel, suppression.address, suppression.reason) == (
        "email",
        "customer@example.org",
        "bounce",
    )


@pytest.mark.parametrize(
    ("reply", "state", "is_suppressed"),
    [
        ("550 5.1.8 bad sender's system address", "queued", False),
        ("501 5.1.7 bad sender's mailbox address syntax", "queued", False),
        ("553 5.7.1 <library@example.org>: Sender address rejected: not owned by user", "queued", False),
        ("550 5.1.10 the domain takes no mail", "failed", True),
        ("550 5.1.100 unknown", "failed", False),
        ("552 5.2.2 mailbox full", "failed", False),
    ],
)
def test_reply_to_the_recipient_about_the_sender_refuses_the_setup(mailbox, reply, state, is_suppressed):
    mailbox.rcpt_replies = [reply]
    row = queue()
    delivery.deliver_due()
    row.refresh_from_db()
    assert (row.state, Suppression.objects.exists()) == (state, is_suppressed)
    assert SetupProblem.objects.exists() is (state == "queued")


@pytest.mark.parametrize(
    ("reply", "state", "attempts"),
    [
        ("550 5.1.1 no such sender", "queued", 0),
        ("501 5.1.7 bad sender address syntax", "queued", 0),
        ("555 5.5.4 unsupported parameter", "queued", 0),
        ("552 5.3.4 message too big", "failed", 1),
        ("451 4.3.0 try later", "queued", 1),
    ],
)
def test_refused_sender_suppresses_nobody(mailbox, reply, state, attempts):
    mailbox.mail_replies = [reply]
    row = queue()
    delivery.deliver_due()
    row.refresh_from_db()
    assert (row.state, row.attempts) == (state, attempts)
    assert not Suppression.objects.exists()


NAMES = [
    "Ünal, Ayşe",
    "Müller, Jörg <x@y.org>",
    'A "B" Ñ, C',
    "ä@b.org, c@d.org",
    "Ann (Bob), ü",
    "a;b: ü;",
    "Ü <c@d.org>,",
    "'Ü, b'",
    "Ann, Bob",
    "\\",
    'a\\"b',
    "名前, 太郎 " * 18,
    "ü" * 200,
    "🦩👩\u200d👧, " * 30,
    "b" * 200,
    "=?utf-8?q?a=2C_b?=",
    "=?utf-8?b?YSwgYg==?= ü",
    "bell \x07 ü",
    "group: a@b.org, c@d.org;",
]


def names_and_words(content):
    """The header lines, and the encoded words in them."""
    head = content.split(b"\r\n\r\n")[0]
    lines = re.sub(rb"\r\n(?=[ \t])", b"", head).decode("ascii").split("\r\n")
    return [line.replace(":  ", ": ", 1) for line in lines], re.findall(rb"=\?[^?]+\?.\?[^?]*\?=", head)


def test_mail_has_exactly_one_recipient_whatever_the_name(mailbox):
    rows = [queue(event_id=str(number), recipient_name=name[:200]) for number, name in enumerate(NAMES)]
    delivery.deliver_due()
    assert [row.state for row in Notification.objects.order_by("pk")] == ["sent"] * len(rows)
    assert len(mailbox.envelopes) == len(NAMES)
    for row, envelope in zip(rows, mailbox.envelopes, strict=True):
        assert envelope.rcpt_tos == ["customer@example.org"]
        lines, words = names_and_words(envelope.content)
        assert [word for word in words if len(word) > 75] == []
        (to,) = [line.removeprefix("To: ") for line in lines if line.startswith("To: ")]
        # A mail program reads the mailboxes first, and decodes the names then (RFC 2047, 5).
        ((name, address),) = email.utils.getaddresses([to])
        assert address == "customer@example.org"
        shown = str(email.header.make_header(email.header.decode_header(name)))
        expected = row.recipient_name.replace("=?", "= ?").replace("\x07", " ")
        assert shown == " ".join(expected.split())


@pytest.mark.parametrize(
    ("address", "given"),
    [
        ("a@bücher.example", "a@xn--bcher-kva.example"),
        ("a@пример.рф", "a@xn--e1afmkfd.xn--p1ai"),
        ('"a b"@example.org', '"a b"@example.org'),
        ('"a,b"@example.org', '"a,b"@example.org'),
        ('"a@b"@example.org', '"a@b"@example.org'),
        ("ann+shop@example.org", "ann+shop@example.org"),
    ],
)
@pytest.mark.parametrize("name", ["", "Ünal, Ayşe"])
def test_domains_in_any_letters_quoted_and_plus_local_parts_arrive(mailbox, address, given, name):
    queue(address=address, recipient_name=name)
    delivery.deliver_due()
    (envelope,) = mailbox.envelopes
    assert envelope.rcpt_tos == [given]
    (mailbox_of_header,) = mailbox.messages[0]["To"].addresses
    assert (mailbox_of_header.addr_spec, mailbox_of_header.display_name) == (given, name)


@pytest.mark.parametrize(
    ("sender", "name"),
    [("Haus Bücher <shop@bücher.example>", "Haus Bücher"), ('"Bücher, Haus" <shop@bücher.example>', "Bücher, Haus")],
)
def test_sender_and_message_id_of_a_domain_in_other_letters_are_ascii(mailbox, settings, sender, name):
    settings.DEFAULT_FROM_EMAIL = sender
    context = {"order": {**order(), "number": "Ä" * 300}}
    row = queue(context=context)
    delivery.deliver_due()
    (envelope,) = mailbox.envelopes
    assert envelope.mail_from == "shop@xn--bcher-kva.example"
    lines, words = names_and_words(envelope.content)
    assert f"Message-ID: <{row.public_id}@xn--bcher-kva.example>" in lines
    assert [word for word in words if len(word) > 75] == []
    (header,) = mailbox.messages[0]["From"].addresses
    assert (header.display_name, header.addr_spec) == (name, envelope.mail_from)
    assert str(email.header.make_header(email.header.decode_header(subject_of(lines)))) == f"Your order {'Ä' * 300}"


def subject_of(lines):
    return next(line.removeprefix("Subject: ") for line in lines if line.startswith("Subject: "))


def test_message_id_of_a_long_domain_is_one_ascii_word(mailbox, settings):
    domain = ".".join(["d" * 60] * 3 + ["example"])
    settings.DEFAULT_FROM_EMAIL = f"shop@{domain}"
    row = queue()
    delivery.deliver_due()
    lines, _words = names_and_words(mailbox.envelopes[0].content)
    assert f"Message-ID: <{row.public_id}@{domain}>" in lines


@pytest.mark.parametrize("sender", ["Büro <büro@example.org>", "shop@example.org\nBcc: spy@example.org"])
@pytest.mark.parametrize("option", ["from_email", "reply_to"])
def test_sender_that_the_backend_cannot_send_from_refuses_the_setup(mailbox, settings, sender, option):
    options = {"BACKEND": "email", "OPTIONS": {option: sender}}
    settings.SHOP_NOTIFY = {**settings.SHOP_NOTIFY, "NOTIFIERS": {"email": options}}
    row = queue()
    delivery.deliver_due()
    row.refresh_from_db()
    assert (row.state, row.attempts, mailbox.envelopes) == ("queued", 0, [])


def test_content_that_is_refused_after_data_is_permanent(mailbox):
    mailbox.data_replies = ["554 5.6.0 spam"]
    row = queue()
    delivery.deliver_due()
    row.refresh_from_db()
    assert (row.state, row.last_error) == ("failed", "5.6.0 spam")


def test_server_that_is_down_is_a_temporary_failure(settings):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        use_smtp(settings, free.getsockname()[1])
    row = queue()
    delivery.deliver_due()
    row.refresh_from_db()
    assert (row.state, row.last_error) == ("queued", "The mail server cannot be reached.")


def test_two_addresses_in_one_text_are_refused(mailbox):
    row = queue(address="a@example.org, b@example.org")
    delivery.deliver_due()
    row.refresh_from_db()
    assert row.state == "failed"
    assert mailbox.messages == []


def test_line_breaks_in_name_and_subject_do_not_become_headers(mailbox):
    context = {"order": {**order(), "number": "1\nBcc: spy@example.org"}}
    row = queue(context=context, recipient_name="A\r\nBcc: spy@example.org")
    delivery.deliver_due()
    row.refresh_from_db()
    assert all("spy@example.org" not in envelope.rcpt_tos for envelope in mailbox.envelopes)
    assert all(mail["Bcc"] is None for mail in mailbox.messages)
    assert row.state == "sent"


def test_unicode_and_emoji_arrive(mailbox):
    queue(recipient_name="Ñandú 🦩", context={"order": {**order(), "number": "É-🎉"}})
    delivery.deliver_due()
    (mail,) = mailbox.messages
    assert mail["Subject"] == "Your order É-🎉"
    assert "Ñandú 🦩" in mail.get_body(("plain",)).get_content()
