"""Past events that are sent again, for a route that was added later: the outbox's key keeps them from doubling."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from django.db import connections
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
