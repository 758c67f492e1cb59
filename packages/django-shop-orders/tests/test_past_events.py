"""Past events are replayed to one receiver."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from shop_orders import lifecycle, personal_data, signals
from shop_orders.models import OrderEvent

pytestmark = pytest.mark.django_db

HOUR_AGO = (timezone.now() - timedelta(hours=1)).isoformat()


@pytest.fixture
def orders(place, django_capture_on_commit_callbacks):
    """Three orders whose events were announced before the receivers of a test were connected."""
    with django_capture_on_commit_callbacks(execute=True):
        placed = [place(quantity=1) for _number in range(3)]
        lifecycle.start_processing(placed[0].pk)
    return placed


class Recorder:
    """Receivers of two signals, of which the tests name the first."""

    def __init__(self):
        self.received, self.fails_for = [], set()

    def wanted(self, *, signal, sender, order, payload, event_id, event_recorded_at, **kwargs):
        assert signal in (signals.order_placed, signals.order_status_changed)
        if order.number in self.fails_for:
            raise RuntimeError("not now")
        self.received.append((order.number, payload["new_status"], event_id, event_recorded_at))

    async def awaited(self, *, order, **kwargs):
        self.received.append(order.number)

    def other(self, **kwargs):
        raise AssertionError("nobody named this receiver")


@pytest.fixture
def recorder():
    recorder = Recorder()
    connected = [(signals.order_placed, recorder.wanted), (signals.order_status_changed, recorder.wanted)]
    connected += [(signals.order_placed, recorder.other), (signals.order_placed, recorder.awaited)]
    for signal, receiver in connected:
        signal.connect(receiver)
    yield recorder
    for signal, receiver in connected:
        signal.disconnect(receiver)


NAME = f"{__name__}.Recorder.wanted"


def replay(**options):
    call_command("announce_events", **{"receiver": NAME, "since": HOUR_AGO, **options})


def test_past_events_reach_the_named_receiver_in_order(orders, recorder, capsys):
    replay()
    stored = OrderEvent.objects.exclude(signal="").select_related("order").order_by("pk")
    assert [row.new_status for row in stored][-1] == "processing"
    assert recorder.received == [(row.order.number, row.new_status, row.event_id, row.created_at) for row in stored]
    assert capsys.readouterr().out.splitlines()[-1] == f"{len(stored)} replayed"


def test_an_order_alone_is_replayed(orders, recorder):
    replay(order=[orders[1].number], since="")
    assert [event[:2] for event in recorder.received] == [
        (orders[1].number, "pending"),
        (orders[1].number, "confirmed"),
    ]


def test_an_async_receiver_gets_them_too(orders, recorder):
    replay(receiver=f"{__name__}.Recorder.awaited")
    assert recorder.received == [order.number for order in orders]


def test_dry_run_counts_and_sends_nothing(orders, recorder, capsys):
    replay(dry_run=True)
    assert recorder.received == []
    assert capsys.readouterr().out == "order_placed: 3\norder_status_changed: 4\n7 would be replayed\n"


def test_an_event_that_fails_is_named_and_stops_no_other(orders, recorder, caplog):
    recorder.fails_for = {orders[1].number}
    with pytest.raises(CommandError, match=rf"^Failed: event-\d+ \({orders[1].number}\), event-"):
        replay()
    assert len(recorder.received) == 5
    assert "not now" in caplog.text
    assert OrderEvent.objects.waiting().count() == 0


def test_a_stopped_replay_continues(orders, recorder):
    real = recorder.received

    class Interrupted(list):
        def append(self, event):
            if len(self) == 2:
                raise KeyboardInterrupt
            super().append(event)

    recorder.received = Interrupted()
    with pytest.raises(CommandError, match=r"^Stopped. Replayed: 2. Continue with --after event-") as error:
        replay()
    first, recorder.received = recorder.received, real
    replay(after=str(error.value).rpartition(" ")[2])
    assert [event[2] for event in [*first, *recorder.received]] == [
        row.event_id for row in OrderEvent.objects.exclude(signal="").order_by("pk")
    ]


def test_two_receivers_with_one_name_are_refused(orders, recorder):
    """Two partners may be objects of one class: the events of one must not go to the other."""
    second = Recorder()
    signals.order_placed.connect(second.wanted)
    try:
        with pytest.raises(
            CommandError, match=f"Several receivers of order_placed are called {NAME}. .* dispatch_uid"
        ):
            replay()
    finally:
        signals.order_placed.disconnect(second.wanted)
    assert recorder.received == second.received == []


def test_events_that_wait_for_their_next_attempt_are_left_to_it(orders, recorder):
    OrderEvent.objects.filter(order=orders[0]).update(announced_at=None)
    replay()
    assert {event[0] for event in recorder.received} == {orders[1].number, orders[2].number}


def test_events_that_are_recorded_meanwhile_are_not_replayed(orders, recorder):
    """They reach the receiver by the signal itself; a replay that took them too might never end."""

    def confirm_another(*, order, **kwargs):
        recorder.received.append(order.number)
        OrderEvent.objects.create(
            order=order, kind="placed", signal="order_placed", payload={}, announced_at=timezone.now()
        )

    signals.order_placed.connect(confirm_another, dispatch_uid="writes")
    try:
        replay(receiver="writes")
    finally:
        signals.order_placed.disconnect(dispatch_uid="writes")
    assert recorder.received == [order.number for order in orders]


def test_events_of_an_erased_person_have_no_recipients(orders, recorder, customer):
    received = []

    def keep(*, payload, **kwargs):
        received.append((payload["order"]["number"], payload["recipients"]))

    for order in orders:
        lifecycle.cancel(order.pk)
    personal_data.erase_personal_data(personal_data.person_of_customer(customer))
    signals.order_placed.connect(keep, dispatch_uid="keep")
    try:
        replay(receiver="keep")
    finally:
        signals.order_placed.disconnect(dispatch_uid="keep")
    assert received == [(order.number, {}) for order in orders]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"receiver": "mysite.nothing"}, f"Unknown receiver: mysite.nothing. Receivers of these signals: .*{NAME}"),
        ({"since": "2026-01-31"}, "has no time zone. Write it such as"),
        ({"since": "2026-01-31T00:00:00"}, "has no time zone"),
        ({"since": "yesterday"}, "is not a time"),
        ({"since": "0001-01-01T00:00:00+14:00"}, "is not a time"),  # before the first year, in UTC
        ({"since": "2199-01-01T00:00:00+00:00"}, "is in the future"),
        ({"since": ""}, "Say which events: --since TIME, --order NUMBER, or both."),
        ({"receiver": ""}, "name the --receiver too"),
        ({"order": ["NO-SUCH"]}, "Unknown order: NO-SUCH."),
        ({"after": "stock-1"}, "is not a position"),
        ({"after": "event-²"}, "is not a position"),
    ],
)
def test_wrong_options_are_refused_with_what_to_do(orders, recorder, options, message):
    with pytest.raises(CommandError, match=message):
        replay(**options)
    assert recorder.received == []
