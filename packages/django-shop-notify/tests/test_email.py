from __future__ import annotations

import re
import socket
from decimal import Decimal

import pytest
from conftest import use_smtp
from shop_notify import delivery
from shop_notify.models import Attempt, Notification, Suppression

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
