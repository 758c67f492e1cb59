"""Past events that are sent again, for a route that was added later: the outbox's key keeps them from doubling."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.utils import timezone
from shop_core.replay import PastEvent, ReplayCommand
from shop_notify import delivery
from shop_notify.models import Notification
from shop_notify.notifiers import MemoryNotifier
from testproject.library import signals

MEMBER = {"key": "member:7", "email": "member@example.org", "memory": "here"}
ROUTE = {"signal": "testproject.library.signals.loan_made", "event": "loan_made", "to": ["member"]}
EVENTS = [f"e-{number}" for number in range(30)]


def use(settings, *routes):
    notifiers = {name: {"BACKEND": "memory"} for name in ("first", "added")}
    settings.SHOP_NOTIFY = {**settings.SHOP_NOTIFY, "NOTIFIERS": notifiers, "ROUTES": list(routes)}


def announce(events=EVENTS):
    for event_id in events:
        payload = {"loan": {"number": event_id}, "book": {}, "recipients": {"member": MEMBER}}
        signals.loan_made.send(sender=None, payload=payload, event_id=event_id)


def sent():
    return {alias: len(messages) for alias, messages in MemoryNotifier.outbox.items() if messages}


@pytest.mark.django_db
@pytest.mark.parametrize("added", [{"via": ["added"]}, {"via": ["first", "added"]}])
def test_replay_for_an_added_route_sends_only_its_messages(settings, added):
    use(settings, {**ROUTE, "via": ["first"]})
    announce()
    delivery.deliver_due()
    assert sent() == {"first": 30}
    use(settings, {**ROUTE, "via": ["first"]}, {**ROUTE, **added})
    for _ in range(3):
        announce()
        delivery.deliver_due()
    assert sent() == {"first": 30, "added": 30}


@pytest.mark.django_db
@pytest.mark.parametrize("state", ["queued", "sending", "sent", "delivered", "failed", "dead", "unknown", "skipped"])
def test_replay_leaves_a_message_alone_whatever_its_state(settings, state):
    use(settings, {**ROUTE, "via": ["first"]})
    announce(EVENTS[:1])
    Notification.objects.update(state=state, attempts=3)
    announce(EVENTS[:1])
    assert list(Notification.objects.values_list("state", "attempts")) == [(state, 3)]


class Replay(ReplayCommand):
    signals = {"loan_made": signals.loan_made}
    sender = object

    def handle(self, **options):
        self.replay(**options)

    def past_events(self, names, **options):
        for event_id in EVENTS:
            payload = {"loan": {"number": event_id}, "book": {}, "recipients": {"member": MEMBER}}
            values = {"payload": payload, "event_id": event_id}
            now = timezone.now()
            yield PastEvent(
                position=event_id, signal="loan_made", about="", sender=object, values=values, recorded_at=now
            )


def said_by_replay(capsys):
    call_command(Replay(), receiver="shop_notify:loan_made")
    return capsys.readouterr().out.splitlines()[-1]


@pytest.mark.django_db
def test_replay_says_how_many_messages_are_new(settings, capsys):
    use(settings, {**ROUTE, "via": ["first", "added"]})
    announce(EVENTS[:10])
    assert said_by_replay(capsys) == "30 replayed (40 new for the receiver)"
    assert said_by_replay(capsys) == "30 replayed (0 new for the receiver)"
    assert Notification.objects.count() == 60


@pytest.mark.django_db
def test_replay_of_a_route_that_fails_says_so(settings, capsys):
    use(settings, {**ROUTE, "via": ["first"], "to": ["no.such.callable"]})
    with pytest.raises(CommandError, match="Failed: e-0"):
        call_command(Replay(), receiver="shop_notify:loan_made")
    assert capsys.readouterr().out.splitlines()[-1] == "0 replayed"


@pytest.mark.pg
@pytest.mark.django_db(transaction=True)
def test_replays_at_once_write_each_message_once(settings):
    use(settings, {**ROUTE, "via": ["first", "added"]})
    announce(EVENTS[:10])
    barrier = threading.Barrier(4)

    def replay():
        barrier.wait()
        announce()
        connections.close_all()

    threads = [threading.Thread(target=replay) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    delivery.deliver_due()
    keys = Counter(Notification.objects.values_list("event_id", "alias"))
    assert (len(keys), set(keys.values())) == (60, {1})
    assert sent() == {"first": 30, "added": 30}
