"""Secret values reach the recipient and nobody else: no row, page, response or log has them."""

from __future__ import annotations

import json
from html import escape
from urllib.parse import quote, quote_plus

import pytest
from django.contrib.auth import get_user_model
from django.core import serializers
from shop_notify import delivery, outbox, personal_data
from shop_notify.exceptions import NotRetryable, PermanentFailure, TemplateRefused, TemporaryFailure
from shop_notify.messages import preview_notification, render, sample_values, validate_override
from shop_notify.models import Attempt, DeliveryReport, Notification, State, TemplateOverride
from shop_notify.notifiers import Message, Notifier, Receipt, Report
from shop_notify.secret_values import MASK

pytestmark = pytest.mark.django_db

SECRET = "QXZV-7731"
STAFF = "/api/notifications/staff/"


def code_of(context):
    return f"QXZV-{context['seed']}"


def no_code_of(context):
    raise LookupError(context["seed"])


class Echoing(Notifier):
    """A provider that repeats the message in its responses and errors."""

    channel = "memory"
    sent: list[Message] = []
    error: type[Exception] | None = None
    receipt = None

    def send(self, message: Message) -> Receipt:
        self.sent.append(message)
        if self.error is not None:
            raise self.error(f"Refused: {message.text}")
        return Receipt(
            **self.receipt(message.text)
            if self.receipt
            else {"provider_id": "p", "response": {"received": [message.text]}}
        )


@pytest.fixture(autouse=True)
def _settings(settings, monkeypatch):
    monkeypatch.setattr(Echoing, "sent", [])
    monkeypatch.setattr(Echoing, "error", None)
    settings.SHOP_NOTIFY = {
        **settings.SHOP_NOTIFY,
        "NOTIFIERS": {"memory": {"BACKEND": f"{__name__}.Echoing"}},
        "SECRETS": {"newsletter": {"headline": f"{__name__}.code_of"}},
    }


def queued(**changes):
    values = {"event_id": "e", "event": "newsletter", "alias": "memory", "channel": "memory"}
    address, context = "a@live.example", {"seed": "7731"}
    return Notification.objects.create(**{**values, "address": address, "context": context, **changes})


def stored():
    return serializers.serialize("json", [*Notification.objects.all(), *Attempt.objects.all()])


def test_only_the_sent_message_has_the_secret():
    row = queued(language="en", recipient_key="user:1")

    assert delivery.deliver_due() == 1

    assert [message.text for message in Echoing.sent] == [f"Offer: {SECRET}"]
    assert SECRET not in stored()
    row.refresh_from_db()
    assert (row.state, row.text) == (State.SENT, f"Offer: {MASK}")
    assert Attempt.objects.get().response == {"received": ["Offer: ***"]}
    assert SECRET not in json.dumps(personal_data.export_personal_data({"keys": ["user:1"]}))
    assert not hasattr(Echoing.sent[0], "secrets")
    assert SECRET not in str(Echoing.sent[0].context)


@pytest.mark.parametrize("error", [TemporaryFailure, PermanentFailure, ValueError])
def test_no_error_has_the_secret(error, caplog):
    Echoing.error = error
    queued()

    delivery.deliver_due()

    assert len(Echoing.sent) == 1
    assert SECRET not in stored() + caplog.text
    assert Attempt.objects.get().detail.endswith("Offer: ***")


def test_previews_and_samples_mask_the_secret(client):
    row = queued()
    user = get_user_model().objects.create_superuser("boss", "boss@live.example", "pw")
    client.force_login(user)

    previews = [
        render(row).text,
        preview_notification(row).text,
        client.get(f"{STAFF}{row.public_id}/preview/").json()["text"],
    ]

    assert previews == [f"Offer: {MASK}"] * 3
    assert sample_values("newsletter")["headline"] == MASK
    assert SECRET not in client.get(f"/admin/shop_notify/notification/{row.pk}/change/").content.decode()


def test_templates_of_the_admin_cannot_send_the_secret_elsewhere():
    """Whoever may write templates could ask for a code in somebody's name, and read it in the log of their server."""
    template = {"event": "newsletter", "channel": "memory", "text": "https://live.example/{{ headline }}"}
    with pytest.raises(TemplateRefused, match="template files"):
        validate_override(TemplateOverride(**template), sample_values("newsletter"))
    TemplateOverride.objects.create(**template)  # from before the event had a secret
    queued()

    delivery.deliver_due()

    assert [message.text for message in Echoing.sent] == [f"Offer: {SECRET}"]


@pytest.mark.parametrize(
    "receipt",
    [
        lambda code: {"provider_id": code, "provider_code": code},
        lambda code: {"response": {code: 1, "deep": [{code: [code.lower()]}]}},
        lambda code: {"response": {"html": escape(code), "url": quote(code), "form": quote_plus(code)}},
        lambda code: {"response": {"json": json.dumps(code), "ascii": json.dumps(code, ensure_ascii=False)}},
    ],
)
@pytest.mark.parametrize("secret", ["QXZV-7731", "https://live.example/?a=1&b=<é> 2"])
def test_no_part_of_a_receipt_has_the_secret_however_it_is_written(receipt, secret, monkeypatch):
    monkeypatch.setitem(globals(), "code_of", lambda _context: secret)
    monkeypatch.setattr(Echoing, "receipt", staticmethod(lambda _text: receipt(secret)))
    queued()

    delivery.deliver_due()

    assert Notification.objects.get().state == State.SENT
    kept = json.dumps([list(model.objects.values()) for model in (Notification, Attempt)], default=str).lower()
    for form in (secret, escape(secret), quote(secret), quote_plus(secret), json.dumps(secret)[1:-1]):
        assert form.lower() not in kept
        assert json.dumps(form)[1:-1].lower() not in kept


def test_number_that_is_the_secret_is_not_kept(monkeypatch):
    monkeypatch.setitem(globals(), "code_of", lambda _context: "773184")
    monkeypatch.setattr(Echoing, "receipt", staticmethod(lambda _text: {"response": {"code": 773184, "cost": 12}}))
    queued()

    delivery.deliver_due()

    assert Attempt.objects.get().response == {"code": "***", "cost": 12}


@pytest.mark.parametrize("error", [TemporaryFailure, PermanentFailure])
def test_no_code_of_a_failure_has_the_secret(error, monkeypatch):
    monkeypatch.setattr(Echoing, "error", staticmethod(lambda text: error("Refused", provider_code=text[-9:])))
    queued()

    delivery.deliver_due()

    assert Attempt.objects.get().provider_code == "***"


@pytest.mark.parametrize("is_early", [False, True])
def test_no_delivery_report_has_the_secret(is_early):
    """A provider may quote the message in its report, which may arrive before the result is recorded."""
    values = {"state": State.SENDING} if is_early else {"state": State.SENT, "provider_id": "p"}
    queued(**values)

    delivery.receive_reports("memory", [Report(provider_id="p", status="no", state="failed", detail=f"x {SECRET}")])

    assert DeliveryReport.objects.get().detail == "x ***"
    assert SECRET not in stored()


def test_report_of_a_secret_that_cannot_be_made_has_no_detail(settings):
    settings.SHOP_NOTIFY["SECRETS"] = {"newsletter": {"headline": f"{__name__}.no_code_of"}}
    queued(state=State.SENT, provider_id="p")

    delivery.receive_reports("memory", [Report(provider_id="p", status="no", state="failed", detail=f"x {SECRET}")])

    assert DeliveryReport.objects.get().detail == ""


@pytest.mark.parametrize("state", [State.SENT, State.DEAD, State.UNKNOWN, State.FAILED])
@pytest.mark.parametrize("address", ["", "mine@live.example"])
def test_staff_cannot_send_it_again(client, state, address):
    """Staff who ask for a code in somebody's name could otherwise send it to themselves."""
    row = queued(state=state)
    client.force_login(get_user_model().objects.create_superuser("boss", "boss@live.example", "pw"))

    for again in (outbox.resend, outbox.retry):
        with pytest.raises(NotRetryable, match="has a secret"):
            again(row, **({"address": address} if again is outbox.resend else {}))
    response = client.post(
        f"{STAFF}{row.public_id}/resend/", json.dumps({"address": address}), content_type="application/json"
    )

    assert (response.status_code, response.json()["code"]) == (409, "not_retryable")
    assert outbox.retry_dead() == 0
    assert list(Notification.objects.values_list("state", "address")) == [(state, "a@live.example")]


def test_code_that_cannot_be_made_is_tried_again(settings):
    settings.SHOP_NOTIFY["SECRETS"] = {"newsletter": {"headline": f"{__name__}.no_code_of"}}
    queued()

    delivery.deliver_due()

    assert Echoing.sent == []
    assert Notification.objects.get().state == State.QUEUED
    assert Attempt.objects.get().outcome == Attempt.Outcome.TEMPORARY
