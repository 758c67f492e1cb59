from datetime import timedelta

import pytest
from django.utils import timezone
from shop_orders import lifecycle, payments
from shop_orders.exceptions import InvalidTransition, NothingToShip
from shop_orders.models import Order, OrderLine, OrderStatus
from testproject.books.models import Book

pytestmark = pytest.mark.django_db

ACTIONS = {
    "confirmed": lifecycle.confirm,
    "processing": lifecycle.start_processing,
    "shipped": lifecycle.ship,
    "delivered": lifecycle.deliver,
    "cancelled": lifecycle.cancel,
}
ALLOWED = {
    ("pending", "confirmed"),
    ("pending", "cancelled"),
    ("confirmed", "processing"),
    ("confirmed", "cancelled"),
    ("processing", "shipped"),
    ("processing", "cancelled"),
    ("shipped", "delivered"),
}


def bring_to(order, status):
    """Take an order from placement to ``status`` with the lifecycle actions."""
    if order.status == "pending" and status != "pending":
        lifecycle.cancel(order.pk) if status == "cancelled" else lifecycle.confirm(order.pk)
    for step, action in list(ACTIONS.items())[1:4]:
        if status in ("pending", "confirmed", "cancelled"):
            break
        action(order.pk)
        if step == status:
            break
    order.refresh_from_db()
    assert order.status == status


@pytest.mark.parametrize("new", OrderStatus.values)
@pytest.mark.parametrize("old", OrderStatus.values)
def test_only_the_allowed_status_changes_succeed(place, memory_provider, old, new):
    order = place(provider="memory")
    bring_to(order, old)
    if new == "pending":
        assert new not in lifecycle.allowed(old)
        return
    events = order.events.count()
    if (old, new) in ALLOWED:
        ACTIONS[new](order.pk)
        order.refresh_from_db()
        assert order.status == new
        assert order.events.filter(kind="status_changed", old_status=old, new_status=new).count() == 1
    elif old == new == "cancelled":
        ACTIONS[new](order.pk)
        assert order.events.count() == events
    else:
        with pytest.raises(InvalidTransition):
            ACTIONS[new](order.pk)
        order.refresh_from_db()
        assert (order.status, order.events.count()) == (old, events)


def test_transition_table_is_complete():
    assert set(lifecycle.TRANSITIONS) == set(OrderStatus)
    assert {(str(old), str(new)) for old, targets in lifecycle.TRANSITIONS.items() for new in targets} == ALLOWED


def test_setting_adds_transitions(place, memory_provider, shop_settings):
    order = place(provider="memory")
    with pytest.raises(InvalidTransition):
        lifecycle.start_processing(order.pk)
    shop_settings(TRANSITIONS={"pending": ["processing"]})
    assert lifecycle.start_processing(order.pk).status == "processing"


def test_setting_cannot_reopen_a_cancelled_order(place, shop_settings):
    """Its stock was released and may have been sold."""
    order = place()
    lifecycle.cancel(order.pk)
    shop_settings(TRANSITIONS={"cancelled": ["confirmed", "processing"]})
    for action in (lifecycle.confirm, lifecycle.start_processing):
        with pytest.raises(InvalidTransition):
            action(order.pk)


def test_second_cancel_changes_nothing(place):
    order = place(quantity=3)
    assert Book.objects.get().on_hand == 7
    lifecycle.cancel(order.pk, reason="Changed my mind")
    lifecycle.cancel(order.pk)
    order.refresh_from_db()
    assert Book.objects.get().on_hand == 10
    assert order.cancel_reason == "Changed my mind"
    assert order.events.filter(new_status="cancelled").count() == 1


def test_order_can_be_shipped_in_two_parcels(place, announced, django_capture_on_commit_callbacks):
    order = place(quantity=3)
    lifecycle.start_processing(order.pk)
    with django_capture_on_commit_callbacks(execute=True):
        first = lifecycle.ship(order.pk, quantities={"978-1": 1}, carrier="Test Carrier", tracking_number="T1")
    order.refresh_from_db()
    assert order.status == "processing"
    assert [name for name, _payload, _rest in announced] == ["shipment_sent"]
    shipment = announced[0][1]["shipment"]
    assert (shipment["carrier"], shipment["tracking_number"], shipment["is_last"]) == ("Test Carrier", "T1", False)
    units = {"line": "#1", "product_ref": "978-1", "name": "Trees of Kenya", "options": {}, "options_text": ""}
    assert shipment["lines"] == [{**units, "quantity": 1}]
    assert shipment["remaining"] == [{**units, "quantity": 2}]
    assert announced[0][2]["shipment"] == first
    with django_capture_on_commit_callbacks(execute=True):
        second = lifecycle.ship(order.pk)
    order.refresh_from_db()
    assert order.status == "shipped"
    assert [line.quantity for line in second.lines.all()] == [2]
    assert [first.number, second.number] == [f"{order.number}-1", f"{order.number}-2"]
    assert [name for name, _payload, _rest in announced[1:]] == ["order_status_changed", "shipment_sent"]
    assert shipment["position"] == 1
    last = announced[2][1]["shipment"]
    assert (last["position"], last["is_last"], last["remaining"]) == (2, True, [])
    assert OrderLine.objects.get().open_quantity == 0


def test_refunded_goods_are_not_announced_as_still_to_come(place, user):
    order = place(quantity=3)
    payments.record_payment(order.pk, by=user)
    lifecycle.start_processing(order.pk)
    payments.refund(order.pk, lines={"978-1": 2})
    lifecycle.ship(order.pk, quantities={"978-1": 1})
    payload = order.events.get(kind="shipment_sent").payload["shipment"]
    assert (payload["is_last"], payload["remaining"], payload["lines"][0]["quantity"]) == (True, [], 1)


@pytest.mark.parametrize("quantities", [{"978-1": 4}, {"978-1": 0}, {"978-1": -1}, {"other": 1}, {}])
def test_impossible_parcels_are_refused(place, quantities):
    order = place(quantity=3)
    lifecycle.start_processing(order.pk)
    with pytest.raises(NothingToShip):
        lifecycle.ship(order.pk, quantities=quantities)
    assert order.shipments.count() == 0


def test_partly_shipped_order_cannot_be_cancelled(place):
    order = place(quantity=3)
    lifecycle.start_processing(order.pk)
    lifecycle.ship(order.pk, quantities={"978-1": 1})
    with pytest.raises(InvalidTransition):
        lifecycle.cancel(order.pk)
    assert Book.objects.get().on_hand == 7


def test_unpaid_order_expires_once_after_its_deadline(place, memory_provider):
    order = place(provider="memory")
    assert lifecycle.expire(order.pk) is False
    Order.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert lifecycle.expire(order.pk) is True
    assert lifecycle.expire(order.pk) is False
    order.refresh_from_db()
    assert (order.status, Book.objects.get().on_hand) == ("cancelled", 10)
    assert order.cancel_reason == "It was not paid in time."


def test_order_without_deadline_never_expires(place):
    order = place()
    assert lifecycle.expire(order.pk) is False


def test_change_without_notify_is_marked_in_its_payload(place, announced, django_capture_on_commit_callbacks):
    order = place()
    with django_capture_on_commit_callbacks(execute=True):
        lifecycle.start_processing(order.pk, notify=False)
    assert [payload["notify"] for _name, payload, _rest in announced] == [False]


def test_event_records_the_user_who_made_the_change(place, user):
    order = place()
    lifecycle.start_processing(order.pk, by=user)
    event = order.events.get(new_status="processing")
    assert (event.actor, event.is_public) == (user, True)


def test_note_is_private_by_default(place, user, announced, django_capture_on_commit_callbacks):
    order = place()
    with django_capture_on_commit_callbacks(execute=True):
        lifecycle.add_note(order.pk, text="Called back", by=user)
        lifecycle.add_note(order.pk, text="We are on it", is_public=True)
    assert list(order.events.filter(kind="note").values_list("message", "is_public")) == [
        ("Called back", False),
        ("We are on it", True),
    ]
    assert announced == []
