"""Money that comes late, orders that are reinstated, and goods that come back."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from shop_orders import admin, form_tokens, lifecycle, payments
from shop_orders.exceptions import GoodsGone, InvalidInput, InvalidTransition
from shop_orders.models import Order, Refund
from shop_orders.payment_providers import PaymentEvent
from testproject.books.models import Book

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(db):
    return get_user_model().objects.create_superuser("test-staff", "staff@example.org", "pw")


@pytest.fixture
def api(staff):
    return Client(headers={"Authorization": f"Bearer user-{staff.pk}"})


@pytest.fixture
def expired(place, memory_provider):
    """Expire an unpaid order: ``expired("bank")``."""

    def expire(provider):
        order = place(provider=provider)
        Order.objects.filter(pk=order.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
        assert lifecycle.expire(order.pk)
        return order

    return expire


def state(order):
    order.refresh_from_db()
    return order.status, order.payment_status, order.amount_due, order.refund_due


def on_hand():
    return Book.objects.get().on_hand


def call(api, order, verb, body=None):
    return api.post(f"/api/orders/staff/orders/{order.number}/{verb}/", body or {}, "application/json")


def submit(client, order, step, **fields):
    url = reverse("admin:shop_orders_step", args=[order.pk, step])
    return client.post(url, {"form_token": form_tokens.new_token(), **fields}, follow=True).content.decode()


def pay_online(order, *, event_id="e-1"):
    payment = payments.start(order.pk)
    return payment, PaymentEvent(
        event_id=event_id, kind="captured", reference=payment.provider_reference, amount=payment.amount
    )


def test_transfer_after_the_expiry_is_recorded_and_left_to_staff(expired, staff):
    order = expired("bank")
    payments.record_payment(order.pk, amount=Decimal("25.00"), by=staff)
    assert state(order) == ("cancelled", "paid", 0, 25)
    event = order.events.get(kind="refund_due")
    assert event.is_public is False
    assert event.message == (
        "25.00 KES was paid after the order expired. Reinstate the order, if its goods are in stock, or refund the"
        " money."
    )
    assert list(Order.objects.refund_due()) == [order]


def test_online_payment_after_the_expiry_is_left_to_staff(place, memory_provider):
    order = place(provider="memory")
    _payment, event = pay_online(order)
    Order.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert lifecycle.expire(order.pk)
    payments.apply_event("memory", event)
    assert state(order) == ("cancelled", "paid", 0, 25)
    assert (Refund.objects.count(), order.events.filter(kind="refund_due").count()) == (0, 1)
    payments.refund(order.pk)
    assert state(order) == ("cancelled", "refunded", 0, 0)


def test_online_payment_after_the_cancellation_is_refunded_automatically(place, memory_provider):
    """A cancelled order is not wanted any more, so nobody has to decide."""
    order = place(provider="memory")
    _payment, event = pay_online(order)
    lifecycle.cancel(order.pk)
    payments.apply_event("memory", event)
    assert payments.send_due_refunds() == 1
    assert state(order) == ("cancelled", "refunded", 0, 0)


def test_paid_order_is_reinstated_with_its_goods(expired, staff, announced, django_capture_on_commit_callbacks):
    order = expired("bank")
    assert on_hand() == 10
    payments.record_payment(order.pk, amount=Decimal("25.00"))
    with django_capture_on_commit_callbacks(execute=True):
        lifecycle.reinstate(order.pk, by=staff)
    assert state(order) == ("confirmed", "paid", 0, 0)
    assert (on_hand(), order.credited_amount, order.cancel_reason) == (8, 0, "")
    kinds = [(credit.kind, credit.amount) for credit in order.credits.all()]
    assert kinds == [("expiry", 25), ("reinstatement", -25)]
    changes = [(name, payload["old_status"], payload["new_status"]) for name, payload, _rest in announced]
    assert changes == [("order_status_changed", "cancelled", "confirmed")]
    event = order.events.get(old_status="cancelled")
    assert (event.actor, event.message) == (staff, "The order was reinstated.")


def test_reinstated_order_continues_and_can_be_cancelled_again(expired):
    order = expired("bank")
    payments.record_payment(order.pk, amount=Decimal("25.00"))
    for count in (1, 2):
        lifecycle.reinstate(order.pk)
        assert on_hand() == 8
        lifecycle.cancel(order.pk)
        assert on_hand() == 10
        assert state(order) == ("cancelled", "paid", 0, 25)
        assert order.reservations == count + 1
    lifecycle.reinstate(order.pk)
    lifecycle.start_processing(order.pk)
    lifecycle.ship(order.pk)
    lifecycle.deliver(order.pk)
    assert (state(order), on_hand()) == (("delivered", "paid", 0, 0), 8)


def test_each_reservation_has_a_reference_of_its_own(expired, monkeypatch):
    calls = []
    for method in ("reserve", "release"):

        def record(self, quantities, *, reference, method=method):
            calls.append((method, reference))
            return {}

        monkeypatch.setattr(f"shop_orders.product_sources.ModelProductSource.{method}", record)
    order = expired("bank")
    payments.record_payment(order.pk, amount=Decimal("25.00"))
    lifecycle.reinstate(order.pk)
    lifecycle.cancel(order.pk)
    lifecycle.reinstate(order.pk)
    number = order.number
    assert calls == [
        ("reserve", number),
        ("release", number),
        ("reserve", f"{number}#2"),
        ("release", f"{number}#2"),
        ("reserve", f"{number}#3"),
    ]


def test_order_whose_goods_are_gone_is_not_reinstated(expired, api):
    order = expired("bank")
    payments.record_payment(order.pk, amount=Decimal("25.00"))
    Book.objects.update(on_hand=1)
    with pytest.raises(GoodsGone, match="Not enough stock of: 978-1"):
        lifecycle.reinstate(order.pk)
    assert (state(order), on_hand()) == (("cancelled", "paid", 0, 25), 1)
    assert (order.reservations, order.credits.count(), order.events.filter(new_status="confirmed").count()) == (
        1,
        1,
        0,
    )
    refused = call(api, order, "reinstate")
    assert (refused.status_code, refused.json()["code"]) == (409, "goods_gone")
    assert refused.json()["shortages"] == [{"product": "978-1", "available": 1}]


def test_order_that_is_not_cancelled_and_paid_is_not_reinstated(expired, place, memory_provider):
    order = expired("bank")
    with pytest.raises(InvalidTransition, match=r"25\.00 KES is missing"):
        lifecycle.reinstate(order.pk)
    payments.record_payment(order.pk, amount=Decimal("24.99"))
    with pytest.raises(InvalidTransition, match=r"0\.01 KES is missing"):
        lifecycle.reinstate(order.pk)
    payments.record_payment(order.pk, amount=Decimal("0.01"))
    memory_provider.refund_status = "pending"
    payments.queue_refund(order.pk, amount=Decimal("5.00"))
    with pytest.raises(InvalidTransition, match=r"5\.00 KES is missing"):
        lifecycle.reinstate(order.pk)
    assert not lifecycle.can_be_reinstated(Order.objects.get())
    open_order = place(provider="bank")
    with pytest.raises(InvalidTransition):
        lifecycle.reinstate(open_order.pk)
    assert on_hand() == 8


def test_refunded_order_is_not_reinstated(expired):
    order = expired("bank")
    payments.record_payment(order.pk, amount=Decimal("25.00"))
    payments.refund(order.pk)
    with pytest.raises(InvalidTransition):
        lifecycle.reinstate(order.pk)
    assert state(order) == ("cancelled", "refunded", 0, 0)


def test_earlier_credits_stay_when_an_order_is_reinstated(place, memory_provider):
    order = place(provider="bank")
    payments.record_payment(order.pk)
    payments.refund(order.pk, amount=Decimal("5.00"))
    lifecycle.cancel(order.pk)
    assert state(order) == ("cancelled", "part_refunded", 0, 20)
    lifecycle.reinstate(order.pk)
    assert state(order) == ("confirmed", "part_refunded", 0, 0)
    assert order.credited_amount == 5


def test_staff_reinstate_by_the_api_and_on_the_orders_page(expired, api, client, staff):
    first, second = expired("bank"), expired("bank")
    first.refresh_from_db()
    shown = api.get(f"/api/orders/staff/orders/{first.number}/").json()
    assert (shown["can_be_reinstated"], admin.possible_steps(first)) == (False, ["pay", "note"])
    for order in (first, second):
        payments.record_payment(order.pk, amount=Decimal("25.00"))
    shown = api.get(f"/api/orders/staff/orders/{first.number}/").json()
    assert (shown["can_be_reinstated"], shown["refund_due"]) == (True, "25.00")
    response = call(api, first, "reinstate", {"notify": False}).json()
    assert (response["status"], response["refund_due"], response["can_be_reinstated"]) == ("confirmed", "0.00", False)
    second.refresh_from_db()
    assert admin.possible_steps(second) == ["pay", "refund", "reinstate", "note"]
    client.force_login(staff)
    submit(client, second, "reinstate", notify="on")
    assert state(second) == ("confirmed", "paid", 0, 0)


def test_reinstating_needs_the_permission_to_cancel(expired, user):
    order = expired("bank")
    client = Client(headers={"Authorization": f"Bearer user-{user.pk}"})
    assert call(client, order, "reinstate").status_code == 403


def test_money_by_another_manual_provider_than_the_current_one_is_recorded(place, memory_provider, client, staff):
    """The customer transferred the money, then chose to pay online."""
    order = place(provider="bank")
    payments.start(order.pk)
    payments.start(order.pk, provider="memory")
    order.refresh_from_db()
    assert "pay" in admin.possible_steps(order)
    client.force_login(staff)
    url = reverse("admin:shop_orders_step", args=[order.pk, "pay"])
    assert "Received by" in client.get(url).content.decode()
    submit(client, order, "pay", amount="25.00", provider="bank")
    assert state(order) == ("confirmed", "paid", 0, 0)


@pytest.fixture
def refused(place):
    """A parcel to be paid on delivery was refused."""
    order = place()
    lifecycle.start_processing(order.pk)
    lifecycle.ship(order.pk)
    assert on_hand() == 8
    return order


def test_goods_that_come_back_unpaid_are_returned_to_stock(refused, staff, api):
    lifecycle.restock(refused.pk, {"978-1": 1}, reason="Refused at the door.", by=staff)
    assert (on_hand(), refused.lines.get().restocked_quantity) == (9, 1)
    assert state(refused) == ("shipped", "unpaid", 25, 0)
    event = refused.events.get(kind="restocked")
    assert (event.actor, event.message, event.is_public) == (staff, "Refused at the door.", False)
    assert event.payload["restocked"] == {"978-1": 1}
    response = call(api, refused, "restock", {"lines": [{"product": "978-1", "quantity": 1}], "credit": True}).json()
    assert (on_hand(), response["credited_amount"], response["amount_due"]) == (10, "12.50", "12.50")
    assert [(row["kind"], row["lines"]) for row in response["credits"]] == [("lines", {"978-1": 1})]


def test_credited_goods_that_were_paid_are_to_be_refunded(refused):
    payments.record_payment(refused.pk)
    lifecycle.restock(refused.pk, {"978-1": 1}, credit=True)
    assert state(refused) == ("shipped", "paid", 0, Decimal("12.50"))
    payments.refund(refused.pk, amount=Decimal("12.50"))
    assert state(refused) == ("shipped", "part_refunded", 0, 0)
    assert refused.credited_amount == Decimal("12.50")


@pytest.mark.parametrize("quantities", [{}, {"978-1": 3}, {"978-1": 0}, {"978-1": -1}, {"unknown": 1}])
def test_only_shipped_goods_are_returned_to_stock(refused, quantities):
    with pytest.raises(InvalidInput):
        lifecycle.restock(refused.pk, quantities)
    assert (on_hand(), refused.lines.get().restocked_quantity) == (8, 0)
    assert not refused.events.filter(kind="restocked").exists()


def test_goods_that_were_credited_before_are_not_credited_again(refused):
    payments.record_payment(refused.pk)
    payments.refund(refused.pk, lines={"978-1": 2})
    with pytest.raises(InvalidInput):
        lifecycle.restock(refused.pk, {"978-1": 1}, credit=True)
    assert on_hand() == 8
    lifecycle.restock(refused.pk, {"978-1": 2})
    assert (on_hand(), refused.credits.count()) == (10, 1)


def test_each_return_to_stock_has_a_reference_of_its_own(refused, monkeypatch):
    references = []

    def restock(self, quantities, *, reference):
        references.append(reference)

    monkeypatch.setattr("shop_orders.product_sources.ModelProductSource.restock", restock)
    lifecycle.restock(refused.pk, {"978-1": 1})
    lifecycle.restock(refused.pk, {"978-1": 1})
    assert len(set(references)) == 2


def test_staff_return_goods_to_stock_on_the_orders_page(refused, client, staff):
    refused.refresh_from_db()
    assert "restock" in admin.possible_steps(refused)
    client.force_login(staff)
    assert "Enter the units that came back." in submit(client, refused, "restock")
    submit(client, refused, "restock", line_1=2, credit="on", reason="Refused.")
    assert (on_hand(), state(refused)) == (10, ("shipped", "unpaid", 0, 0))
    refused.refresh_from_db()
    assert "restock" not in admin.possible_steps(refused)
