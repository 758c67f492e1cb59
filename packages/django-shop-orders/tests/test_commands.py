"""The output of the management commands."""

from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone
from shop_orders import carts, payments
from shop_orders.models import Cart, Order, OrderEvent, Payment
from shop_orders.payment_providers import PaymentState
from shop_orders.signals import order_placed

pytestmark = pytest.mark.django_db


def lines(command, *args, **options):
    out = StringIO()
    call_command(command, *args, stdout=out, **options)
    return out.getvalue().strip().splitlines()


def test_expire_orders(place, memory_provider):
    order = place(provider="memory")
    Order.objects.update(expires_at=timezone.now())
    first, last = lines("expire_orders", dry_run=True)
    assert first.startswith(f"{order.number}: 25.00 KES, was to be paid by 20")
    assert last == "1 overdue"
    order.refresh_from_db()
    assert order.status == "pending"
    assert lines("expire_orders")[-1].startswith("1 expired, 0 kept")
    order.refresh_from_db()
    assert order.status == "cancelled"


def test_expire_orders_reports_what_it_keeps(place, memory_provider):
    payments.start(place(provider="memory").pk)
    Order.objects.update(expires_at=timezone.now())
    memory_provider.is_down = True
    kept = "0 expired, 1 kept: their providers did not respond, or may have received money."
    assert lines("expire_orders") == [kept]


def test_announce_events(place):
    order = place()
    OrderEvent.objects.update(next_attempt_at=timezone.now())
    listed = lines("announce_events", dry_run=True)
    assert listed[-1] == f"{len(listed) - 1} waiting."
    assert all(line.startswith(order.number) for line in listed[:-1])
    waiting = OrderEvent.objects.waiting().count()
    assert waiting == len(listed) - 1
    assert lines("announce_events")[-1] == f"{waiting} announced, 0 waiting for their next attempt."


def test_announce_events_lists_the_errors_of_waiting_events(place):
    def fail(**kwargs):
        raise ValueError("the gateway is away")

    order_placed.connect(fail)
    try:
        place()
        OrderEvent.objects.update(next_attempt_at=timezone.now())
        assert lines("announce_events")[-1].endswith("1 waiting for their next attempt.")
    finally:
        order_placed.disconnect(fail)
    assert "ValueError: the gateway is away" in lines("announce_events", dry_run=True)[0]


def test_reconcile_payments(place, memory_provider):
    payment = payments.start(place(provider="memory").pk)
    assert lines("reconcile_payments", dry_run=True) == ["memory: 1 pending", "0 provider events waiting"]
    memory_provider.outcomes[payment.provider_reference] = "captured"
    Payment.objects.update(next_check_at=timezone.now())
    assert lines("reconcile_payments") == ["1 changed, 0 waiting"]


def test_reconcile_payments_counts_pending_refunds(place, memory_provider):
    payment = payments.start(place(provider="memory").pk)
    payments.apply_state(payment.pk, PaymentState(status="captured", captured=payment.amount))
    memory_provider.refund_status = "pending"
    for _part in range(2):
        payments.refund(payment.order_id, amount=Decimal(1))
    assert lines("reconcile_payments", dry_run=True) == [
        "memory: 2 refunds pending",
        "0 provider events waiting",
    ]


def test_prune_carts_shows_its_progress(book):
    for _cart in range(5):
        carts.add_to_cart("978-1")
    Cart.objects.update(updated_at=timezone.now() - timedelta(days=61))
    kept, _token = carts.add_to_cart("978-1")
    assert lines("prune_carts", dry_run=True) == ["5 would be deleted"]
    assert lines("prune_carts", batch=2) == ["2 of 5 deleted", "4 of 5 deleted", "5 of 5 deleted", "5 deleted"]
    assert Cart.objects.get() == kept
