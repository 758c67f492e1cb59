"""Eight kinds of faulty notifiers: messages by the other channel are sent, and no message is lost."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone
from shop_notify import delivery
from shop_notify.delivery import sending
from shop_notify.exceptions import PermanentFailure, TemporaryFailure
from shop_notify.models import Notification
from shop_notify.notifiers import MemoryNotifier, Notifier, Receipt

TESTS = Path(__file__).resolve().parent
pytestmark = pytest.mark.django_db


class Bad(Notifier):
    channel = "memory"
    behave = None

    def send(self, message):
        return type(self).behave()


def sleep_for_ever():
    while True:
        try:
            time.sleep(60)
        except BaseException as error:
            if not isinstance(error, Exception):
                raise


def spin_for_ever():
    while True:
        pass


def exit_the_process():
    sys.exit(3)


def raise_something():
    raise KeyError("no such thing")


def return_nonsense():
    return {"ok": True}


def take_memory():
    raise MemoryError


def recurse():
    return recurse()


def leak_secrets():
    raise TemporaryFailure("cannot log in with token-that-nobody-sees for member@example.org +254711000001")


@pytest.fixture(autouse=True)
def notifiers(settings, monkeypatch):
    monkeypatch.setattr(sending, "SEND_SECONDS", 0.3)
    monkeypatch.setattr(Bad, "secret_options", frozenset({"token"}))
    monkeypatch.setattr(Bad, "__init__", lambda self, *, alias, token: Notifier.__init__(self, alias=alias))
    settings.SHOP_NOTIFY = {
        **settings.SHOP_NOTIFY,
        "NOTIFIERS": {
            "bad": {"BACKEND": f"{__name__}.Bad", "OPTIONS": {"token": "token-that-nobody-sees"}},
            "memory": {"BACKEND": "memory"},
        },
    }


def queue(alias, count, **changes):
    Notification.objects.bulk_create(
        Notification(
            **{
                "event_id": f"{alias}-{number}",
                "event": "newsletter",
                "alias": alias,
                "channel": "memory",
                "address": f"{number}@example.org",
                **changes,
            }
        )
        for number in range(count)
    )


@pytest.mark.parametrize(
    "behave",
    [
        sleep_for_ever,
        spin_for_ever,
        exit_the_process,
        raise_something,
        return_nonsense,
        take_memory,
        recurse,
        leak_secrets,
    ],
)
def test_bad_notifier_stops_no_other_notifier(behave, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    # The time limit is for notifiers that hang; on a busy machine it must not stop the others.
    monkeypatch.setattr(sending, "SEND_SECONDS", 0.3 if behave in {sleep_for_ever, spin_for_ever} else 20.0)
    monkeypatch.setattr(Bad, "behave", staticmethod(behave))
    queue("bad", 3, priority=1)
    queue("memory", 3)
    began = time.monotonic()
    delivery.deliver_due()
    assert time.monotonic() - began < 15
    assert len(MemoryNotifier.outbox["memory"]) == 3
    bad = Notification.objects.filter(alias="bad")
    assert set(bad.values_list("state", flat=True)) == {"queued"}
    assert bad.filter(attempts=1).exists()
    said = caplog.text + "".join(f"{row.last_error}{row.attempt_log.first()}" for row in bad)
    for hidden in ("token-that-nobody-sees", "member@example.org", "+254711000001"):
        assert hidden not in said


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_message_whose_notifier_exits_the_process_is_given_up_and_the_others_arrive(tmp_path, settings):
    """``os._exit`` cannot be caught. The message is given up because attempts are counted at the claim."""
    queue("exiting", 1, priority=1)
    queue("ledger", 3)
    ledger = tmp_path / "ledger"
    program = f"""
import django; django.setup()
from django.conf import settings
from shop_notify import delivery
from shop_notify.delivery import sending
from testproject import ledger
class Exiting(ledger.LedgerNotifier):
    max_attempts = 2
    def send(self, message):
        __import__("os")._exit(9)
ledger.Exiting = Exiting
settings.SHOP_NOTIFY = {{"NOTIFIERS": {{
    "exiting": {{"BACKEND": "testproject.ledger.Exiting", "OPTIONS": {{"path": {str(ledger)!r}}}}},
    "ledger": {{"BACKEND": "testproject.ledger.LedgerNotifier", "OPTIONS": {{"path": {str(ledger)!r}}}}},
}}}}
delivery.deliver_due()
"""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "testproject.settings",
        "SITE_DATABASE": str(connection.settings_dict["NAME"]),
        "PYTHONPATH": str(TESTS),
    }
    ends = []
    for _ in range(3):
        ends.append(
            subprocess.run([sys.executable, "-c", program], env=environment, cwd=TESTS, check=False).returncode
        )
        # Expire its lease, so that the test does not depend on the speed of the machine.
        Notification.objects.filter(state="sending").update(due_at=timezone.now())
    assert ends == [9, 9, 0]
    assert Notification.objects.get(alias="exiting").state == "dead"
    assert set(Notification.objects.filter(alias="ledger").values_list("state", flat=True)) == {"sent"}


def test_timer_of_the_host_is_restored(monkeypatch):
    """The handler and the timer of a host that uses SIGALRM itself are restored."""
    rung = []
    before = signal.signal(signal.SIGALRM, lambda *args: rung.append(1))
    try:
        signal.setitimer(signal.ITIMER_REAL, 30)
        monkeypatch.setattr(Bad, "behave", staticmethod(Receipt))
        queue("bad", 1)
        delivery.deliver_due()
        assert 25 < signal.getitimer(signal.ITIMER_REAL)[0] <= 30
        signal.raise_signal(signal.SIGALRM)
        assert rung == [1]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_permanent_failure_does_not_pause_the_alias(monkeypatch):
    outcomes = iter([PermanentFailure("no"), None, None])

    def behave():
        outcome = next(outcomes)
        if outcome:
            raise outcome
        return Receipt()

    monkeypatch.setattr(Bad, "behave", staticmethod(behave))
    queue("bad", 3)
    delivery.deliver_due()
    assert sorted(Notification.objects.values_list("state", flat=True)) == ["failed", "sent", "sent"]
