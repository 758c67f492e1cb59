"""Masks hide addresses and secrets, and leave the examples in our own error texts alone."""

from __future__ import annotations

import ast
import io
from pathlib import Path

import pytest
import shop_notify
from django.core.management import CommandError, call_command
from django.utils import translation
from shop_notify import delivery
from shop_notify.exceptions import AddressRefused
from shop_notify.masking import EXAMPLES, mask, mask_values
from shop_notify.models import Attempt, Notification
from shop_notify.notifiers import SmsNotifier

SOURCE = Path(shop_notify.__file__).parent
PHONE = "+254711000001"


def texts():
    """Every text that goes through gettext, as it is written."""
    for file in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"_", "gettext_lazy", "gettext_noop"}:
                yield from (argument.value for argument in node.args if isinstance(argument, ast.Constant))


def test_no_text_of_ours_is_changed():
    found = list(texts())
    assert len(found) > 100
    assert [text for text in found if mask(text, limit=1000) != text] == []


def test_example_stays_and_the_address_beside_it_does_not():
    text = f"AddressRefused: {EXAMPLES[0]} It was +254722000009, of ann@example.org. {EXAMPLES[0]}"
    assert mask(text) == f"AddressRefused: {EXAMPLES[0]} It was +254***09, of a***@example.org. {EXAMPLES[0]}"
    assert mask(f"This is not a phone number, such as {PHONE}.") == "This is not a phone number, such as +254***01."


@pytest.mark.parametrize("secret", ["whsec_", "base64", "E.164", "phone", PHONE])
def test_secret_that_is_a_word_of_an_example_hides_only_itself(secret):
    text = " ".join(EXAMPLES)
    assert mask(f"{text} {secret}", secrets=[secret]) == f"{text} ***"
    assert mask_values({"error": text}, secrets=[secret]) == {"error": text}


def test_example_stays_in_another_language(tmp_path, settings):
    """A translation is looked up when the text is masked, as it was when the error was made."""
    with translation.override("de"):
        assert mask(EXAMPLES[0]) == EXAMPLES[0]


def test_part_of_an_example_is_masked_as_any_other_text():
    assert mask(EXAMPLES[0][:-1]) == EXAMPLES[0][:-1].replace(PHONE, "+254***01")


@pytest.mark.django_db
def test_stored_error_and_command_show_the_example(settings):
    class Gateway(SmsNotifier):
        def send(self, message):
            raise NotImplementedError

    globals()["Gateway"] = Gateway
    notifiers = {"sms": {"BACKEND": f"{__name__}.Gateway"}}
    settings.SHOP_NOTIFY = {**settings.SHOP_NOTIFY, "NOTIFIERS": notifiers, "PHONE_REGIONS": ["KE"]}
    with pytest.raises(AddressRefused):
        Gateway(alias="sms").check_address("0711000001")
    values = {"event": "loan_made", "alias": "sms", "channel": "sms", "address": "0711000001", "event_id": "e-1"}
    Notification.objects.create(**values)
    delivery.deliver_due()
    assert Notification.objects.get().last_error == EXAMPLES[0]
    assert Attempt.objects.get().detail == EXAMPLES[0]
    with pytest.raises(CommandError, match="such as \\+254711000001"):
        call_command("test_notifier", "sms", to="0711000001", stdout=io.StringIO())
