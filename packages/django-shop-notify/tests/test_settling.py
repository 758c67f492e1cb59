"""Recording results: each at once, or in batches for idempotent notifiers."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import DataError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from shop_notify import delivery
from shop_notify.delivery import claiming, draining, queries, reports, settling, workers
from shop_notify.models import Attempt, Notification
from shop_notify.notifiers import MemoryNotifier, Notifier, Receipt, Report
from shop_notify.signals import notification_sent

pytestmark = pytest.mark.django_db


class Watching(Notifier):
    """Counts at each message how many others are recorded as sent."""

    channel = "memory"
    recorded: list = []
    receipt = Receipt(provider_id="p")

    def send(self, message):
        self.recorded.append(Notification.objects.filter(state="sent").count())
        return self.receipt


class Idempotent(Watching):
    is_idempotent = True


@pytest.fixture(autouse=True)
def _notifiers(settings, monkeypatch):
    # On a busy machine a batch takes longer than a result may wait.
    monkeypatch.setattr(draining, "MAX_WAIT_SECONDS", 60.0)
    Watching.recorded.clear()
    settings.SHOP_NOTIFY = {
        **settings.SHOP_NOTIFY,
        "NOTIFIERS": {
            "world": {"BACKEND": f"{__name__}.Watching"},
            "idempotent": {"BACKEND": f"{__name__}.Idempotent"},
            "memory": {"BACKEND": "memory"},
        },
    }


def queue(alias, count, **changes):
    rows = (
        Notification(
            **{
                "event_id": f"{alias}-{number}",
                "event": "newsletter",
                "alias": alias,
                "channel": "memory",
                "address": f"{number}@example.org",
                "context": {"headline": f"h{number}"},
                **changes,
            }
        )
        for number in range(count)
    )
    Notification.objects.bulk_create(rows)


def test_result_is_recorded_before_the_next_message_is_sent():
    queue("world", 4)
    delivery.deliver_due()
    assert Watching.recorded == [0, 1, 2, 3]


def test_results_of_idempotent_messages_are_recorded_together():
    queue("idempotent", 50)
    delivery.deliver_due()
    assert set(Watching.recorded) == {0}
    assert Notification.objects.filter(state="sent", attempts=1, provider_id="p").count() == 50
    assert Attempt.objects.filter(number=1, outcome="accepted").count() == 50


@pytest.mark.parametrize("alias", ["world", "idempotent"])
def test_every_value_is_stored_unchanged_by_either_way_of_recording(alias, monkeypatch):
    odd = 'it\'s \\ 100% "so"\n{} 🦩 \u2028 $1 %s'
    receipt = Receipt(
        provider_id=odd[:20],
        provider_code="201",
        segments=2,
        cost=Decimal("0.8000"),
        currency="KES",
        response={"said": odd, "parts": [1, 2.5, None, True]},
    )
    monkeypatch.setattr(Watching, "receipt", receipt)
    queue(alias, 2, context={"headline": odd})
    before = timezone.now()
    delivery.deliver_due()
    for row in Notification.objects.all():
        assert (row.state, row.lease, row.text, row.provider_id) == ("sent", None, "Offer: " + odd, odd[:20])
        assert (row.segments, row.cost, row.cost_currency) == (2, Decimal("0.8000"), "KES")
        assert before <= row.sent_at <= row.updated_at <= timezone.now()
        attempt = row.attempt_log.get()
        assert (attempt.number, attempt.outcome, attempt.provider_code) == (1, "accepted", "201")
        assert attempt.response == {"said": odd, "parts": [1, 2.5, None, True]}
        assert before <= attempt.started_at <= attempt.finished_at <= timezone.now()


def test_results_of_idempotent_messages_are_recorded_while_the_batch_is_sent(monkeypatch):
    monkeypatch.setattr(draining, "MAX_WAIT_SECONDS", 0.0)
    queue("idempotent", 3)
    delivery.deliver_due()
    assert Watching.recorded == [0, 1, 2]


def test_statements_do_not_grow_with_the_batch():
    used = []
    for count in (10, 100):
        queue("memory", count, event_id=f"n-{count}")
        with CaptureQueriesContext(connection) as captured:
            delivery.deliver_due()
        statements = [query["sql"] for query in captured if " times: " not in query["sql"]]
        used.append(len(statements))
    assert used[0] == used[1]
    assert len(MemoryNotifier.outbox["memory"]) == 110


def test_result_takes_two_statements_and_a_transaction():
    queue("world", 1, event_id="first")
    with CaptureQueriesContext(connection) as one:
        delivery.deliver_due()
    queue("world", 11, event_id="more")
    with CaptureQueriesContext(connection) as eleven:
        delivery.deliver_due()
    # The notifier's own count is one, and in these tests a transaction is a savepoint and its release.
    assert (len(eleven) - len(one)) / 10 == 1 + 2 + 2


def test_row_claimed_by_another_worker_does_not_delay_the_batch():
    queue("idempotent", 3)
    claimed = claiming.claim(workers.start_worker())
    Notification.objects.filter(pk=claimed.rows[1].pk).update(lease=None, state="sent", provider_id="other")
    results = [
        (row, settling.Result(state="sent", outcome="accepted", receipt=Receipt(provider_id="mine")))
        for row in claimed.rows
    ]
    settling.settle_all(results)
    assert results == []
    assert list(Notification.objects.order_by("id").values_list("provider_id", flat=True)) == ["mine", "other", "mine"]
    assert Attempt.objects.count() == 3


def test_row_that_cannot_be_written_does_not_delay_the_batch(monkeypatch):
    queue("idempotent", 3)
    claimed = claiming.claim(workers.start_worker())
    write = queries.write_results

    def refuse_many(results):
        if len(results) > 1:
            raise DataError("one of them")
        return write(results)

    monkeypatch.setattr(queries, "write_results", refuse_many)
    settling.settle_all([(row, settling.Result(state="sent", outcome="accepted")) for row in claimed.rows])
    assert Notification.objects.filter(state="sent").count() == 3
    assert Attempt.objects.count() == 3


@pytest.mark.parametrize("alias", ["world", "idempotent"])
@pytest.mark.parametrize(
    "receipt",
    [
        Receipt(provider_id="x\0y\ud800" + "z" * 300),
        Receipt(provider_id=None),
        Receipt(provider_code="\0" * 80),
        Receipt(segments=70_000),
        Receipt(segments=-1),
        Receipt(cost=Decimal("1e20")),
        Receipt(cost=Decimal("NaN")),
        Receipt(cost=0.5),
        Receipt(currency="shillings"),
        Receipt(response={"cost": float("nan"), "parts": [float("inf")]}),
        Receipt(response={"n": 10**5000}),
        Receipt(response=["a", "list"]),
        Receipt(response=None),
        Receipt(response="text"),
    ],
)
def test_receipt_that_does_not_fit_is_cut_and_the_message_not_repeated(alias, receipt, monkeypatch):
    monkeypatch.setattr(Watching, "receipt", receipt)
    queue(alias, 2)
    delivery.deliver_due()
    assert len(Watching.recorded) == 2
    assert list(Notification.objects.values_list("state", "attempts")) == [("sent", 1)] * 2


def test_characters_that_a_database_refuses_are_removed(settings):
    settings.SHOP_NOTIFY = {**settings.SHOP_NOTIFY, "CONTEXT": {"headline": "a\0b\ud800"}}
    queue("memory", 1, context={})
    delivery.deliver_due()
    assert Notification.objects.get().state == "sent"
    assert "\0" not in Notification.objects.get().text


def test_signal_of_each_message_of_a_batch_is_sent_after_it_is_recorded(django_capture_on_commit_callbacks):
    heard = []

    def receive_signal(notification, **kwargs):
        heard.append((notification.address, Notification.objects.get(pk=notification.pk).state))

    notification_sent.connect(receive_signal)
    try:
        queue("idempotent", 3)
        with django_capture_on_commit_callbacks(execute=True):
            delivery.deliver_due()
    finally:
        notification_sent.disconnect(receive_signal)
    assert heard == [(f"{number}@example.org", "sent") for number in range(3)]


def test_row_with_an_expired_lease_is_not_overwritten():
    queue("idempotent", 2)
    worker = workers.start_worker()
    claimed = claiming.claim(worker)
    Notification.objects.update(due_at=timezone.now())
    again = claiming.claim(worker)
    settling.settle_all([(row, settling.Result(state="sent", outcome="accepted")) for row in again.rows])
    settling.settle_all([(row, settling.Result(state="failed", outcome="permanent")) for row in claimed.rows])
    assert set(Notification.objects.values_list("state", flat=True)) == {"sent"}


@pytest.mark.pg
@pytest.mark.django_db(transaction=True)
def test_only_the_list_of_workers_is_written_without_waiting_for_the_disk():
    queue("world", 1)
    with CaptureQueriesContext(connection) as captured:
        delivery.deliver_due()
    statements = [query["sql"] for query in captured]
    unflushed = [index for index, sql in enumerate(statements) if sql == "SET LOCAL synchronous_commit TO off"]
    assert len(unflushed) == 2
    for index in unflushed:
        transaction = statements[index - 1 : statements.index("COMMIT", index) + 1]
        assert transaction[0] == "BEGIN"
        assert not any("shop_notify_notification" in sql for sql in transaction)


def test_reports_find_messages_whose_long_provider_ids_differ_at_the_end(monkeypatch):
    ids = ["p" * 250 + end for end in "ab"]
    for event_id, provider_id in zip("ab", ids, strict=True):
        monkeypatch.setattr(Watching, "receipt", Receipt(provider_id=provider_id))
        Notification.objects.create(
            event_id=event_id, event="loan_made", alias="world", channel="memory", address="a@example.org", text="t"
        )
        delivery.deliver_due()
    reports.receive_reports("world", [Report(provider_id=ids[1], status="Success", state="delivered")])
    assert list(Notification.objects.order_by("event_id").values_list("state", flat=True)) == ["sent", "delivered"]
