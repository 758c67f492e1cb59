"""Texts that are too long, or that a database cannot store, are refused by every public function, on each database."""

import inspect
import re
from contextlib import suppress

import pytest
from django.core.signing import BadSignature
from shop_notify import history, outbox, recipients
from shop_notify.exceptions import ShopNotifyError, TextRefused
from shop_notify.models import Notification, Preference, Suppression

pytestmark = pytest.mark.django_db
TEXTS = {"long": "a" * 3000, "NUL": "a\0b@example.org", "surrogate": "a\ud800b@example.org"}
MODULES = {"history": history, "outbox": outbox, "recipients": recipients}
ELSEWHERE = {"history.label": "reads no database"}


def parameters():
    """``(function, parameter)`` of every public function that takes a text, or several."""
    found = []
    for module_name, module in MODULES.items():
        names = getattr(module, "__all__", [name for name in vars(module) if not name.startswith("_")])
        for name in sorted(names):
            function = getattr(module, name)
            if not inspect.isfunction(function) or not function.__module__.startswith(module.__name__):
                continue
            found += [
                (f"{module_name}.{name}", parameter.name)
                for parameter in inspect.signature(function).parameters.values()
                if re.search(r"\bstr\b", str(parameter.annotation))
            ]
    return [row for row in found if row[0] not in ELSEWHERE]


@pytest.fixture
def act(settings):
    """Call a public function with a text as one of its parameters."""
    alias = next(iter(settings.SHOP_NOTIFY["NOTIFIERS"]))

    def sent():
        values = {"event": "order_placed", "alias": alias, "channel": "email", "address": "c@example.org"}
        return Notification.objects.create(event_id=f"e-{Notification.objects.count()}", **values)

    def suppressing(channel="email", address="c@example.org", reason="complaint", note=""):
        recipients.suppress(channel, address, reason=reason, note=note)

    calls = {
        "history.deliveries": lambda reference="K7Q", **more: history.deliveries(reference, **more),
        "outbox.resend": lambda **more: outbox.resend(sent(), **more),
        "outbox.resend_once": lambda key="k", **more: outbox.resend_once(sent(), key=key, **more),
        "outbox.retry_dead": outbox.retry_dead,
        "recipients.suppress": suppressing,
        "recipients.lift_suppression": lambda channel="email", address="c@x.org", reason="": (
            recipients.lift_suppression(channel, address, reason=reason)
        ),
        "recipients.suppressed": lambda channel="email", addresses="c@x.org": recipients.suppressed(
            channel, [addresses]
        ),
        "recipients.hash_addresses": lambda addresses: recipients.hash_addresses([addresses]),
        "recipients.muted": lambda recipient_keys: recipients.muted([recipient_keys]),
        "recipients.preference_choices": recipients.preference_choices,
        "recipients.read_preferences": recipients.read_preferences,
        "recipients.write_preferences": lambda recipient_key="user:1", changes="news": recipients.write_preferences(
            recipient_key, {changes: {alias: False}} if changes != "news" else {}
        ),
        "recipients.unsubscribe": recipients.unsubscribe,
    }

    def call(name, parameter, text):
        return calls[name](**{parameter: text})

    call.names = set(calls)
    return call


def test_every_function_is_tried(act):
    assert {name for name, _parameter in parameters()} - act.names == set()


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize(("name", "parameter"), parameters())
def test_text_that_cannot_be_stored_is_refused(act, name, parameter, kind):
    with suppress(ShopNotifyError, BadSignature):
        act(name, parameter, TEXTS[kind])
    for model in (Notification, Preference, Suppression):
        for row in model.objects.all():
            for column in model._meta.concrete_fields:
                value = getattr(row, column.attname)
                if isinstance(value, str):
                    assert "\0" not in value
                    assert "\ud800" not in value
                    assert column.max_length is None or len(value) <= column.max_length, (name, column)


def test_error_names_the_field_and_says_what_to_do(act):
    with pytest.raises(TextRefused, match=r"channel: enter at most \d+ characters"):
        act("recipients.suppress", "channel", TEXTS["long"])
