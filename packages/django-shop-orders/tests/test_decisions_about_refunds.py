"""The decisions of staff about refunds: the result of one whose provider cannot be asked, and one without a credit."""

from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse
from shop_orders import admin, customers, form_tokens, lifecycle, payments
from shop_orders.exceptions import InvalidTransition, RefundTooLarge
from shop_orders.models import Refund
from shop_orders.payment_providers import PaymentState, RefundState

pytestmark = pytest.mark.django_db


@pytest.fixture
def order(place, memory_provider):
    """An order of 25.00 that was paid."""
    row = place(provider="memory")
    payments.apply_state(payments.start(row.pk).pk, PaymentState(status="captured", captured=Decimal(25)))
    row.refresh_from_db()
    return row


@pytest.fixture
def unknown(order, memory_provider, monkeypatch, make_due):
    """A refund of 10.00 that stays pending, of a provider that cannot be asked about refunds."""
    monkeypatch.setattr(memory_provider, "fetch_refund", lambda self, state, **names: None)
    memory_provider.refund_status = "pending"
    (refund,) = payments.refund(order.pk, amount=Decimal(10))
    make_due()
    payments.reconcile()
    refund.refresh_from_db()
    return refund


@pytest.fixture
def shopkeeper(client):
    client.force_login(get_user_model().objects.create_superuser("test-admin", "admin@example.org", "pw"))
    return client


def account(order):
    order.refresh_from_db()
    return order.refunded_amount, order.refunds_under_way, order.refund_due, order.amount_due


def step(client, order, name, **values):
    url = reverse("admin:shop_orders_step", args=[order.pk, name])
    return client.post(url, {"form_token": form_tokens.new_token(), **values}, follow=True).content.decode()


def test_refund_that_nobody_can_be_asked_about_says_so_to_staff(unknown):
    assert unknown.status == "pending"
    assert unknown.error == "memory cannot be asked about this refund. Look at its page, and enter the result."


def test_staff_say_that_the_customer_got_the_money(
    order, unknown, user, announced, django_capture_on_commit_callbacks
):
    assert account(order) == (0, 10, 0, 0)
    with django_capture_on_commit_callbacks(execute=True):
        made = payments.resolve_refund(unknown.pk, succeeded=True, reason="Seen on the statement", by=user)
    assert (made.status, made.error) == ("succeeded", "")
    assert account(order) == (10, 0, 0, 0)
    event = order.events.get(kind="refund_resolved")
    assert (event.message, event.actor, event.is_public) == (
        "Refund of 10.00 KES made. Seen on the statement",
        user,
        False,
    )
    assert [name for name, _payload, _kwargs in announced].count("order_refunded") == 1


def test_staff_say_that_the_customer_did_not_get_the_money(order, unknown, user):
    lost = payments.resolve_refund(unknown.pk, succeeded=False, reason="Sent back by the bank", by=user)
    assert (lost.status, lost.error) == ("failed", "Refund of 10.00 KES not made. Sent back by the bank")
    assert account(order) == (0, 0, 10, 0)
    assert [row.amount for row in payments.queue_refund(order.pk, amount=Decimal(10))] == [10]
    assert order.events.filter(kind="refund_resolved").count() == 1


def test_customer_is_not_told_if_staff_do_not_want_it(order, unknown, announced, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        payments.resolve_refund(unknown.pk, succeeded=True, notify=False)
    (refunded,) = [payload for name, payload, _kwargs in announced if name == "order_refunded"]
    assert refunded["notify"] is False


def test_refund_is_decided_once(unknown):
    payments.resolve_refund(unknown.pk, succeeded=True)
    for succeeded in (True, False):
        with pytest.raises(InvalidTransition):
            payments.resolve_refund(unknown.pk, succeeded=succeeded)


def test_refund_whose_provider_is_still_asked_is_not_decided(order, memory_provider):
    memory_provider.refund_status = "pending"
    (pending,) = payments.refund(order.pk, amount=Decimal(10))
    (queued,) = payments.queue_refund(order.pk, amount=Decimal(5))
    for row in (pending, queued):
        with pytest.raises(InvalidTransition):
            payments.resolve_refund(row.pk, succeeded=False)
    assert account(order) == (0, 15, 0, 0)


def test_refund_of_a_removed_provider_is_decided(order, shop_settings, make_due, memory_provider):
    (queued,) = payments.queue_refund(order.pk, amount=Decimal(5))
    shop_settings(PAYMENT_PROVIDERS={"bank": {"BACKEND": "shop_orders.testing.MemoryPaymentProvider"}})
    payments.send_due_refunds()
    payments.resolve_refund(queued.pk, succeeded=True, reason="Sent from the old account")
    assert account(order) == (5, 0, 0, 0)
    make_due()
    payments.send_due_refunds()
    assert memory_provider.refunds == {}


def test_refund_that_exceeds_what_was_paid_cannot_have_succeeded(order, unknown):
    payments.record_provider_refund(unknown.payment_id, amount=Decimal(20))
    with pytest.raises(RefundTooLarge):
        payments.resolve_refund(unknown.pk, succeeded=True)
    payments.resolve_refund(unknown.pk, succeeded=False)
    assert order.payments.get().refunded_amount == 20


def test_late_report_after_the_decision_is_booked(order, unknown, memory_provider, make_due):
    payments.resolve_refund(unknown.pk, succeeded=False)
    payment = unknown.payment
    memory_provider.outcomes[payment.provider_reference] = "captured"
    listed = RefundState(status="succeeded", amount=Decimal(10), refund_id=str(unknown.public_id), reference="r-1")
    memory_provider.made[payment.provider_reference] = [listed]
    payments.refresh(payment)
    assert account(order) == (10, 0, 0, 0)


def test_erasure_removes_what_staff_wrote_about_a_refund(order, unknown, customer):
    payments.resolve_refund(unknown.pk, succeeded=True, reason="Canary called")
    lifecycle.cancel(order.pk)
    customers.anonymise(customer)
    assert order.events.get(kind="refund_resolved").message == ""


def test_staff_decide_by_the_api_once_per_key(order, unknown, place):
    staff = get_user_model().objects.create_superuser("test-staff", "staff@example.org", "pw")
    client = Client(headers={"Authorization": f"Bearer user-{staff.pk}", "Idempotency-Key": "r-1"})
    url = f"/api/orders/staff/orders/{order.number}/"
    (listed,) = client.get(url).json()["refunds"]
    assert (listed["needs_decision"], listed["error"].partition(".")[0]) == (
        True,
        "memory cannot be asked about this refund",
    )
    action = f"{url}refunds/{unknown.public_id}/resolve/"
    for _time in range(2):
        response = client.post(action, {"succeeded": True, "reason": "Seen"}, "application/json")
        assert (response.status_code, response.json()["refunded_amount"]) == (200, "10.00")
    assert response.json()["refunds"][0]["needs_decision"] is False
    again = client.post(action, {"succeeded": False}, "application/json", headers={"Idempotency-Key": "r-2"})
    assert (again.status_code, again.json()["code"]) == (409, "invalid_transition")
    other = action.replace(order.number, place(provider="memory").number)
    for wrong in (other, action.replace(str(unknown.public_id), "4711")):
        missing = client.post(wrong, {"succeeded": True}, "application/json", headers={"Idempotency-Key": "r-3"})
        assert missing.status_code == 404


def test_staff_decide_in_the_admin(shopkeeper, order, unknown):
    assert "resolve_refund" in admin.possible_steps(order)
    page = shopkeeper.get(reverse("admin:shop_orders_step", args=[order.pk, "resolve_refund"])).content.decode()
    assert "10.00 KES" in page
    assert "memory cannot be asked about this refund" in page
    assert "This field is required" in step(shopkeeper, order, "resolve_refund", refund=unknown.public_id)
    step(shopkeeper, order, "resolve_refund", refund=unknown.public_id, outcome="failed", reason="Bounced")
    assert account(order) == (0, 0, 10, 0)
    assert "resolve_refund" not in admin.possible_steps(order)


def refund_step(client, order, **values):
    return step(client, order, "refund", without_credit="on", **values)


def test_refund_without_credit_is_asked_about_once_more(shopkeeper, order):
    page = refund_step(shopkeeper, order, amount="10.00")
    assert "so 10.00 KES will be due again" in page
    assert "The customer must pay 10.00 KES again" in page
    assert Refund.objects.count() == 0
    assert "so 12.00 KES will be due again" in refund_step(shopkeeper, order, amount="12.00", confirmed_amount="10.00")
    assert Refund.objects.count() == 0
    assert "Done: " in refund_step(shopkeeper, order, amount="10.00", confirmed_amount="10.00")
    assert account(order) == (10, 0, 0, 10)


def test_refund_of_goods_without_credit_is_asked_about_once_more(shopkeeper, order):
    assert "so 12.50 KES will be due again" in refund_step(shopkeeper, order, refund_line_1=1)
    refund_step(shopkeeper, order, refund_line_1=1, confirmed_amount="12.50")
    assert account(order) == (Decimal("12.50"), 0, 0, Decimal("12.50"))


def test_refund_of_what_is_owed_needs_no_second_question(shopkeeper, order):
    lifecycle.cancel(order.pk)
    assert "Done: " in refund_step(shopkeeper, order, amount="10.00")
    assert account(order) == (10, 0, 15, 0)
