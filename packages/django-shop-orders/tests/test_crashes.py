"""A process killed between two steps loses nothing and repeats nothing."""

import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone
from shop_orders import checkout, events, payments
from shop_orders.models import Cart, Order, OrderEvent, Payment, ProviderEvent
from shop_orders.payment_providers import PaymentEvent
from testproject.books.models import Book

COUNT = 100 if os.environ.get("SHOP_TEST_FULL") == "1" else 4

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def crash(memory_provider):
    """``crash(point)`` kills a process at ``point`` for each of COUNT orders and returns what they worked on."""
    Book.objects.create(isbn="crash", title="A book", sale_price=Decimal("5.00"), on_hand=1000)

    def run(point):
        name = str(connection.settings_dict["NAME"])
        here = str(Path(__file__).parent)
        path = os.pathsep.join([here, *sys.path])
        environment = {**os.environ, "CRASH_DATABASE": name, "PYTHONPATH": path}
        done = subprocess.run(
            [sys.executable, "-m", "testproject.crashes", point, str(COUNT)],
            env=environment,
            cwd=here,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout)
        assert result["killed"] == COUNT
        return result["things"]

    return run


def on_hand():
    return Book.objects.get(isbn="crash").on_hand


def recover():
    """Make the events due and announce them, as the periodic job does."""
    OrderEvent.objects.waiting().update(next_attempt_at=timezone.now())
    events.announce_due()


def test_crash_before_commit_leaves_no_order(crash):
    cart_ids = crash("before_commit")
    assert (Order.objects.count(), OrderEvent.objects.count(), on_hand()) == (0, 0, 1000)
    for cart_id in cart_ids:
        checkout.place_order(Cart.objects.get(pk=cart_id))
    assert (Order.objects.count(), on_hand()) == (COUNT, 1000 - 2 * COUNT)


def test_crash_before_announcement_loses_no_event(crash, announced):
    crash("before_announcement")
    assert (Order.objects.count(), on_hand()) == (COUNT, 1000 - 2 * COUNT)
    assert OrderEvent.objects.waiting().count() == COUNT
    recover()
    recover()
    assert OrderEvent.objects.waiting().count() == 0
    announced_ids = [rest["event_id"] for name, _payload, rest in announced if name == "order_placed"]
    assert len(announced_ids) == len(set(announced_ids)) == COUNT


def test_crash_during_expiry_releases_stock_once(crash, announced, make_due):
    crash("in_expiry")
    assert on_hand() == 1000 - 2 * COUNT
    assert set(Order.objects.values_list("status", flat=True)) == {"pending"}
    make_due()
    assert payments.expire_due() == COUNT
    assert payments.expire_due() == 0
    assert on_hand() == 1000
    assert OrderEvent.objects.filter(new_status="cancelled").count() == COUNT


def test_crash_during_a_webhook_applies_the_payment_once(crash, announced):
    results = crash("in_webhook")
    assert ProviderEvent.objects.count() == 0
    assert set(Payment.objects.values_list("status", flat=True)) == {"pending"}
    for number, (_order_id, reference) in enumerate(results):
        event = PaymentEvent(event_id=f"evt-{number}", kind="captured", reference=reference, amount=Decimal("10.00"))
        for _time in range(2):
            assert payments.apply_event("memory", event).outcome == "applied"
    assert set(Order.objects.values_list("payment_status", "paid_amount")) == {("paid", Decimal("10.0000"))}
    recover()
    announced_ids = [rest["event_id"] for name, _payload, rest in announced if name == "payment_status_changed"]
    assert len(announced_ids) == len(set(announced_ids)) == COUNT
