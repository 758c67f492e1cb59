import json
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from shop_orders import events, guest_links, lifecycle, signals
from shop_orders.models import OrderEvent

pytestmark = pytest.mark.django_db


@pytest.fixture
def receiver_errors():
    """A receiver that raises the first error of this list until the list is empty."""
    errors = [RuntimeError("no mail today")]

    def receive(sender, **kwargs):
        if errors:
            raise errors[0]

    signals.order_placed.connect(receive)
    yield errors
    signals.order_placed.disconnect(receive)


def test_payload_is_complete_and_json_safe(
    place, customer, announced, shop_settings, django_capture_on_commit_callbacks
):
    shop_settings(ORDER_URL="testproject.hooks.order_url")
    with django_capture_on_commit_callbacks(execute=True):
        order = place(quantity=2, language="sw")
    name, payload, rest = announced[0]
    assert name == "order_placed"
    assert json.loads(json.dumps(payload)) == payload
    assert payload == {
        "version": 1,
        "order": {
            "number": order.number,
            "status": "pending",
            "payment_status": "unpaid",
            "currency": "KES",
            "subtotal": "25.00",
            "net_total": "25.00",
            "tax_total": "0.00",
            "total": "25.00",
            "lines": [
                {
                    "line": "#1",
                    "product_ref": "978-1",
                    "sku": "978-1",
                    "name": "Trees of Kenya",
                    "options": {},
                    "options_text": "",
                    "quantity": 2,
                    "unit_price": "12.50",
                    "line_total": "25.00",
                    "discount": "0.00",
                    "tax_rate": None,
                    "net": "25.00",
                    "tax": "0.00",
                }
            ],
            "charges": [],
            "tax_lines": [],
            "account": {
                "credited_amount": "0.00",
                "paid_amount": "0.00",
                "refunded_amount": "0.00",
                "refunds_under_way": "0.00",
                "amount_due": "25.00",
                "refund_due": "0.00",
            },
            "placed_at": order.placed_at.isoformat(),
            "url": f"https://shop.example.org/orders/{order.number}/?token=",
        },
        "old_status": "",
        "new_status": "pending",
        "at_placement": True,
        "notify": True,
        "visitor": "",
        "recipients": {
            "customer": {
                "key": f"customer:{customer.public_id}",
                "name": "Test",
                "email": "customer@example.org",
                "phone": "",
                "language": "sw",
            }
        },
    }
    assert rest["order"] == order
    assert rest["event_id"] == OrderEvent.objects.get(kind="placed").event_id


def test_guest_link_in_the_payload_is_valid(guest_order, announced, shop_settings, django_capture_on_commit_callbacks):
    shop_settings(ORDER_URL="testproject.hooks.order_url")
    with django_capture_on_commit_callbacks(execute=True):
        order = guest_order()
    token = announced[0][1]["order"]["url"].partition("?token=")[2]
    assert guest_links.is_valid(order, token)


def test_payload_never_shows_a_database_key(place, announced, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        order = place()
        lifecycle.start_processing(order.pk)
        lifecycle.ship(order.pk)
    for _name, payload, _rest in announced:
        assert not {"id", "pk", "customer_id", "order_id"} & set(str(payload).replace("'", " ").split())


def test_nothing_is_announced_before_commit(place, announced):
    place()
    assert announced == []
    assert OrderEvent.objects.waiting().count() == 2


def test_event_is_announced_when_every_receiver_returned(place, announced, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        place()
    assert OrderEvent.objects.waiting().count() == 0
    assert OrderEvent.objects.exclude(announced_at=None).count() == 2


def test_failing_receiver_keeps_the_order_and_is_called_again(
    place, receiver_errors, announced, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        order = place()
    assert order.status == "confirmed"
    event = OrderEvent.objects.waiting().get()
    assert (event.kind, event.attempts, event.last_error) == ("placed", 1, "RuntimeError: no mail today")
    assert events.announce_due() == 0
    OrderEvent.objects.update(next_attempt_at=timezone.now())
    receiver_errors.clear()
    assert events.announce_due() == 1
    event.refresh_from_db()
    assert event.announced_at is not None
    assert [rest["event_id"] for name, _payload, rest in announced if name == "order_placed"] == [event.event_id] * 2


def test_attempts_back_off(place, receiver_errors, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        place()
    waits = []
    for _attempt in range(9):
        OrderEvent.objects.waiting().update(next_attempt_at=timezone.now())
        assert events.announce_due() == 0
        wait = OrderEvent.objects.waiting().get().next_attempt_at - timezone.now()
        waits.append(round(wait / timedelta(seconds=30)))
    assert waits == [4, 16, 64, 256, 720, 720, 720, 720, 720]


def test_event_that_cannot_be_sent_does_not_delay_others(place, announced):
    """The signal of an event was removed by a later version."""
    place()
    OrderEvent.objects.update(next_attempt_at=timezone.now())
    broken = OrderEvent.objects.order_by("id").first()
    OrderEvent.objects.filter(pk=broken.pk).update(signal="no_such_signal")
    assert events.announce_due() == 1
    broken.refresh_from_db()
    assert (broken.attempts, broken.last_error[:14]) == (1, "AttributeError")
    assert broken.next_attempt_at > timezone.now()


def test_event_left_by_a_crash_is_announced(place, announced):
    place()
    OrderEvent.objects.update(next_attempt_at=F("next_attempt_at") - timedelta(minutes=2))
    assert events.announce_due() == 2
    assert [name for name, _payload, _rest in announced] == ["order_placed", "order_status_changed"]
    assert events.announce_due() == 0


def test_new_event_is_not_announced_by_the_job_yet(place, announced):
    place()
    assert (events.announce_due(), announced) == (0, [])
    assert OrderEvent.objects.waiting().exists()


def test_repeated_shipment_signal_carries_the_shipment(place, announced):
    order = place()
    lifecycle.start_processing(order.pk)
    shipment = lifecycle.ship(order.pk)
    OrderEvent.objects.update(next_attempt_at=timezone.now())
    events.announce_due()
    assert [rest["shipment"] for name, _payload, rest in announced if name == "shipment_sent"] == [shipment]


def test_reference_can_be_used_once(place):
    order = place()
    events.record(order, "note", reference="call-1")
    with pytest.raises(IntegrityError), transaction.atomic():
        events.record(order, "note", reference="call-1")


def test_event_that_nobody_receives_needs_no_announcement(place, django_capture_on_commit_callbacks):
    """No second statement marks it, and the job does not look for it."""
    with django_capture_on_commit_callbacks() as callbacks:
        order = place()
        lifecycle.cancel(order.pk)
    assert callbacks == []
    assert [event.signal for event in order.events.order_by("id")] == [
        "order_placed",
        "order_status_changed",
        "order_status_changed",
    ]
    assert not OrderEvent.objects.waiting().exists()
