from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.db import connection, transaction
from shop_notify import jobs, queues
from shop_notify.models import Notification
from shop_notify.notifiers import MemoryNotifier
from shop_notify.queues import queries, waking
from testproject.library import signals

TESTS = Path(__file__).resolve().parent
called: list[str] = []


def count():
    called.append("woken")


def broken():
    called.append("broken")
    raise RuntimeError("no broker")


@pytest.fixture(autouse=True)
def _routes(settings):
    called.clear()
    settings.SHOP_NOTIFY = {
        **settings.SHOP_NOTIFY,
        "ROUTES": [
            {
                "signal": "testproject.library.signals.loan_made",
                "event": "loan_made",
                "to": ["member"],
                "via": ["memory"],
            }
        ],
    }


def use(settings, queue):
    settings.SHOP_NOTIFY = {**settings.SHOP_NOTIFY, "QUEUE": queue}


def announce(event_id="e-1"):
    payload = {"loan": {"number": "L"}, "book": {}, "recipients": {"member": {"email": "m@example.org"}}}
    signals.loan_made.send(sender=None, payload=payload, event_id=event_id)


@pytest.mark.django_db(transaction=True)
def test_queue_is_woken_after_commit_only(settings):
    use(settings, f"{__name__}.count")
    with transaction.atomic():
        announce()
        assert called == []
    assert called == ["woken"]


@pytest.mark.django_db(transaction=True)
def test_queue_that_fails_raises_no_error_and_loses_nothing(settings):
    use(settings, f"{__name__}.broken")
    announce()
    assert Notification.objects.get().state == "queued"


@pytest.mark.django_db(transaction=True)
def test_queue_that_failed_is_not_called_for_a_few_seconds(settings, monkeypatch):
    use(settings, f"{__name__}.broken")
    announce("e-1")
    announce("e-2")
    assert called == ["broken"]
    monkeypatch.setattr(waking, "RECOVERY_SECONDS", 0.0)
    waking._failed_until.clear()
    announce("e-3")
    announce("e-4")
    assert called == ["broken"] * 3
    assert Notification.objects.filter(state="queued").count() == 4


@pytest.mark.django_db(transaction=True)
def test_inline_delivers_at_once(settings):
    use(settings, "shop_notify.queues.inline")
    announce()
    assert Notification.objects.get().state == "sent"
    assert len(MemoryNotifier.outbox["memory"]) == 1


@pytest.mark.django_db(transaction=True)
def test_none_leaves_the_row_for_the_command(settings):
    from django.core.management import call_command

    use(settings, "shop_notify.queues.none")
    announce()
    assert Notification.objects.get().state == "queued"
    call_command("deliver_notifications")
    assert Notification.objects.get().state == "sent"


@pytest.mark.django_db(transaction=True)
def test_django_q2_gets_a_task_without_arguments(settings):
    pytest.importorskip("django_q")
    from django_q.models import OrmQ

    use(settings, "shop_notify.queues.django_q2")
    announce()
    task = OrmQ.objects.get().task
    assert (task["func"], task["args"], task["kwargs"]) == (waking.WAKE_UP, (), {})


@pytest.mark.django_db(transaction=True)
def test_django_tasks_runs_the_wake_up(settings):
    pytest.importorskip("django.tasks", reason="Django 6")
    use(settings, "shop_notify.queues.django_tasks")
    settings.TASKS = {"default": {"BACKEND": "django.tasks.backends.immediate.ImmediateBackend"}}
    announce()
    assert Notification.objects.get().state == "sent"


def start(*command):
    """A process of the same site on the same test database."""
    database = connection.settings_dict["NAME"]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "testproject.settings", "SITE_DATABASE": str(database)}
    return subprocess.Popen([sys.executable, "manage.py", *command], cwd=TESTS, env=environment)


def wait_for(condition, seconds=20):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_real_django_q2_cluster_delivers(settings, mailbox, monkeypatch):
    pytest.importorskip("django_q")
    use(settings, "shop_notify.queues.django_q2")
    settings.SHOP_NOTIFY["ROUTES"][0]["via"] = ["email"]
    monkeypatch.setenv("SITE_SMTP_PORT", str(mailbox.port))
    cluster = start("qcluster")
    try:
        announce()
        assert wait_for(lambda: Notification.objects.filter(state="sent").exists())
        assert [mail["To"] for mail in mailbox.messages] == ["m@example.org"]
    finally:
        cluster.send_signal(signal.SIGTERM)
        assert cluster.wait(30) == 0


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_loop_delivers_and_ends_at_sigterm(mailbox, settings, monkeypatch):
    settings.SHOP_NOTIFY["ROUTES"][0]["via"] = ["email"]
    monkeypatch.setenv("SITE_SMTP_PORT", str(mailbox.port))
    loop = start("deliver_notifications", "--loop", "--poll", "0.1")
    try:
        announce()
        assert wait_for(lambda: Notification.objects.filter(state="sent").exists())
        assert wait_for(lambda: not jobs.overdue(), seconds=5)
    finally:
        loop.send_signal(signal.SIGTERM)
        assert loop.wait(10) == 0


@pytest.mark.slow
@pytest.mark.pg
@pytest.mark.django_db(transaction=True)
def test_notify_of_postgresql_wakes_the_loop_long_before_its_poll(mailbox, settings, monkeypatch):
    use(settings, queues.POSTGRESQL)
    settings.SHOP_NOTIFY["ROUTES"][0]["via"] = ["email"]
    monkeypatch.setenv("SITE_SMTP_PORT", str(mailbox.port))
    monkeypatch.setenv("SITE_QUEUE", queues.POSTGRESQL)
    announce()
    loop = start("deliver_notifications", "--loop", "--poll", "60")
    try:
        assert wait_for(lambda: Notification.objects.filter(state="sent").count() == 1)
        time.sleep(1)
        announce("e-2")
        assert wait_for(lambda: Notification.objects.filter(state="sent").count() == 2)
    finally:
        loop.send_signal(signal.SIGTERM)
        assert loop.wait(10) == 0


@pytest.mark.django_db(transaction=True)
def test_queue_of_postgresql_leaves_the_row_to_the_loop_on_any_database(settings):
    use(settings, queues.POSTGRESQL)
    announce()
    assert Notification.objects.get().state == "queued"
    assert queries.can_listen() == (connection.vendor == "postgresql")
    if queries.can_listen():
        queries.listen()
        queues.wake()
        assert queries.wait(5)
        assert not queries.wait(0.05)
