from __future__ import annotations

import django
import pytest

pytest.importorskip("anymail", reason="needs django-shop-notify[anymail]")

import requests
from anymail.exceptions import AnymailRequestsAPIError
from anymail.signals import AnymailTrackingEvent, tracking
from shop_notify import delivery
from shop_notify.models import DeliveryReport, Notification, Suppression
from shop_notify.notifiers import email as email_notifier
from shop_notify.storable import stored_id

pytestmark = pytest.mark.django_db
BACKEND = "anymail.backends.test.EmailBackend"


@pytest.fixture(autouse=True)
def backend(settings):
    if django.VERSION >= (6, 1):
        settings.MAILERS = {"default": {"BACKEND": BACKEND}}
    else:
        settings.EMAIL_BACKEND = BACKEND


@pytest.fixture
def row():
    row = Notification.objects.create(
        event_id="e",
        event="newsletter",
        alias="email",
        channel="email",
        address="m@example.org",
        context={"headline": "h"},
    )
    delivery.deliver_due()
    row.refresh_from_db()
    return row


def send_tracking_event(row, kind, **changes):
    values = {"message_id": row.provider_id, "recipient": "m@example.org", "esp_event": {}, **changes}
    tracking.send(sender=object, event=AnymailTrackingEvent(event_type=kind, **values), esp_name="Test")
    row.refresh_from_db()
    return row.state


def test_id_of_the_provider_is_stored(row):
    assert row.state == "sent"
    assert row.provider_id == "0"


@pytest.mark.parametrize(
    ("kind", "state"),
    [("queued", "sent"), ("deferred", "sent"), ("delivered", "delivered"), ("opened", "read"), ("bounced", "failed")],
)
def test_tracking_event_moves_the_notification_forward(row, kind, state):
    assert send_tracking_event(row, kind) == state


def test_events_never_move_it_back(row):
    send_tracking_event(row, "opened")
    assert send_tracking_event(row, "delivered") == "read"
    assert send_tracking_event(row, "bounced") == "read"


@pytest.mark.parametrize(
    ("kind", "reason"), [("bounced", "bounce"), ("complained", "complaint"), ("unsubscribed", "stop")]
)
def test_bounce_complaint_and_opt_out_suppress_the_address(row, kind, reason):
    send_tracking_event(row, kind)
    assert Suppression.objects.get().reason == reason


@pytest.mark.parametrize(
    "event",
    [
        {"esp_event": {"bounce": {"bounceType": "Transient", "bounceSubType": "General"}}},  # SES: a holiday reply
        {"esp_event": {"bounce": {"bounceType": "Undetermined"}}},
        {"esp_event": {"RecordType": "Bounce", "Type": "SoftBounce"}, "reject_reason": "bounced"},  # Postmark
        {"esp_event": {"event": "soft_bounce"}},  # Brevo, Mandrill
        {"esp_event": {"event": "bounce", "type": "blocked"}},  # SendGrid
        {"esp_event": {"event": "bounce", "hard_bounce": False}},  # Mailjet
        {"esp_event": {"type": "bounce", "bounce_class": "22"}, "reject_reason": "bounced"},  # SparkPost: full
        {"esp_event": {"type": "activity.soft_bounced"}},  # MailerSend
        {"esp_event": {"data": {"bounce": {"type": "Transient"}}}},  # Resend
        {"reject_reason": "blocked"},
        {"reject_reason": "spam"},
        {"reject_reason": "timed_out"},
        {"reject_reason": "other"},
        {"mta_response": "452 4.2.2 mailbox full"},
        {"mta_response": "552 5.2.2 mailbox full"},
        {"mta_response": "550 5.7.1 sender refused"},
        {"mta_response": "550 5.1.8 bad sender"},
    ],
)
def test_temporary_bounce_or_one_about_the_sender_suppresses_nobody(row, event):
    assert send_tracking_event(row, "bounced", **event) == "failed"
    assert not Suppression.objects.exists()


@pytest.mark.parametrize(
    "event",
    [
        {"esp_event": {"bounce": {"bounceType": "Permanent", "bounceSubType": "NoEmail"}}},
        {"esp_event": {"RecordType": "Bounce", "Type": "HardBounce"}, "reject_reason": "bounced"},
        {"esp_event": {"event": "bounce", "hard_bounce": True}, "reject_reason": "invalid"},
        {"esp_event": {"type": "bounce", "bounce_class": "10"}, "reject_reason": "invalid"},
        {"mta_response": "550 5.1.1 no such user at 192.5.1.9"},
        {"mta_response": "550-5.7.26.1 is a host; 550 5.1.10 null MX."},
        {"mta_response": "550 no such user", "esp_event": {"a": {"b": {"c": {"d": {"type": "soft"}}}}}},
    ],
)
def test_address_that_does_not_exist_is_suppressed(row, event):
    assert send_tracking_event(row, "bounced", **event) == "failed"
    assert Suppression.objects.get().reason == "bounce"


def test_holiday_reply_changes_nothing(row):
    assert send_tracking_event(row, "autoresponded") == "sent"
    assert not Suppression.objects.exists()


def test_event_about_another_recipient_changes_nothing(row):
    assert send_tracking_event(row, "delivered", recipient="somebody@example.org") == "sent"


def test_event_without_meaning_is_ignored(row):
    assert send_tracking_event(row, "subscribed") == "sent"
    assert send_tracking_event(row, "delivered", message_id=None) == "sent"
    assert DeliveryReport.objects.count() == 0


@pytest.mark.parametrize(
    ("status", "state", "attempts"),
    [(429, "queued", 1), (500, "queued", 1), (400, "failed", 1), (401, "queued", 0), (403, "queued", 0)],
)
def test_http_status_of_the_provider_decides(monkeypatch, status, state, attempts):
    def refuse(self, **kwargs):
        response = requests.Response()
        response.status_code, response.reason, response._content = status, "no", b""
        raise AnymailRequestsAPIError("no", response=response)

    monkeypatch.setattr(email_notifier._Mail, "send", refuse)
    row = Notification.objects.create(
        event_id="e", event="newsletter", alias="email", channel="email", address="m@example.org"
    )
    delivery.deliver_due()
    row.refresh_from_db()
    assert (row.state, row.attempts) == (state, attempts)


def test_long_id_of_the_provider_is_found(row):
    """Also if another alias than the first one has sent the message."""
    long = "m" * 250
    Notification.objects.filter(pk=row.pk).update(alias="letters", provider_id=stored_id(long, 200))
    assert send_tracking_event(row, "delivered", message_id=long) == "delivered"
