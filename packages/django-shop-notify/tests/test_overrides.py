from __future__ import annotations

import re
import tracemalloc

import pytest
from shop_notify import messages
from shop_notify.exceptions import TemplateRefused
from shop_notify.messages import overrides
from shop_notify.models import Notification, TemplateOverride

SAMPLE = {
    "order": {"number": "K7Q", "total": "10.00", "lines": [{"name": f"n{number}"} for number in range(100)]},
    "recipient": {"name": "Test Customer"},
}
LOOP, END, IF = "{% for line in order.lines %}", "{% endfor %}", "{% if 1 %}"


NESTED_ADD = '{% with x="abcdefgh" %}' + "{% with x=x|add:x %}" * 40 + "{{ x|length }}" + "{% endwith %}" * 41
NESTED_JOIN = '{% with x="12345678" %}' + "{% with x=order|join:x %}" * 40 + "{{ x|length }}" + "{% endwith %}" * 41


class Secretive:
    """An object that must not reach a template: it is turned into text first."""

    password = "pbkdf2-hash"

    def delete(self):
        raise AssertionError("called")

    def __str__(self):
        return "plain"


def template(text="x", **changes):
    return TemplateOverride(**{"event": "order_placed", "channel": "email", "text": text, **changes})


@pytest.mark.parametrize(
    "text",
    [
        "{% include 'shop_notify/order_placed/email.txt' %}",
        "{% extends 'shop_notify/_email.html' %}",
        "{% load static %}{% static 'x' %}",
        "{% load i18n %}",
        "{% debug %}",
        "{% now 'Y' %}",
        "{% csrf_token %}",
        "{% url 'admin:index' %}",
        '{{ "x"|center:"100000000" }}',
        '{{ "x"|ljust:"100000000" }}',
        "{{ order|pprint }}",
        "{{ order.number|safe }}",
        "{{ recipient|dictsort:'__class__' }}",
        f"{LOOP}{LOOP}{LOOP}x{END}{END}{END}",
        f"{IF}{LOOP}{LOOP}{IF}{LOOP}x{END}{{% endif %}}{END}{END}{{% endif %}}",
        "{% for a in order.lines %}{% for b in order.lines %}12345678{% endfor %}{% endfor %}",
        "{{ order.__class__ }}",
        "{{ order._number }}",
        "{% if %}",
        "{{ order.number",
        "x" * 40_000,
        "",
        # Bombs: the result would be far larger than the cap before the cap is checked.
        NESTED_ADD,
        NESTED_JOIN,
        '{{ "1"|floatformat:"99999999" }}',
        f"{LOOP}{LOOP}{'x' * 20_000}{END}{END}",
        "{% for a in order.lines %}{% for b in order.lines %}{{ order }}{% endfor %}{% endfor %}",
    ],
)
def test_hostile_or_broken_template_is_refused(text):
    row = template(text)
    if text == "{{ order.number":
        assert messages.validate_override(row, SAMPLE)["text"] == text
        return
    tracemalloc.start()
    with pytest.raises(TemplateRefused):
        messages.validate_override(row, SAMPLE)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * 1024 * 1024


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("{{ order.placed_at|date:'j F Y' }} {{ order.placed_at|time:'H:i' }}", "31 January 2026 15:00"),
        ("{{ order.on|date:'Y' }}", "2026"),
        ("{{ order.number|date:'Y' }}", ""),
        ("{{ order.missing|date:'Y' }}", ""),
        ("{{ 3|add:4 }} {{ order.number|add:'x' }} {{ order.total|floatformat:1 }}", "7 K7Qx 10.0"),
    ],
)
def test_filters_fit_plain_values(text, rendered, settings):
    settings.TIME_ZONE = "Africa/Nairobi"
    order = {"number": "K7Q", "total": "10.00", "placed_at": "2026-01-31T12:00:00Z", "on": "2026-02-28"}
    assert overrides.render_row(template(text), {"order": order}) == {"text": rendered}


def test_objects_are_plain_text_before_a_template_sees_them():
    row = template("{{ customer }}|{{ customer.password }}|{{ customer.delete }}")
    assert overrides.render_row(row, {"customer": Secretive()}) == {"text": "plain||"}


def test_sms_is_capped_at_six_segments():
    row = template("{% for line in order.lines %}1234567890{% endfor %}", channel="sms")
    with pytest.raises(TemplateRefused, match="918"):
        messages.validate_override(row, SAMPLE)


def test_html_is_escaped_and_text_is_not():
    row = template("{{ recipient.name }}", html="<p>{{ recipient.name }}</p>")
    assert overrides.render_row(row, {"recipient": {"name": "A & <b>"}}) == {
        "text": "A & <b>",
        "html": "<p>A &amp; &lt;b&gt;</p>",
    }


def row(**changes):
    values = {"event": "order_placed", "channel": "sms", "alias": "sms", "audience": "customer", "context": SAMPLE}
    return Notification(**{**values, **changes})


@pytest.mark.django_db
class TestFallBackChain:
    def test_file_of_the_language_then_english(self):
        assert messages.render(row(language="sw")).text.startswith("Asante")
        assert messages.render(row(language="sw-KE")).text.startswith("Asante")
        assert messages.render(row(language="en-GB")).text.startswith("Thank you")
        assert messages.render(row(language="fr")).text.startswith("Thank you")

    @pytest.mark.parametrize("folder", ["pt-br", "pt_BR"])
    @pytest.mark.parametrize("language", ["pt_BR", "pt-br", "PT-BR"])
    def test_folder_and_language_with_a_region_are_found_in_both_spellings(self, settings, tmp_path, folder, language):
        settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
        file = tmp_path / f"shop_notify/order_placed/{folder}/sms.txt"
        file.parent.mkdir(parents=True)
        file.write_text("{% load i18n %}{% translate 'Yes' %} {{ order.number }}")
        assert messages.render(row(language=language)).text == "Sim K7Q"

    @pytest.mark.parametrize("language", ["zh_CN", "zh-hans", "zh_Hans", "zh-Hans-CN", "zh-sg"])
    def test_chinese_of_a_region_is_found_by_its_script(self, settings, tmp_path, language):
        settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
        file = tmp_path / "shop_notify/order_placed/zh_Hans/sms.txt"
        file.parent.mkdir(parents=True)
        file.write_text("{% load i18n %}{% translate 'Yes' %} {{ order.number }}")
        assert messages.render(row(language=language)).text == "是 K7Q"

    def test_template_of_the_admin_is_found_by_both_spellings(self):
        TemplateOverride.objects.create(
            event="order_placed", channel="sms", language="pt_BR", text="br {{ order.number }}"
        )
        for language in ("pt-br", "pt_BR"):
            assert messages.render(row(language=language)).text == "br K7Q"
        assert messages.render(row(language="pt")).text.startswith("Thank you")

    def test_site_language_comes_before_english_for_other_languages(self, settings):
        settings.LANGUAGE_CODE = "sw"
        assert messages.render(row(language="fr")).text.startswith("Asante")
        assert messages.render(row(language="")).text.startswith("Asante")
        assert messages.render(row(language="en")).text.startswith("Thank you")

    def test_override_precedes_files_and_the_most_specific_is_used(self):
        make = TemplateOverride.objects.create
        make(event="order_placed", channel="sms", text="any {{ order.number }}")
        assert messages.render(row(language="en")).text == "any K7Q"
        make(event="order_placed", channel="sms", language="sw", text="sw {{ order.number }}")
        assert messages.render(row(language="sw-KE")).text == "sw K7Q"
        make(event="order_placed", channel="sms", language="sw", audience="customer", text="own {{ order.number }}")
        assert messages.render(row(language="sw")).text == "own K7Q"
        TemplateOverride.objects.update(is_active=False)
        assert messages.render(row(language="sw")).text.startswith("Asante")

    def test_empty_parts_of_an_override_fall_back_to_the_files(self):
        TemplateOverride.objects.create(event="order_placed", channel="email", subject="Mine {{ order.number }}")
        content = messages.render(row(channel="email", language="en"))
        assert content.subject == "Mine K7Q"
        assert "Thank you for your order" in content.text
        assert content.html.startswith("<!doctype html>")

    def test_override_without_html_makes_a_text_email(self):
        TemplateOverride.objects.create(event="order_placed", channel="email", text="Just {{ order.number }}")
        content = messages.render(row(channel="email"))
        assert (content.text, content.html) == ("Just K7Q", "")

    def test_channel_without_a_text_of_its_own_uses_that_of_the_sms(self):
        assert messages.render(row(channel="telegram")).text.startswith("Thank you")

    @pytest.mark.parametrize("event", ["../../etc/passwd", "a/b", "a b", ""])
    def test_event_cannot_be_a_path(self, event):
        from shop_notify.exceptions import TemplateMissing

        with pytest.raises(TemplateMissing):
            messages.render(row(event=event))


EVENTS = [
    "order_placed", "order_confirmed", "order_processing", "order_shipped", "order_delivered", "order_cancelled",
    "order_part_cancelled", "order_refunded", "payment_received", "payment_failed",
]  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("language", ["en", "sw"])
def test_every_event_of_the_shop_has_a_text_for_mail_and_sms(event, language):
    from shop_notify.segments import count_segments

    context = {
        "order": {
            "number": "K7Q-2M4",
            "currency": "KES",
            "total": "1160.00",
            "url": "https://shop.example.org/o/K7Q-2M4/",
            "lines": [{"quantity": 2, "name": "Tea", "line_total": "1000.00"}],
            "charges": [{"label": "VAT", "amount": "160.00"}],
        },
        "shipment": {"carrier": "G4S", "tracking_number": "T1", "tracking_url": "https://track.example.org/T1"},
        "refund": {"amount": "100.00", "reason": "damaged"},
        "cancelled": {"credited_amount": "500.00", "lines": [{"name": "Tea", "quantity": 1}]},
        "payment": {"amount": "1160.00"},
        "shop_name": "Duka",
    }
    sms = messages.render(row(event=event, language=language, context=context))
    mail = messages.render(row(event=event, language=language, context=context, channel="email"))
    assert "K7Q-2M4" in sms.text
    assert "{" not in sms.text + mail.text + mail.subject
    assert count_segments(sms.text).parts == 1
    assert "K7Q-2M4" in mail.subject
    assert mail.html.startswith("<!doctype html>")
    assert f'lang="{language}"' in mail.html


def account(**amounts):
    names = ("credited_amount", "paid_amount", "refunded_amount", "refunds_under_way", "amount_due", "refund_due")
    return {**dict.fromkeys(names, "0.00"), **amounts}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("event", "status", "amounts", "said", "not_said"),
    [
        (
            "order_refunded",
            "confirmed",
            {"paid_amount": "60.00", "refunded_amount": "15.00", "refunds_under_way": "0.04", "refund_due": "2.50"},
            (
                "refunded KES 5.00 for your order K7Q. Reason: Torn.",
                "1 x Tea",
                "Refunded in total: KES 15.00 of the KES 60.00 that you paid.",
                "On its way to you: KES 0.04",
                "Still to be refunded: KES 2.50",
            ),
            (),
        ),
        (
            "order_refunded",
            "confirmed",
            {"paid_amount": "60.00", "refunded_amount": "5.00"},
            ("Refunded in total: KES 5.00",),
            ("On its way", "Still to be"),
        ),
        (
            "order_cancelled",
            "cancelled",
            {"refund_due": "60.00"},
            ("We will refund KES 60.00",),
            ("If you", "You have paid"),
        ),
        ("order_cancelled", "cancelled", {}, ("was cancelled.",), ("refund", "paid")),
        (
            "order_cancelled",
            "cancelled",
            {"refunds_under_way": "60.00"},
            ("KES 60.00 is on its way back to you.",),
            ("will refund", "If you"),
        ),
        (
            "order_part_cancelled",
            "processing",
            {"refund_due": "5.00"},
            (
                "We cannot send a part of your order K7Q. Reason: Sold out.",
                "Not sent:",
                "1 x Tea",
                "Still to come:",
                "2 x Cup",
                "KES 3.00 was taken off your order.",
                "We will refund KES 5.00.",
            ),
            ("to pay", "Nothing more"),
        ),
        (
            "order_part_cancelled",
            "processing",
            {"amount_due": "5.00"},
            ("KES 5.00 is left to pay.",),
            ("will refund", "on its way back"),
        ),
        (
            "payment_received",
            "cancelled",
            {"refund_due": "60.00"},
            ("The order was cancelled before the payment arrived, so we owe you KES 60.00.",),
            ("Thank you",),
        ),
        ("payment_received", "confirmed", {"paid_amount": "60.00"}, ("Thank you.",), ("cancelled", "owe")),
    ],
)
def test_mails_about_money_state_the_account_of_the_order(event, status, amounts, said, not_said):
    context = {
        "order": {
            "number": "K7Q",
            "currency": "KES",
            "total": "60.00",
            "status": status,
            "lines": [],
            "charges": [],
            "account": account(**amounts),
        },
        "refund": {"amount": "5.00", "reason": "Torn", "lines": [{"name": "Tea", "quantity": 1}]},
        "cancelled": {
            "reason": "Sold out",
            "credited_amount": "3.00",
            "lines": [{"name": "Tea", "quantity": 1}],
            "remaining": [{"name": "Cup", "quantity": 2}],
        },
        "payment": {"amount": "60.00"},
    }
    mail = messages.render(row(event=event, context=context, channel="email"))
    for text in (mail.text, mail.html.replace("<li>", "").replace("<br>", " ")):
        assert [part for part in said if part not in text] == []
        assert [part for part in not_said if part in text] == []
    swahili = messages.render(row(event=event, context=context, channel="email", language="sw")).text
    assert [
        amount for amount in amounts.values() if ("KES " + amount in swahili) != ("KES " + amount in mail.text)
    ] == []


PARTS = {
    "part": ({"position": 1, "remaining": [{"name": "Cup", "quantity": 2}]}, "A part of", "Sehemu ya oda"),
    "rest": ({"position": 2, "remaining": []}, "The rest of", "Sehemu iliyobaki ya oda"),
    "whole": ({"position": 1, "remaining": []}, "rder K7Q is on its way", "Oda"),
    "old payload": ({}, "rder K7Q is on its way", "Oda"),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", PARTS)
def test_shipping_message_lists_sent_and_remaining_goods(name):
    values, english, swahili = PARTS[name]
    context = {
        "order": {"number": "K7Q", "currency": "KES", "total": "60.00"},
        "shipment": {"carrier": "Courier", "lines": [{"name": "Tea", "quantity": 1}], **values},
    }
    for language, start in (("en", english), ("sw", swahili)):
        mail = messages.render(row(event="order_shipped", context=context, channel="email", language=language))
        sms = messages.render(row(event="order_shipped", context=context, channel="sms", language=language)).text
        for text in (mail.subject, mail.text, re.sub("<[^>]+>", "", mail.html), sms):
            assert start in " ".join(text.split())
        for text in (mail.text, mail.html):
            assert ("1 x Tea" in text) == (name in {"part", "rest"})
            assert ("2 x Cup" in text) == (name == "part")
        assert (("The rest will follow." in sms) or ("itafuata" in sms)) == (name == "part")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("amounts", "said"),
    [
        ({}, "was cancelled."),
        ({"refund_due": "60.00"}, "was cancelled. We will refund KES 60.00."),
        ({"refunds_under_way": "60.00"}, "was cancelled. KES 60.00 is on its way back to you."),
    ],
)
def test_sms_about_a_cancelled_order_states_the_refund(amounts, said):
    order = {"number": "K7Q", "currency": "KES", "account": account(**amounts)}
    text = messages.render(row(event="order_cancelled", context={"order": order}, channel="sms")).text
    assert text.strip().endswith(said)
    swahili = messages.render(row(event="order_cancelled", context={"order": order}, channel="sms", language="sw"))
    assert ("KES 60.00" in swahili.text) == bool(amounts)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("event", "audience"), [("order_placed", "admins"), ("order_cancelled", "admins"), ("stock_low", "admins")]
)
def test_administrators_have_a_text(event, audience):
    context = {
        "order": {"number": "K7Q", "currency": "KES", "total": "1.00", "lines": [], "charges": []},
        "product": {"name": "Tea", "sku": "T"},
        "available": 2,
        "threshold": 5,
    }
    mail = messages.render(row(event=event, audience=audience, context=context, channel="email"))
    assert mail.subject
    assert mail.text
    assert mail.html
