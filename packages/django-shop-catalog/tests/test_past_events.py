"""Past events of stock and prices are replayed to one receiver."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from shop_catalog import inventory, products, signals
from shop_core import replay as replay_module

pytestmark = pytest.mark.django_db(transaction=True)

HOUR_AGO = (timezone.now() - timedelta(hours=1)).isoformat()
SIGNALS = ("stock_low", "stock_back", "stock_available", "price_changed")


@pytest.fixture
def received():
    """``(name of the signal, SKU, event id)`` of each event, live or replayed."""
    events = []

    def receive(*, signal, product, event_id, **kwargs):
        name = next(name for name in SIGNALS if getattr(signals, name) is signal)
        events.append((name, product.sku, event_id))

    for name in SIGNALS:
        getattr(signals, name).connect(receive, dispatch_uid="index:all")
    yield events
    for name in SIGNALS:
        getattr(signals, name).disconnect(dispatch_uid="index:all")


def replay(**options):
    call_command("announce_catalog_events", **{"receiver": "index", "since": HOUR_AGO, **options})


def test_a_replay_repeats_the_events_with_their_ids(received, capsys):
    apple = products.create("A", name="Apple", price=Decimal(2), stock_quantity=9, low_stock_threshold=5)
    inventory.reserve({"A": 9}, reference="order-1")
    products.set_price(apple, price=Decimal(3))
    inventory.release({"A": 9}, reference="order-1")
    live = received[:]
    assert [event[0] for event in live] == [
        *("stock_back", "stock_available", "stock_low", "price_changed", "stock_back", "stock_available"),
    ]
    received.clear()
    replay(dry_run=True)
    assert received == []
    replay()
    assert sorted(received) == sorted(live)
    assert [event[0] for event in received][-1] == "price_changed"
    assert capsys.readouterr().out.endswith("6 replayed\n")


def test_a_stopped_replay_loses_neither_signal_of_a_movement(received):
    products.create("A", name="Apple", price=Decimal(2), stock_quantity=9, low_stock_threshold=5)
    live = received[:]
    received.clear()

    def stop(**kwargs):
        raise KeyboardInterrupt

    signals.stock_available.connect(stop, dispatch_uid="stop:now")
    signals.stock_back.connect(lambda **kwargs: None, dispatch_uid="stop:later", weak=False)
    try:
        with pytest.raises(CommandError, match=r"Stopped. Replayed: 1. The same call begins again."):
            replay(receiver="stop")
    finally:
        signals.stock_available.disconnect(dispatch_uid="stop:now")
        signals.stock_back.disconnect(dispatch_uid="stop:later")
    replay()
    assert received == live


def test_a_position_that_is_printed_has_been_replayed_whole(received, monkeypatch, capsys):
    """A killed replay is continued behind the last position that it printed."""
    monkeypatch.setattr(replay_module, "PROGRESS_EVERY", 1)
    for sku in "AB":
        products.create(sku, name=sku, price=Decimal(2), stock_quantity=9, low_stock_threshold=5)
    live = received[:]
    received.clear()
    replay()
    lines = [line for line in capsys.readouterr().out.splitlines() if "the last is" in line]
    assert lines
    for line in lines:
        before = live[: int(line.split()[0])]
        received.clear()
        replay(after=line.rpartition(" ")[2])
        assert [*before, *received] == live, line


def test_a_replay_needs_a_receiver_and_a_time(received):
    with pytest.raises(CommandError, match="Say which events"):
        replay(since="")
    with pytest.raises(CommandError, match=r"Unknown receiver: \(none given\). Receivers of these signals: .*index"):
        replay(receiver="")
    with pytest.raises(CommandError, match="is not a position"):
        replay(after="event-1")
