"""SMS limits, fallback, suppression, unsubscribing, pruning and periodic jobs."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from shop_notify import delivery, jobs, outbox, pruning, recipients
from shop_notify.delivery import metering
from shop_notify.exceptions import PermanentFailure
from shop_notify.models import (
    Attempt,
    DeliveryReport,
    JobRun,
    Notification,
    Preference,
    SendCount,
    Suppression,
)
from shop_notify.notifiers import MemoryNotifier, Report
from shop_notify.recipients import preferences

pytestmark = pytest.mark.django_db
PHONE = "+254711000001"


class Paid(MemoryNotifier):
    channel = "sms"
    is_metered = True
    fails: list = []

    def send(self, message):
        if self.fails:
            raise self.fails.pop()
        return super().send(message)

    def read_report(self, request):
        return []


@pytest.fixture(autouse=True)
def notifiers(settings):
    Paid.fails = []
    settings.SHOP_NOTIFY = {
        **settings.SHOP_NOTIFY,
        "NOTIFIERS": {
            "sms": {"BACKEND": f"{__name__}.Paid", "OPTIONS": {"address_field": "phone"}},
            "email": {"BACKEND": "email"},
        },
        "SMS_LIMITS": {"phone_10_minutes": 3, "phone_day": 5, "customer_day": 4, "hour": 6},
        "BASE_URL": "https://shop.example.org",
    }


def queue(count=1, **changes):
    rows = [
        Notification(
            **{
                "event_id": f"e-{timezone.now().timestamp()}-{number}",
                "event": "order_confirmed",
                "alias": "sms",
                "channel": "sms",
                "address": PHONE,
                "context": {"order": {"number": "K7Q"}},
                **changes,
            }
        )
        for number in range(count)
    ]
    return Notification.objects.bulk_create(rows)


def states():
    return sorted(Notification.objects.values_list("state", flat=True))


def test_fourth_message_to_one_phone_waits_for_the_next_ten_minutes():
    queue(4)
    delivery.deliver_due()
    assert states() == ["queued", "sent", "sent", "sent"]
    waiting = Notification.objects.get(state="queued")
    assert (waiting.attempts, waiting.last_error) == (0, "SMS_LIMITS phone_10_minutes")
    assert timezone.now() < waiting.due_at <= timezone.now() + timedelta(minutes=10)
    assert waiting.due_at.timestamp() % 600 == 0


def test_customer_is_capped_over_several_phones():
    for number in range(6):
        queue(address=f"+25471100000{number}", recipient_key="customer:1")
    delivery.deliver_due()
    assert states().count("sent") == 4


def test_visitor_is_capped_over_several_phones_and_customers(settings):
    settings.SHOP_NOTIFY["SMS_LIMITS"] = {"visitor_hour": 3}
    for number in range(5):
        queue(
            address=f"+25471100000{number}",
            recipient_key=f"customer:{number}",
            audience="customer",
            context={"visitor": "0a1b"},
        )
    queue(address="+254711000009", audience="customer", context={"visitor": "2c3d"})
    queue(address="+254711000010", audience="customer", context={"visitor": ""})
    queue(address="+254711000011", audience="admins", context={"visitor": "0a1b"})
    delivery.deliver_due()
    assert states() == ["queued"] * 2 + ["sent"] * 6
    assert {row.last_error for row in Notification.objects.filter(state="queued")} == {"SMS_LIMITS visitor_hour"}


def test_hour_is_capped_over_all_phones():
    for number in range(8):
        queue(address=f"+25471100000{number}")
    delivery.deliver_due()
    assert states().count("sent") == 6


def test_used_up_hour_is_logged_once(caplog, django_capture_on_commit_callbacks, settings):
    settings.SHOP_NOTIFY["SMS_LIMITS"] = {"phone_10_minutes": 1, "hour": 2}
    with django_capture_on_commit_callbacks(execute=True):
        queue(3)
        delivery.deliver_due()
    assert "used up" not in caplog.text
    with django_capture_on_commit_callbacks(execute=True):
        queue(address="+254711000002")
        queue(address="+254711000003")
        delivery.deliver_due()
    assert caplog.text.count("used up") == 1


def test_message_that_expires_while_it_waits_is_skipped():
    queue(4, expires_at=timezone.now() + timedelta(seconds=1))
    delivery.deliver_due()
    Notification.objects.filter(state="queued").update(due_at=timezone.now(), expires_at=timezone.now())
    delivery.deliver_due()
    assert states() == ["sent", "sent", "sent", "skipped"]


def test_attempts_of_one_message_count_once():
    queue()
    for _ in range(3):
        row = Notification.objects.get()
        metering.count(row)
    assert set(SendCount.objects.values_list("used", flat=True)) == {1}


def test_nothing_is_counted_when_one_limit_is_used_up():
    queue(4)
    delivery.deliver_due()
    assert SendCount.objects.get(key="all").used == 3


def test_counts_hold_no_phone_number():
    queue()
    delivery.deliver_due()
    assert all(PHONE not in count.key and "254" not in count.key[:4] for count in SendCount.objects.all())


@pytest.mark.pg
@pytest.mark.django_db(transaction=True)
def test_eight_workers_together_never_exceed_a_limit():
    rows = queue(24)
    passed = []

    def take(mine):
        for row in mine:
            try:
                metering.count(row)
                passed.append(row)
            except metering.OverLimit:
                pass
        connection.close()

    threads = [threading.Thread(target=take, args=(rows[index::8],)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(passed) == 3
    assert SendCount.objects.get(key="all").used == 3


# Fallback


def fallback():
    return {"alias": "email", "channel": "email", "address": "c@example.org", "after_minutes": 30}


def test_refused_sms_is_followed_by_a_mail_once(mailbox):
    (row,) = queue(fallback=fallback())
    Paid.fails = [PermanentFailure("no route")]
    delivery.deliver_due()
    delivery.deliver_due()
    follower = Notification.objects.get(alias="email")
    assert (follower.state, follower.address, follower.origin_id) == ("sent", "c@example.org", row.pk)
    assert (follower.event_id, follower.event) == (row.event_id, row.event)
    delivery.start_fallbacks()
    delivery.deliver_due()
    assert [message["To"] for message in mailbox.messages] == ["c@example.org"]


def test_sms_that_is_not_delivered_in_time_is_followed_by_a_mail():
    queue(fallback=fallback())
    delivery.deliver_due()
    assert delivery.start_fallbacks() == 0
    Notification.objects.update(fallback_at=timezone.now())
    assert delivery.start_fallbacks() == 1
    assert Notification.objects.filter(alias="email", state="queued").count() == 1
    assert delivery.start_fallbacks() == 0


def test_sms_that_is_delivered_in_time_is_not_followed():
    queue(fallback=fallback())
    delivery.deliver_due()
    row = Notification.objects.get()
    delivery.receive_reports(
        "sms", [Report(provider_id=row.provider_id, status="Success", state="delivered", address=PHONE)]
    )
    row.refresh_from_db()
    assert (row.state, row.fallback_at) == ("delivered", None)


def test_report_of_failure_starts_the_fallback():
    queue(fallback=fallback())
    delivery.deliver_due()
    row = Notification.objects.get()
    delivery.receive_reports(
        "sms", [Report(provider_id=row.provider_id, status="Failed", state="failed", address=PHONE)]
    )
    assert delivery.start_fallbacks() == 1


def test_fallback_does_not_repeat_a_mail_that_was_sent_already():
    (row,) = queue(fallback=fallback())
    queue(alias="email", channel="email", address="c@example.org", event_id=row.event_id)
    Paid.fails = [PermanentFailure("no route")]
    delivery.deliver_due()
    delivery.deliver_due()
    assert Notification.objects.filter(alias="email").count() == 1
    assert len(mail.outbox) == 1


def test_sms_to_a_phone_that_has_opted_out_is_followed_by_a_mail():
    recipients.suppress("sms", PHONE, reason="stop")
    queue(fallback=fallback())
    delivery.deliver_due()
    assert sorted(Notification.objects.values_list("alias", "state")) == [("email", "sent"), ("sms", "skipped")]


def test_expired_sms_is_followed_by_a_mail():
    queue(fallback=fallback(), expires_at=timezone.now())
    delivery.deliver_due()
    assert sorted(Notification.objects.values_list("alias", "state")) == [("email", "sent"), ("sms", "skipped")]


def test_sms_that_the_recipient_has_muted_is_not_followed():
    Preference.objects.create(recipient_key="customer:1", group="updates", alias="sms", is_enabled=False)
    queue(fallback=fallback(), group="updates", recipient_key="customer:1")
    delivery.deliver_due()
    assert [(row.alias, row.state, row.fallback_at) for row in Notification.objects.all()] == [
        ("sms", "skipped", None)
    ]


@pytest.mark.parametrize(("after_minutes", "follows"), [(30, False), (0, True)])
def test_sms_over_a_limit_waits_unless_its_fallback_is_sooner(after_minutes, follows):
    queue(3)
    queue(fallback={**fallback(), "after_minutes": after_minutes})
    delivery.deliver_due()
    assert states().count("queued") == (0 if follows else 1)
    assert Notification.objects.filter(alias="email", state="sent").exists() is follows


@pytest.mark.parametrize("backend", ["no.such.Notifier", "nobody"])
def test_fallback_to_an_alias_that_cannot_be_loaded_waits_and_stops_nothing(settings, caplog, backend):
    settings.SHOP_NOTIFY["NOTIFIERS"]["pigeon"] = {"BACKEND": backend}
    queue(fallback={**fallback(), "alias": "pigeon"})
    queue()
    Paid.fails = [PermanentFailure("no route"), PermanentFailure("no route")]
    assert delivery.deliver_due() == 3
    assert "The provider of “pigeon” refuses its set-up" in caplog.text
    settings.SHOP_NOTIFY["NOTIFIERS"]["pigeon"] = {"BACKEND": "memory"}
    assert outbox.retry_dead(alias="pigeon") == 1
    delivery.deliver_due()
    assert Notification.objects.get(alias="pigeon").state == "sent"


def test_fallback_to_an_alias_that_is_gone_stops_nothing():
    queue(fallback={**fallback(), "alias": "pigeon"}, fallback_at=timezone.now(), state="failed")
    queue(fallback=fallback(), fallback_at=timezone.now(), state="failed")
    assert delivery.start_fallbacks() == 2
    assert Notification.objects.filter(alias="email").count() == 1


# Suppression and unsubscribing


def test_messages_are_sent_again_after_a_suppression_is_lifted():
    recipients.suppress("sms", PHONE, reason="stop")
    recipients.suppress("sms", PHONE, reason="bounce")
    assert Suppression.objects.get().reason == "stop"
    queue()
    delivery.deliver_due()
    assert states() == ["skipped"]
    assert recipients.lift_suppression("sms", PHONE)
    queue()
    delivery.deliver_due()
    assert states() == ["sent", "skipped"]


def test_suppression_ignores_case():
    recipients.suppress("email", "Member@Example.org", reason="complaint")
    queue(alias="email", channel="email", address="member@example.ORG")
    delivery.deliver_due()
    assert states() == ["skipped"]


@pytest.fixture
def newsletter(mailbox, settings):
    settings.SHOP_NOTIFY["ROUTES"] = [
        {"signal": "x.y", "event": "order_confirmed", "to": ["c"], "via": ["email"], "group": "news"}
    ]
    queue(alias="email", channel="email", address="c@example.org", group="news", recipient_key="customer:1")
    delivery.deliver_due()
    return mailbox.messages[0]


def test_mail_that_can_be_muted_has_the_one_click_headers(newsletter):
    assert newsletter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert newsletter["List-Unsubscribe"].strip().startswith("<https://shop.example.org/notify/unsubscribe/")


def test_list_unsubscribe_header_is_not_encoded(newsletter, mailbox):
    raw = mailbox.envelopes[0].content
    assert b"<https://shop.example.org/notify/unsubscribe/" in raw
    assert b"=?utf-8" not in raw


def unsubscribe_path(message):
    return message["List-Unsubscribe"].strip(" <>").removeprefix("https://shop.example.org")


def test_get_asks_and_post_mutes(newsletter):
    client = Client(enforce_csrf_checks=True)
    page = client.get(unsubscribe_path(newsletter))
    assert page.status_code == 200
    assert Preference.objects.count() == 0
    done = client.post(unsubscribe_path(newsletter), {"List-Unsubscribe": "One-Click"})
    assert done.status_code == 200
    wish = Preference.objects.get()
    assert (wish.recipient_key, wish.group, wish.alias, wish.is_enabled) == ("customer:1", "news", "email", False)
    assert preferences.muted(["customer:1"]) == {("customer:1", "news", "email")}


@pytest.mark.parametrize("token", ["nonsense", "WyJhIiwiYiIsImMiXQ:1abc:def"])
def test_forged_unsubscribe_link_is_404(token):
    assert Client().post(f"/notify/unsubscribe/{token}/").status_code == 404
    assert Preference.objects.count() == 0


@pytest.mark.parametrize(("language", "words"), [("en", "Unsubscribe from these"), ("sw", "Acha kupokea ujumbe huu")])
def test_mail_that_can_be_muted_shows_the_link(language, words, mailbox):
    queue(alias="email", channel="email", address="c@example.org", group="news", recipient_key="c", language=language)
    delivery.deliver_due()
    text, page = (mailbox.messages[0].get_body([kind]).get_content() for kind in ("plain", "html"))
    link = mailbox.messages[0]["List-Unsubscribe"].strip(" <>")
    assert words in page
    assert f'href="{link}"' in page
    assert link in text


def test_unsubscribe_link_does_not_change_over_time(monkeypatch):
    row = Notification(channel="email", alias="email", group="news", recipient_key="c")
    link = recipients.unsubscribe_link(row)
    monkeypatch.setattr("time.time", lambda: 4_000_000_000.0)
    assert recipients.unsubscribe_link(row) == link != ""


def test_transactional_mail_has_no_unsubscribe_link(mailbox):
    queue(alias="email", channel="email", address="c@example.org", recipient_key="customer:1")
    delivery.deliver_due()
    assert "/unsubscribe/" not in mailbox.envelopes[0].content.decode()
    assert mailbox.messages[0]["List-Unsubscribe"] is None
    assert recipients.unsubscribe_link(Notification.objects.get()) == ""


# Pruning and jobs


def test_pruning_deletes_only_notifications_finished_long_ago():
    queue(3)
    delivery.deliver_due()
    queue(alias="email", channel="email", address="c@example.org")
    old = timezone.now() - timedelta(days=91)
    kept = Notification.objects.filter(state="sent").first()
    Notification.objects.exclude(pk=kept.pk).update(updated_at=old, created_at=old)
    DeliveryReport.objects.create(alias="sms", provider_id="x", status="s", state="sent", received_at=old)
    assert pruning.prune() == 2
    assert sorted(Notification.objects.values_list("state", flat=True)) == ["queued", "sent"]
    assert Attempt.objects.count() == 1
    assert DeliveryReport.objects.count() == 0


def test_prune_command_takes_days(capsys):
    queue()
    delivery.deliver_due()
    Notification.objects.update(updated_at=timezone.now() - timedelta(days=2))
    call_command("prune_notifications", days=1)
    assert capsys.readouterr().out == "1 deleted.\n"


def test_jobs_run_when_due_and_are_overdue_when_they_do_not():
    assert [job.name for job in jobs.overdue()] == ["fall_back", "deliver", "check_balances", "prune"]
    queue()
    call_command("shop_notify_jobs")
    assert states() == ["sent"]
    assert jobs.overdue() == []
    queue()
    assert jobs.run_due() == []
    assert states() == ["queued", "sent"]
    JobRun.objects.filter(name="deliver").update(
        last_started_at=timezone.now() - timedelta(minutes=2), last_finished_at=timezone.now() - timedelta(minutes=5)
    )
    assert [job.name for job in jobs.overdue()] == ["deliver"]
    assert jobs.run_due() == []
    assert states() == ["sent", "sent"]


def test_job_that_raises_is_recorded_and_the_others_run(monkeypatch, capsys):
    def broken():
        raise RuntimeError("for member@example.org")

    first = replace(jobs.JOBS[0], function=broken)
    monkeypatch.setattr(jobs.SCHEDULE, "own", (first, *jobs.JOBS[1:]))
    queue()
    with pytest.raises(CommandError, match="fall_back"):
        call_command("shop_notify_jobs")
    assert states() == ["sent"]
    assert JobRun.objects.get(name="fall_back").last_error == "RuntimeError: for m***@example.org"
    call_command("shop_notify_jobs", "--list")
    assert "last error: RuntimeError" in capsys.readouterr().out
