"""A provider that refuses the set-up: staff are alarmed once, no message is lost, and none is sent twice."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from datetime import timedelta

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import connections
from django.utils import timezone
from shop_notify import delivery, health, outbox, pruning
from shop_notify.delivery import draining, fallbacks, setup_problems, workers
from shop_notify.exceptions import NotRetryable
from shop_notify.models import Attempt, Notification, Preference, SetupProblem
from shop_notify.notifiers import Notifier, Receipt, SetupFailure

pytestmark = pytest.mark.django_db

LOGGER = "shop_notify.delivery.setup_problems"


class Keyed(Notifier):
    """Its provider refuses every message while the key is wrong, and always those to the addresses in ``refused``."""

    channel = "pager"
    key_is_right = True
    refused: tuple[str, ...] = ()
    calls = 0
    sent: Counter = Counter()

    def send(self, message):
        Keyed.calls += 1
        if not self.key_is_right or message.to in self.refused:
            raise SetupFailure("The key is wrong.", provider_code="401")
        Keyed.sent[message.to] += 1
        return Receipt(provider_id=message.id)


@pytest.fixture
def keyed(settings):
    Keyed.key_is_right, Keyed.refused, Keyed.calls, Keyed.sent = True, (), 0, Counter()
    settings.SHOP_NOTIFY = {
        **settings.SHOP_NOTIFY,
        "NOTIFIERS": {"pager": {"BACKEND": f"{__name__}.Keyed"}, "memory": {"BACKEND": "memory"}},
    }
    return Keyed


def queue(count=1, **changes):
    now = timezone.now()
    rows = [
        Notification(
            **{
                "event_id": f"e-{Notification.objects.count()}-{number}",
                "event": "loan_made",
                "alias": "pager",
                "channel": "pager",
                "address": f"{number}",
                "context": {"loan": {"number": number}, "book": {}},
                "created_at": now,
                "due_at": now,
                **changes,
            }
        )
        for number in range(count)
    ]
    return Notification.objects.bulk_create(rows)


def let_the_pause_pass():
    """As if five minutes had passed: the next try is due, and so are the messages."""
    SetupProblem.objects.update(retry_at=timezone.now())
    Notification.objects.open().update(due_at=timezone.now())


def alarms(caplog):
    return [record for record in caplog.records if record.name == LOGGER and record.levelno >= logging.ERROR]


def test_three_hundred_messages_wait_for_the_key_and_are_sent_once(keyed, caplog):
    keyed.key_is_right = False
    queue(300)
    for _ in range(20):
        delivery.deliver_due()
        let_the_pause_pass()
    assert keyed.calls == 20
    assert Counter(Notification.objects.values_list("state", "attempts")) == {("queued", 0): 300}
    (alarm,) = alarms(caplog)
    assert "“pager”" in alarm.getMessage()
    assert "The key is wrong" in alarm.getMessage()
    keyed.key_is_right = True
    assert outbox.retry_dead(alias="pager") == 300
    delivery.deliver_due()
    assert keyed.sent == {f"{number}": 1 for number in range(300)}
    assert set(Notification.objects.values_list("state", "attempts")) == {("sent", 1)}
    assert outbox.retry_dead() == 0


def test_messages_are_sent_without_staff_after_the_pause(keyed):
    keyed.key_is_right = False
    queue(45)
    delivery.deliver_due()
    keyed.key_is_right = True
    assert delivery.deliver_due() == 0
    let_the_pause_pass()
    delivery.deliver_due()
    assert (len(keyed.sent), set(keyed.sent.values())) == (45, {1})
    assert SetupProblem.objects.get().ended_at is not None


def test_paused_alias_holds_no_other(keyed):
    keyed.key_is_right = False
    queue(3)
    queue(1, alias="memory", channel="memory", priority=9, address="m")
    delivery.deliver_due()
    assert Notification.objects.get(alias="memory").state == "sent"


def test_message_that_is_refused_alone_does_not_stop_the_others(keyed, caplog):
    keyed.refused = ("poison",)
    queue(1, address="poison")
    for number in range(3):
        delivery.deliver_due()  # The poison is due and tried, and the alias is paused.
        queue(2, address=f"good-{number}")
        SetupProblem.objects.update(retry_at=timezone.now())
        delivery.deliver_due()  # Now the others are due first.
        assert keyed.sent[f"good-{number}"] == 2
        Notification.objects.open().update(due_at=timezone.now())
    assert keyed.calls == 3 + 6
    assert Notification.objects.get(address="poison").state == "dead"
    assert SetupProblem.objects.get().ended_at is not None
    assert len(alarms(caplog)) == 1


def test_every_member_of_the_alarm(keyed):
    keyed.key_is_right = False
    queue(2)
    delivery.deliver_due()
    (shown,) = [notifier for notifier in health.notifiers() if notifier.alias == "pager"]
    assert (shown.is_ready, shown.waiting, shown.problem) == (
        False,
        2,
        "The provider refuses the set-up: The key is wrong.",
    )
    assert shown.problem_since is not None
    assert health.oldest_due_at() is None
    (warning,) = [message for message in run_checks(databases=["default"]) if message.id == "shop_notify.W017"]
    assert "“pager”" in warning.msg
    keyed.key_is_right = True
    outbox.retry_dead()
    delivery.deliver_due()
    assert [notifier.is_ready for notifier in health.notifiers() if notifier.alias == "pager"] == [True]
    assert not [message for message in run_checks(databases=["default"]) if message.id == "shop_notify.W017"]


def test_attempt_log_has_the_refusal_once(keyed):
    keyed.key_is_right = False
    queue(1)
    for _ in range(4):
        delivery.deliver_due()
        let_the_pause_pass()
    assert [(attempt.outcome, attempt.provider_code) for attempt in Attempt.objects.all()] == [("setup", "401")]
    assert Notification.objects.get().last_error == "The key is wrong."


def test_message_that_expired_meanwhile_is_given_up_and_can_be_retried(keyed):
    keyed.key_is_right = False
    (row,) = queue(1, expires_at=timezone.now() + timedelta(hours=1))
    delivery.deliver_due()
    SetupProblem.objects.update(began_at=timezone.now() - timedelta(days=2))
    past = timezone.now() - timedelta(days=1)
    Notification.objects.update(created_at=past - timedelta(hours=1), expires_at=past)
    keyed.key_is_right = True
    let_the_pause_pass()
    delivery.deliver_due()
    row.refresh_from_db()
    assert (row.state, keyed.calls) == ("dead", 1)
    assert outbox.retry_dead() == 1
    delivery.deliver_due()
    assert keyed.sent == {"0": 1}


def test_message_that_expired_before_the_problem_is_skipped(keyed):
    past = timezone.now() - timedelta(days=1)
    queue(1, created_at=past, expires_at=past)
    queue(1, address="9")
    keyed.key_is_right = False
    delivery.deliver_due()
    assert sorted(Notification.objects.values_list("state", flat=True)) == ["queued", "skipped"]


def test_bulk_retry_sends_also_what_expired_while_it_waited(keyed):
    keyed.key_is_right = False
    queue(2, expires_at=timezone.now() + timedelta(hours=1))
    delivery.deliver_due()
    Notification.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    keyed.key_is_right = True
    assert outbox.retry_dead(alias="pager") == 2
    delivery.deliver_due()
    assert keyed.sent == {"0": 1, "1": 1}


def test_retry_of_one_waiting_message_tries_the_set_up_again(keyed):
    keyed.key_is_right = False
    (row, _other) = queue(2)
    with pytest.raises(NotRetryable):
        outbox.retry(row)
    delivery.deliver_due()
    keyed.key_is_right = True
    outbox.retry(row)
    delivery.deliver_due()
    assert keyed.sent == {"0": 1, "1": 1}


def test_bulk_retry_with_the_key_still_wrong_loses_nothing(keyed, caplog):
    keyed.key_is_right = False
    queue(50)
    for _ in range(5):
        delivery.deliver_due()
        assert outbox.retry_dead() == 50
    assert Counter(Notification.objects.values_list("state", "attempts")) == {("queued", 0): 50}
    assert len(alarms(caplog)) == 1


def test_fallback_is_sent_when_its_time_comes(keyed):
    keyed.key_is_right = False
    fallback = {"alias": "memory", "channel": "memory", "address": "m", "after_minutes": 30}
    queue(3, fallback=fallback)
    delivery.deliver_due()
    fallbacks.start_fallbacks()
    assert set(Notification.objects.values_list("state", flat=True)) == {"queued"}
    Notification.objects.filter(address="1").update(created_at=timezone.now() - timedelta(minutes=31))
    fallbacks.start_fallbacks()
    delivery.deliver_due()
    assert [row.address for row in Notification.objects.filter(alias="pager", state="skipped")] == ["1"]
    assert Notification.objects.get(alias="memory").state == "sent"
    keyed.key_is_right = True
    outbox.retry_dead()
    delivery.deliver_due()
    assert keyed.sent == {"0": 1, "2": 1}


def test_notifier_that_cannot_be_created_is_a_wrong_set_up(keyed, settings, caplog):
    settings.SHOP_NOTIFY = {
        **settings.SHOP_NOTIFY,
        "NOTIFIERS": {"pager": {"BACKEND": f"{__name__}.Keyed", "OPTIONS": {"no_such_option": 1}}},
    }
    queue(2)
    delivery.deliver_due()
    assert Counter(Notification.objects.values_list("state", "attempts")) == {("queued", 0): 2}
    assert len(alarms(caplog)) == 1
    settings.SHOP_NOTIFY = {**settings.SHOP_NOTIFY, "NOTIFIERS": {"pager": {"BACKEND": f"{__name__}.Keyed"}}}
    outbox.retry_dead()
    delivery.deliver_due()
    assert keyed.sent == {"0": 1, "1": 1}


def test_problem_of_a_removed_notifier_is_shown_no_more_and_its_messages_end(keyed, settings):
    keyed.key_is_right = False
    queue(1)
    delivery.deliver_due()
    settings.SHOP_NOTIFY = {**settings.SHOP_NOTIFY, "NOTIFIERS": {"memory": {"BACKEND": "memory"}}}
    assert not [message for message in run_checks(databases=["default"]) if message.id == "shop_notify.W017"]
    for _ in range(Notifier.max_attempts):
        let_the_pause_pass()
        delivery.deliver_due()
    assert Notification.objects.get().state == "dead"
    pruning.prune()
    assert not SetupProblem.objects.exists()


def test_error_of_the_constructor_is_stored_and_logged_without_secrets(settings, caplog):
    class Shows(Keyed):
        secret_options = frozenset({"key"})

        def __init__(self, *, alias, key):
            raise ValueError(f"{key} is no key; ask ann@example.org")

    globals()["Shows"] = Shows
    notifiers = {"pager": {"BACKEND": f"{__name__}.Shows", "OPTIONS": {"key": "very-secret-key"}}}
    settings.SHOP_NOTIFY = {**settings.SHOP_NOTIFY, "NOTIFIERS": notifiers}
    queue(1)
    delivery.deliver_due()
    stored = f"{Notification.objects.get().last_error} {SetupProblem.objects.get().error} {caplog.text}"
    assert "*** is no key; ask a***@example.org" in stored
    assert "very-secret-key" not in stored


@pytest.mark.pg
@pytest.mark.django_db(transaction=True)
def test_many_workers_alarm_once_and_send_each_message_once(keyed, caplog):
    def work():
        try:
            delivery.deliver_due()
        finally:
            connections.close_all()

    def work_together():
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    keyed.key_is_right = False
    queue(300)
    for _ in range(3):
        work_together()
        let_the_pause_pass()
    assert keyed.calls <= 3 * 4
    assert Counter(Notification.objects.values_list("state", "attempts")) == {("queued", 0): 300}
    assert len(alarms(caplog)) == 1
    keyed.key_is_right = True
    assert outbox.retry_dead() == 300
    work_together()
    delivery.deliver_due()
    assert keyed.sent == {f"{number}": 1 for number in range(300)}
    assert SetupProblem.objects.get().ended_at is not None


def test_worker_that_dies_before_it_pauses_the_alias_loses_nothing(keyed, monkeypatch):
    keyed.key_is_right = False
    queue(3)

    class Killed(BaseException):
        pass

    def killed(*arguments):
        raise Killed

    monkeypatch.setattr(setup_problems, "record", killed)
    with pytest.raises(Killed):
        delivery.deliver_due()
    monkeypatch.undo()
    assert set(Notification.objects.values_list("state", flat=True)) == {"sending"}
    Notification.objects.update(due_at=timezone.now())
    delivery.deliver_due()
    keyed.key_is_right = True
    outbox.retry_dead()
    Notification.objects.update(due_at=timezone.now())
    delivery.deliver_due()
    assert keyed.sent == {"0": 1, "1": 1, "2": 1}


def test_late_refusal_of_another_worker_does_not_take_its_lease(keyed):
    """The lease of the first worker expired, and a second one has sent the message meanwhile."""
    keyed.key_is_right = False
    queue(1)
    worker = workers.start_worker()
    first = draining.claiming.claim(worker)
    result = draining.sending.Batch.prepare(first).attempt(first.rows[0])
    workers.stop_worker(worker)
    Notification.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    keyed.key_is_right = True
    delivery.deliver_due()
    assert setup_problems.record(first.rows[0], result) is None
    row = Notification.objects.get()
    assert (row.state, row.attempts, keyed.sent) == ("sent", 2, {"0": 1})


def test_muted_message_that_waits_is_not_followed_by_its_fallback(keyed):
    keyed.key_is_right = False
    queue(1)
    delivery.deliver_due()
    fallback = {"alias": "memory", "channel": "memory", "address": "m", "after_minutes": 1}
    earlier = timezone.now() - timedelta(minutes=2)
    queue(2, group="news", recipient_key="member:7", fallback=fallback, created_at=earlier)
    Preference.objects.create(recipient_key="member:7", group="news", alias="pager", is_enabled=False)
    fallbacks.start_fallbacks()
    assert not Notification.objects.filter(alias="memory").exists()


class WithPin(Notifier):
    channel = "pager"
    secret_options = frozenset({"pin"})

    def __init__(self, *, alias, pin):
        super().__init__(alias=alias)
        if pin != 123456:
            raise ValueError(f"The PIN {pin} is wrong.")

    def send(self, message):
        return Receipt(response={"seen": "123456"})


@pytest.mark.parametrize("pin", ["654321", b"654321", 654321, {"office": "654321"}, [["654321"]]])
def test_secret_of_any_type_is_hidden_and_stops_no_other_alias(keyed, settings, pin, capsys):
    settings.SHOP_NOTIFY["NOTIFIERS"]["pin"] = {"BACKEND": f"{__name__}.WithPin", "OPTIONS": {"pin": pin}}
    queue(1, alias="pin")
    queue(1)
    delivery.deliver_due()
    assert sum(keyed.sent.values()) == 1
    assert "654321" not in SetupProblem.objects.get(alias="pin").error
    SetupProblem.objects.all().delete()
    call_command("list_notifiers")
    shown = f"{health.notifiers()} {run_checks()} {capsys.readouterr()}"
    assert "cannot be created: The PIN" in shown
    assert "654321" not in shown


def test_number_that_is_secret_is_masked_in_what_is_stored(keyed, settings):
    settings.SHOP_NOTIFY["NOTIFIERS"]["pin"] = {"BACKEND": f"{__name__}.WithPin", "OPTIONS": {"pin": 123456}}
    queue(1, alias="pin")
    delivery.deliver_due()
    assert Attempt.objects.get().response == {"seen": "***"}
