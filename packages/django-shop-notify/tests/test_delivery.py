from __future__ import annotations

import contextlib
import sys
import threading
import time
from datetime import timedelta

import pytest
from django.db import OperationalError, connections, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import resolve
from django.utils import timezone
from shop_core.db.transactions import CalledInTransaction
from shop_notify import delivery, outbox
from shop_notify.delivery import claiming, draining, metering, sending, settling, workers
from shop_notify.exceptions import NotRetryable, PermanentFailure, TemporaryFailure, UnknownOutcome
from shop_notify.models import Attempt, DeliveryReport, Notification, State, Suppression, Worker
from shop_notify.notifiers import MemoryNotifier, Message, Notifier, Receipt, Report
from shop_notify.notifiers.http import retry_after_seconds
from shop_notify.signals import notification_failed, notification_sent

pytestmark = pytest.mark.django_db


class Scripted(Notifier):
    """Takes one entry of its script per message, and accepts all messages after the last entry."""

    channel = "memory"
    script: list = []
    seen: list = []

    def read_report(self, request):
        return []

    def send(self, message: Message) -> Receipt:
        self.seen.append(message)
        step = self.script.pop(0) if self.script else None
        if isinstance(step, BaseException):
            raise step
        if callable(step):
            return step()
        return step or Receipt(provider_id=f"p-{len(self.seen)}")


class Paid(Scripted):
    is_metered = True
    repeats_unknown = False
    max_attempts = 4


@pytest.fixture(autouse=True)
def notifiers(settings):
    Scripted.script, Scripted.seen = [], []
    settings.SHOP_NOTIFY = {
        **settings.SHOP_NOTIFY,
        "NOTIFIERS": {
            "memory": {"BACKEND": "memory"},
            "scripted": {"BACKEND": f"{__name__}.Scripted"},
            "paid": {"BACKEND": f"{__name__}.Paid"},
        },
    }
    sys.modules.setdefault(__name__, sys.modules[Scripted.__module__])


def queue(count=1, alias="scripted", **changes):
    rows = [
        Notification(
            **{
                "event_id": f"e-{alias}-{number}",
                "event": "newsletter",
                "alias": alias,
                "channel": "memory",
                "address": f"{number}@example.org",
                "context": {"headline": f"h{number}"},
                **changes,
            }
        )
        for number in range(count)
    ]
    return Notification.objects.bulk_create(rows)


def only():
    return Notification.objects.get()


def make_due():
    Notification.objects.filter(state="queued").update(due_at=timezone.now())


def test_message_is_rendered_sent_and_recorded():
    queue(alias="memory", language="en", recipient_name="Test Member")
    assert delivery.deliver_due() == 1
    row = only()
    assert row.last_error == ""
    assert (row.state, row.attempts, row.provider_id, row.text) == ("sent", 1, str(row.public_id), "Offer: h0")
    assert row.sent_at is not None
    assert row.lease is None
    (message,) = MemoryNotifier.outbox["memory"]
    assert (message.id, message.to, message.text) == (str(row.public_id), "0@example.org", "Offer: h0")
    attempt = Attempt.objects.get()
    assert (attempt.number, attempt.outcome) == (1, "accepted")
    assert Worker.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_nothing_is_sent_in_a_transaction():
    """A rollback would delete the record of what was sent, and the message would be sent again."""
    (row,) = queue()
    with pytest.raises(CalledInTransaction, match="ATOMIC_REQUESTS"), transaction.atomic():
        delivery.deliver_due()
    with transaction.atomic():
        delivery.wake_up()
    row.refresh_from_db()
    assert (row.state, row.attempts, Scripted.seen) == (State.QUEUED, 0, [])
    assert delivery.deliver_due() == 1


def test_address_of_delivery_reports_is_exempt_from_atomic_requests():
    for url in ("/notify/reports/memory/", "/notify/reports/memory/secret/"):
        assert resolve(url).func._non_atomic_requests == set(connections)


def test_nothing_due_costs_one_query(django_assert_num_queries):
    queue(due_at=timezone.now() + timedelta(hours=1))
    with django_assert_num_queries(1):
        assert delivery.deliver_due() == 0


def test_temporary_failure_is_tried_again_with_growing_delay_and_ends_dead():
    queue()
    waits = []
    for number in range(1, Scripted.max_attempts + 1):
        Scripted.script = [TemporaryFailure("busy", provider_code="451")]
        delivery.deliver_due()
        row = only()
        assert row.attempts == number
        waits.append((row.due_at - timezone.now()).total_seconds())
        make_due()
    assert row.state == "dead"
    assert row.last_error == "busy"
    for number, wait in enumerate(waits[:-1]):
        base = min(15 * 4**number, 6 * 3600)
        assert base * 0.5 - 2 <= wait <= base * 1.5
    assert list(Attempt.objects.values_list("outcome", flat=True)) == ["temporary"] * 8
    assert delivery.deliver_due() == 0


def test_retry_after_is_honoured():
    queue()
    Scripted.script = [TemporaryFailure("slow down", retry_after=3600)]
    delivery.deliver_due()
    assert (only().due_at - timezone.now()).total_seconds() >= 3590


def test_permanent_failure_fails_at_once_and_can_suppress_the_address():
    queue()
    Scripted.script = [PermanentFailure("no such mailbox", suppress="bounce")]
    delivery.deliver_due()
    assert (only().state, only().attempts) == ("failed", 1)
    assert Suppression.objects.get().address == "0@example.org"
    queue(event_id="later")
    delivery.deliver_due()
    later = Notification.objects.get(event_id="later")
    assert (later.state, later.last_error) == ("skipped", "The address is suppressed.")
    assert len(Scripted.seen) == 1


def test_unknown_outcome_of_a_free_message_is_tried_again():
    queue()
    Scripted.script = [UnknownOutcome("connection lost")]
    delivery.deliver_due()
    assert only().state == "queued"
    make_due()
    delivery.deliver_due()
    assert only().state == "sent"


def test_unknown_outcome_of_a_paid_message_is_not_repeated():
    queue(alias="paid")
    Scripted.script = [UnknownOutcome("connection lost")]
    delivery.deliver_due()
    row = only()
    assert (row.state, row.attempts) == ("unknown", 1)
    make_due()
    assert delivery.deliver_due() == 0


def test_unknown_outcome_of_a_paid_message_is_repeated_once_if_repeat_unknown_is_set(monkeypatch):
    monkeypatch.setattr(Paid, "repeats_unknown", True)
    queue(alias="paid")
    Scripted.script = [UnknownOutcome("lost"), UnknownOutcome("lost")]
    delivery.deliver_due()
    assert only().state == "queued"
    assert 590 <= (only().due_at - timezone.now()).total_seconds() <= 600
    make_due()
    delivery.deliver_due()
    assert (only().state, only().attempts) == ("unknown", 2)


def test_expired_message_is_skipped():
    queue(expires_at=timezone.now() - timedelta(seconds=1))
    delivery.deliver_due()
    assert (only().state, only().last_error) == ("skipped", "The message has expired.")
    assert Scripted.seen == []


def test_lower_priority_number_is_sent_first():
    queue(event_id="newsletter", priority=9)
    queue(event_id="code", priority=1)
    delivery.deliver_due()
    assert [message.context for message in Scripted.seen] == [{"headline": "h0"}] * 2
    sent = Notification.objects.order_by("sent_at").values_list("event_id", flat=True)
    assert list(sent) == ["code", "newsletter"]


def test_template_that_is_missing_is_a_temporary_failure_that_names_the_file():
    queue(event="unheard_of")
    delivery.deliver_due()
    assert only().state == "queued"
    assert "shop_notify/unheard_of/memory.txt" in only().last_error


def test_alias_that_is_gone_from_the_settings_is_a_temporary_failure():
    queue(alias="pigeon")
    delivery.deliver_due()
    assert only().state == "queued"
    assert "pigeon" in only().last_error


@pytest.mark.parametrize("error", [KeyError("x"), SystemExit(1), RecursionError(), MemoryError()])
def test_exception_of_one_notifier_does_not_stop_the_others(error):
    queue(2)
    Scripted.script = [error]
    assert delivery.deliver_due() == 2
    assert sorted(Notification.objects.values_list("state", flat=True)) == ["queued", "sent"]


def test_notifier_that_returns_nonsense_has_an_unknown_outcome():
    queue()
    Scripted.script = [lambda: "ok"]
    delivery.deliver_due()
    assert (only().state, only().last_error) == ("queued", "The notifier returned no receipt.")


def test_notifier_that_hangs_is_stopped_and_the_other_alias_goes_on(monkeypatch):
    monkeypatch.setattr(sending, "SEND_SECONDS", 0.3)
    queue(3, priority=1)
    queue(3, alias="memory")

    def hang():
        while True:
            with contextlib.suppress(Exception):
                time.sleep(30)

    Scripted.script = [hang]
    began = time.monotonic()
    delivery.deliver_due()
    assert time.monotonic() - began < 5
    assert len(MemoryNotifier.outbox["memory"]) == 3
    assert Attempt.objects.filter(provider_code="time").count() == 1
    waiting = Notification.objects.filter(alias="scripted")
    assert sorted(waiting.values_list("state", "attempts")) == [("queued", 0), ("queued", 0), ("queued", 1)]


def test_row_of_a_killed_worker_is_due_again_when_its_lease_has_run_out():
    queue()
    worker = workers.start_worker()
    claimed = claiming.claim(worker)
    assert [row.attempts for row in claimed.rows] == [1]
    workers.stop_worker(worker)
    assert delivery.deliver_due() == 0
    Notification.objects.update(due_at=timezone.now())
    assert delivery.deliver_due() == 1
    assert (only().state, only().attempts) == ("sent", 2)


def test_message_that_kills_its_worker_every_time_ends_dead():
    queue()
    for _ in range(Scripted.max_attempts):
        worker = workers.start_worker()
        assert claiming.claim(worker) is not None
        workers.stop_worker(worker)
        Notification.objects.update(due_at=timezone.now())
    delivery.deliver_due()
    assert (only().state, only().last_error) == ("dead", "The worker died at the last attempt.")
    assert Scripted.seen == []


def test_row_that_killed_two_workers_is_claimed_alone():
    queue(4)
    Notification.objects.filter(address="1@example.org").update(attempts=1, state="sending")
    Notification.objects.filter(address="2@example.org").update(attempts=2, state="sending")
    worker = workers.start_worker()
    assert [row.address for row in claiming.claim(worker).rows] == ["0@example.org", "1@example.org"]
    assert [row.address for row in claiming.claim(worker).rows] == ["2@example.org"]
    assert [row.address for row in claiming.claim(worker).rows] == ["3@example.org"]
    assert claiming.claim(worker) is None


def test_one_alias_never_holds_more_than_half_of_the_workers():
    queue(200, priority=1)
    queue(5, alias="memory")
    started = [workers.start_worker() for _ in range(4)]
    claims = [claiming.claim(worker) for worker in started]
    assert [claimed and claimed.alias for claimed in claims] == ["scripted", "scripted", "memory", None]


def test_late_worker_cannot_overwrite_the_result_of_another():
    queue()
    worker = workers.start_worker()
    first = claiming.claim(worker)
    Notification.objects.update(due_at=timezone.now())
    second = claiming.claim(worker)
    assert settling.settle(second.rows[0], settling.Result(state=State.SENT, receipt=Receipt(provider_id="two")))
    assert not settling.settle(first.rows[0], settling.Result(state=State.FAILED, detail="late"))
    assert (only().state, only().provider_id) == ("sent", "two")


def test_rows_that_were_not_attempted_are_released_unchanged():
    queue(3)
    calls = iter([True, True, False])
    delivery.deliver_due(keep_going=lambda: next(calls, False))
    assert sorted(Notification.objects.values_list("state", "attempts")) == [("queued", 0), ("queued", 0), ("sent", 1)]


def test_retry_sends_a_dead_message_again_and_refuses_a_sent_one():
    queue()
    Scripted.script = [PermanentFailure("no")]
    delivery.deliver_due()
    outbox.retry(only())
    delivery.deliver_due()
    assert (only().state, only().attempts) == ("sent", 1)
    with pytest.raises(NotRetryable):
        outbox.retry(only())
    assert only().state == "sent"


def test_resend_creates_a_new_row_for_the_same_or_another_address():
    queue(alias="memory")
    delivery.deliver_due()
    again = outbox.resend(only(), address="other@example.org")
    delivery.deliver_due()
    again.refresh_from_db()
    assert (again.state, again.address, again.origin.address) == ("sent", "other@example.org", "0@example.org")
    assert [message.to for message in MemoryNotifier.outbox["memory"]] == ["0@example.org", "other@example.org"]


def test_signals_are_sent_for_sent_and_failed(django_capture_on_commit_callbacks):
    announced = []

    def receive_signal(signal, notification, payload, event_id, **kwargs):
        announced.append((signal is notification_sent, payload["state"], event_id))

    notification_sent.connect(receive_signal)
    notification_failed.connect(receive_signal)
    queue(2)
    Scripted.script = [None, PermanentFailure("no")]
    with django_capture_on_commit_callbacks(execute=True):
        delivery.deliver_due()
    notification_sent.disconnect(receive_signal)
    notification_failed.disconnect(receive_signal)
    assert announced == [(True, "sent", "e-scripted-0"), (False, "failed", "e-scripted-1")]


def test_template_that_exceeds_the_time_limit_is_retried_even_for_a_paid_message(monkeypatch):
    monkeypatch.setattr(sending, "message_of", lambda *args: time.sleep(30))
    monkeypatch.setattr(sending, "SEND_SECONDS", 0.1)
    queue(alias="paid", address="+254711000001")
    delivery.deliver_due()
    assert (only().state, only().last_error) == ("queued", "Preparing the message exceeded the time limit.")
    assert sending.paused_aliases() == set()


def test_failure_before_a_paid_message_is_sent_is_temporary(monkeypatch):
    """The database fails while the limits are counted. Nothing was sent, so the message is retried."""

    def fail(row):
        raise OperationalError("the connection is closed")

    monkeypatch.setattr(metering, "count", fail)
    queue(alias="paid", address="+254711000001")
    delivery.deliver_due()
    assert (only().state, only().attempt_log.get().outcome) == ("queued", "temporary")
    assert Scripted.seen == []


def test_failing_address_check_is_temporary(monkeypatch):
    def fail(self, address):
        raise ImportError("phonenumbers")

    monkeypatch.setattr(Paid, "check_address", fail)
    queue(alias="paid", address="+254711000001")
    delivery.deliver_due()
    assert (only().state, only().attempt_log.get().outcome) == ("queued", "temporary")


@pytest.mark.parametrize("asked", [float("inf"), float("nan"), 10**400, -5, "soon", timedelta(hours=1), None])
def test_strange_retry_after_is_bounded_and_stops_no_delivery(asked):
    queue(2)
    Scripted.script = [TemporaryFailure("slow down", retry_after=asked)]
    assert delivery.deliver_due() == 2
    waiting = Notification.objects.get(state="queued")
    assert waiting.due_at <= timezone.now() + timedelta(days=1)
    assert Notification.objects.filter(state="sent").count() == 1


def late_success(state, **changes):
    """A worker whose lease expired records a success while the row is in this state."""
    queue()
    claimed = claiming.claim(workers.start_worker())
    Notification.objects.update(state=state, lease=None, **changes)
    accepted = settling.Result(state=State.SENT, outcome="accepted", receipt=Receipt(provider_id="one"))
    settling.settle_all([(claimed.rows[0], accepted)])
    return only()


@pytest.mark.parametrize("state", ["queued", "unknown", "dead"])
def test_late_success_is_recorded_if_no_other_worker_recorded_one(state):
    row = late_success(state)
    assert (row.state, row.provider_id) == ("sent", "one")
    assert delivery.deliver_due() == 0


@pytest.mark.parametrize("state", ["sending", "delivered", "failed", "skipped"])
def test_late_success_does_not_move_a_state_back(state):
    assert late_success(state, provider_id="two").state == state
    assert only().provider_id == "two"


def test_report_that_waits_for_a_late_success_is_applied():
    delivery.receive_reports("scripted", [Report(provider_id="one", status="ok", state="delivered")])
    queue()
    claimed = claiming.claim(workers.start_worker())
    Notification.objects.update(state="queued", lease=None)
    results = draining.ResultBuffer(Scripted(alias="scripted"), claimed.until)
    results.add(claimed.rows[0], settling.Result(state=State.SENT, receipt=Receipt(provider_id="one")))
    assert only().state == "delivered"


def test_reports_about_the_first_sending_do_not_change_a_retried_message():
    queue()
    delivery.deliver_due()
    delivery.receive_reports("scripted", [Report(provider_id="p-1", status="Failed", state="failed")])
    outbox.retry(only())

    def send_while_an_old_report_comes():
        delivery.receive_reports("scripted", [Report(provider_id="p-1", status="Rejected", state="failed")])
        return Receipt(provider_id="p-2")

    Scripted.script = [send_while_an_old_report_comes]
    delivery.deliver_due()
    assert (only().state, only().provider_id) == ("sent", "p-2")


def test_report_that_arrives_while_the_result_is_recorded_is_applied(django_capture_on_commit_callbacks):
    """Neither transaction sees the row of the other, because the other has not committed yet."""
    queue()
    with django_capture_on_commit_callbacks() as callbacks:
        delivery.receive_reports("scripted", [Report(provider_id="p-1", status="ok", state="delivered")])
    Notification.objects.update(state="sent", provider_id="p-1")
    for callback in callbacks:
        callback()
    assert only().state == "delivered"


def test_repeated_report_is_applied_if_the_first_was_not():
    queue()
    report = Report(provider_id="p-1", status="ok", state="delivered")
    assert delivery.receive_reports("scripted", [report]) == 0
    Notification.objects.update(state="sent", provider_id="p-1")
    assert delivery.receive_reports("scripted", [report]) == 1
    assert delivery.receive_reports("scripted", [report]) == 0


def test_characters_that_a_database_refuses_are_removed_from_reports():
    queue()
    delivery.deliver_due()
    report = Report(provider_id="p-1\0", status="o\0k", state="delivered", address="0@example.org\0\ud800")
    delivery.receive_reports("scripted", [report])
    assert DeliveryReport.objects.get().status == "ok"
    for words in ({"suppress": "stop"}, {"wish": "stop"}):
        delivery.receive_reports("scripted", [Report(status="STOP", state="failed", address="1@x.org\0", **words)])
    assert Suppression.objects.get().address == "1@x.org"


@pytest.mark.pg
@pytest.mark.django_db(transaction=True)
def test_calls_at_once_about_the_same_messages_in_any_order_do_not_wait_for_each_other():
    rows = queue(30, state="sent")
    for row in rows:
        row.provider_id = f"p-{row.pk}"
    Notification.objects.bulk_update(rows, ["provider_id"])
    barrier, errors = threading.Barrier(4), []

    def call(number):
        states = [("sent", "delivered", "read"), ("read", "delivered", "sent")][number % 2]
        reports = [Report(provider_id=row.provider_id, status=state, state=state) for row in rows for state in states]
        barrier.wait()
        try:
            # Within a transaction nothing is repeated after a deadlock.
            with transaction.atomic():
                delivery.receive_reports("scripted", reports[:: 1 if number < 2 else -1])
        except OperationalError as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=call, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert set(Notification.objects.values_list("state", flat=True)) == {"read"}
    assert DeliveryReport.objects.count() == 90


@pytest.mark.django_db(transaction=True)
def test_many_reports_in_one_call_are_recorded_in_few_commits():
    rows = queue(250, state="sent")
    for row in rows:
        row.provider_id = f"p-{row.pk}"
    Notification.objects.bulk_update(rows, ["provider_id"])
    reports = [
        Report(provider_id=row.provider_id, status=state, state=state)
        for state in ("delivered", "read")
        for row in reversed(rows)
    ]
    with CaptureQueriesContext(connections["default"]) as queries:
        assert delivery.receive_reports("scripted", reports) == 500
    begun = sum(query["sql"].startswith("BEGIN") for query in queries)
    assert begun == 5
    assert len(queries) <= 6 * 500 + 5 * 4
    assert set(Notification.objects.values_list("state", flat=True)) == {"read"}


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 120 ", 120),
        ("9" * 400, float("inf")),
        ("-5", None),
        ("soon", None),
        ("", None),
        (None, None),
        ("Mon, 01 Jan 2024 00:00:00 GMT", 0),
        ("Mon, 01 Jan 2024 00:00:00 +" + "9" * 40, None),
        ("Mon, 99999999999999999999999 Jan 2024 00:00:00 GMT", None),
        ("Mon, 01 Jan 99999 00:00:00 GMT", None),
    ],
)
def test_retry_after_header_is_a_number_a_date_or_nothing(value, seconds):
    assert retry_after_seconds(value) == seconds
