"""A provider that raises errors or stops responding: everything that waits for it is shown to staff in the end."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from shop_orders import payments
from shop_orders.exceptions import ProviderUnavailable
from shop_orders.models import Order, ProviderEvent
from shop_orders.payment_providers import PaymentEvent, PaymentState

pytestmark = pytest.mark.django_db


@pytest.fixture(params=[ProviderUnavailable, KeyError("secret")], ids=["unavailable", "a fault"])
def break_down(memory_provider, monkeypatch, request):
    """A function that makes a method of the provider fail from now on."""

    def fail(self, *args, **kwargs):
        raise request.param

    return lambda name: monkeypatch.setattr(memory_provider, name, fail)


@pytest.fixture
def order(place, memory_provider):
    return place(provider="memory")


@pytest.fixture
def payment(order):
    return payments.start(order.pk)


@pytest.fixture
def paid(payment):
    return payments.apply_state(payment.pk, PaymentState(status="captured", captured=Decimal(25)))


def run_jobs(make_due, times):
    for _run in range(times):
        make_due()
        payments.reconcile()
        payments.expire_due()


def overdue(**time):
    Order.objects.update(expires_at=timezone.now() - timedelta(**time))


def test_payment_that_cannot_be_fetched_is_shown_and_resolved(order, payment, break_down, make_due):
    break_down("fetch")
    overdue(days=3)
    run_jobs(make_due, 6)
    payment.refresh_from_db()
    assert (payment.needs_decision, list(Order.objects.needs_decision())) == (True, [order])
    assert "secret" not in payment.error
    payments.resolve(payment.pk, amount=Decimal(0))
    run_jobs(make_due, 1)
    order.refresh_from_db()
    assert order.status == "cancelled"


def test_page_that_cannot_be_closed_keeps_its_order_for_two_days(order, payment, break_down, make_due):
    break_down("cancel")
    for hours, status in ((47, "pending"), (49, "cancelled")):
        overdue(hours=hours)
        run_jobs(make_due, 6)
        order.refresh_from_db()
        assert order.status == status
    run_jobs(make_due, 3)
    assert list(Order.objects.needs_decision()) == [order]
    assert order.events.filter(kind="payment_unknown").count() == 1


def test_pending_refund_that_cannot_be_fetched_is_shown(order, paid, memory_provider, break_down, make_due):
    memory_provider.refund_status = "pending"
    (refund,) = payments.refund(order.pk)
    break_down("fetch_refund")
    run_jobs(make_due, 1)
    refund.refresh_from_db()
    assert (refund.status, list(Order.objects.needs_decision())) == ("pending", [order])
    assert refund.error in ("The provider raised an error: see the log.", str(ProviderUnavailable()))


@pytest.mark.parametrize("kind", ["refunded", "disputed"])
def test_report_that_cannot_be_settled_is_held_after_some_days(order, paid, break_down, make_due, kind):
    report = {"reference": paid.provider_reference, "amount": Decimal(5), "refund_reference": "r-1"}
    payments.apply_event("memory", PaymentEvent(event_id="evt", kind=kind, **report))
    break_down("fetch")
    for attempts, outcome in ((12, "waiting"), (9, "held")):
        run_jobs(make_due, attempts)
        assert ProviderEvent.objects.get().outcome == outcome
    assert list(Order.objects.needs_decision()) == [order]
