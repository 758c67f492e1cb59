"""Units that are not sent: by a refund before they were shipped, or because staff send nothing more."""

import json
import re
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse
from shop_orders import admin, carts, checkout, lifecycle, payments
from shop_orders.exceptions import InvalidInput, InvalidTransition, NothingToShip
from shop_orders.models import Credit, Order, Refund
from testproject.books.models import Book

pytestmark = pytest.mark.django_db

A, B = "978-1", "978-2"


@pytest.fixture
def paid(customer, book, other_book, memory_provider):
    """A function that places an order of ``{ref: units}``, paid unless ``paid=False``, and being processed."""

    def order(quantities, *, paid=True, surplus=0):
        cart, _token = carts.find_or_open(customer=customer)
        for ref, units in quantities.items():
            carts.add_item(cart, ref, units)
        placed = checkout.place_order(cart, provider="bank")
        if paid:
            payments.record_payment(placed.pk, amount=placed.total + surplus)
        else:
            lifecycle.confirm(placed.pk)
        lifecycle.start_processing(placed.pk)
        return fresh(placed)

    return order


def fresh(order):
    return Order.objects.get(pk=order.pk)


def on_hand():
    return dict(Book.objects.values_list("isbn", "on_hand"))


def units_of(order):
    fields = ("product_ref", "quantity", "shipped_quantity", "cancelled_quantity")
    return {ref: tuple(counts) for ref, *counts in order.lines.values_list(*fields)}


def test_refunded_units_are_not_sent_and_their_stock_is_released(paid):
    order = paid({A: 3, B: 2})
    assert on_hand() == {A: 7, B: 3}
    payments.refund(order.pk, lines={A: 2})
    assert (on_hand(), units_of(order)) == ({A: 9, B: 3}, {A: (3, 0, 2), B: (2, 0, 0)})
    shipment = lifecycle.ship(order.pk)
    assert {line.order_line.product_ref: line.quantity for line in shipment.lines.all()} == {A: 1, B: 2}
    assert (fresh(order).status, on_hand()) == ("shipped", {A: 9, B: 3})
    with pytest.raises(InvalidTransition):
        lifecycle.ship(order.pk)


def test_refund_of_all_that_was_left_makes_the_order_shipped(paid, announced, django_capture_on_commit_callbacks):
    order = paid({A: 3, B: 2})
    lifecycle.ship(order.pk, quantities={A: 1})
    with django_capture_on_commit_callbacks(execute=True):
        payments.queue_refund(order.pk, lines={A: 2, B: 2}, reason="Sold out")
    order = fresh(order)
    assert (order.status, order.payment_status, on_hand()) == ("shipped", "paid", {A: 9, B: 5})
    assert (order.credited_amount, order.refunds_under_way, order.refund_due) == (
        Decimal("39.40"),
        Decimal("39.40"),
        0,
    )
    payload = next(payload for name, payload, _kwargs in announced if name == "units_cancelled")
    assert payload["cancelled"] == {
        "reason": "Sold out",
        "credited_amount": "39.40",
        "with_refund": True,
        "lines": [
            {
                "line": "#1",
                "product_ref": A,
                "name": "Trees of Kenya",
                "options": {},
                "options_text": "",
                "quantity": 2,
            },
            {
                "line": "#2",
                "product_ref": B,
                "name": "Birds of Kenya",
                "options": {},
                "options_text": "",
                "quantity": 2,
            },
        ],
        "remaining": [],
    }
    assert (payload["notify"], payload["order"]["status"]) == (False, "shipped")
    lifecycle.deliver(order.pk)


def test_refund_of_everything_before_shipping_cancels_the_order(paid):
    order = paid({A: 3, B: 2})
    payments.refund(order.pk, lines={A: 1})
    payments.refund(order.pk, lines={A: 2, B: 2}, reason="Sold out")
    order = fresh(order)
    assert (order.status, order.cancel_reason, order.payment_status) == ("cancelled", "Sold out", "refunded")
    assert (order.credited_amount, order.balance, on_hand()) == (order.total, 0, {A: 10, B: 5})
    assert not lifecycle.can_be_reinstated(order)
    with pytest.raises(InvalidTransition):
        lifecycle.reinstate(order.pk)


def test_order_of_which_no_unit_is_left_is_not_reinstated_though_some_were_not_refunded(paid):
    order = paid({A: 2})
    lifecycle.cancel_units(order.pk, {A: 1})
    payments.refund(order.pk, amount=Decimal(1), lines={A: 1})
    assert (fresh(order).status, fresh(order).refundable_amount > 0) == ("cancelled", True)
    with pytest.raises(InvalidTransition, match=r"Nothing of this order is left to send\."):
        lifecycle.reinstate(order.pk)


def test_returned_units_of_a_refund_are_not_taken_out_of_what_is_sent(paid):
    order = paid({A: 3})
    lifecycle.ship(order.pk, quantities={A: 1})
    payments.refund(order.pk, lines={A: 1}, restock={A: 1})
    assert (units_of(order), on_hand()) == ({A: (3, 1, 0)}, {A: 8, B: 5})
    payments.refund(order.pk, lines={A: 1})
    assert (units_of(order), on_hand(), fresh(order).status) == ({A: (3, 1, 1)}, {A: 9, B: 5}, "processing")


def test_staff_say_which_refunded_units_are_still_sent(paid):
    order = paid({A: 3})
    lifecycle.ship(order.pk, quantities={A: 1})
    payments.refund(order.pk, lines={A: 1}, cancel={})  # the one that was sent is broken
    assert (units_of(order), on_hand()) == ({A: (3, 1, 0)}, {A: 7, B: 5})
    before = fresh(order)
    for wrong in ({A: 3}, {A: 2}, {B: 1}, {A: 0}, {A: -1}):
        with pytest.raises(InvalidInput):
            payments.refund(order.pk, lines={A: 1}, cancel=wrong)
    with pytest.raises(InvalidInput, match="have to be credited"):
        payments.refund(order.pk, lines={A: 1}, cancel={A: 1}, credit=False)
    assert (fresh(order).credited_amount, Refund.objects.count()) == (before.credited_amount, 1)


@pytest.mark.parametrize("options", [{"amount": Decimal(10)}, {"lines": {A: 1}, "credit": False}])
def test_refund_of_an_amount_or_without_credit_leaves_the_goods_sold(paid, options):
    order = paid({A: 2})
    payments.refund(order.pk, **options)
    assert (units_of(order), on_hand()) == ({A: (2, 0, 0)}, {A: 8, B: 5})


def test_units_that_are_not_sent_are_credited_although_a_surplus_is_due(paid):
    """Otherwise the refund would use up the surplus, and the customer would pay for goods that never come."""
    order = paid({A: 2}, surplus=Decimal("12.50"))
    assert fresh(order).refund_due == Decimal("12.50")
    payments.refund(order.pk, lines={A: 1})
    order = fresh(order)
    assert (order.credited_amount, order.refunded_amount) == (Decimal("12.50"), Decimal("12.50"))
    assert (order.refund_due, order.balance) == (Decimal("12.50"), Decimal("-12.50"))
    credit = order.credits.get()
    assert (credit.kind, credit.lines, credit.refund.amount) == ("lines", {A: 1}, Decimal("12.50"))


@pytest.mark.parametrize(("ordered", "credited"), [(1, Decimal("12.50")), (2, Decimal("12.50"))])
def test_price_of_goods_that_are_not_sent_is_credited_in_full_if_less_is_refunded(paid, ordered, credited):
    """The customer does not owe goods that never come: the rest is shown to staff as money to refund."""
    order = paid({A: ordered})
    payments.refund(order.pk, lines={A: 1}, amount=Decimal(10))
    order = fresh(order)
    assert (order.credited_amount, order.refunded_amount) == (credited, 10)
    assert (order.refund_due, order.amount_due, order.lines.get().open_quantity) == (Decimal("2.50"), 0, ordered - 1)
    event = order.events.get(kind="units_cancelled")
    assert event.payload["cancelled"]["credited_amount"] == "12.50"


def test_refund_above_what_goods_that_are_not_sent_leave_due_is_credited_too(paid):
    order = paid({A: 2}, paid=False)
    payments.record_payment(order.pk, amount=Decimal(15))
    payments.refund(order.pk, lines={A: 1}, amount=Decimal(5))
    order = fresh(order)
    assert (order.credited_amount, order.balance) == (Decimal(15), 0)


def test_nothing_more_is_sent_of_a_part_shipped_order(paid, announced, django_capture_on_commit_callbacks):
    order = paid({A: 3, B: 2})
    lifecycle.ship(order.pk, quantities={A: 1})
    with django_capture_on_commit_callbacks(execute=True):
        order = lifecycle.cancel_units(order.pk, reason="Out of print")
    assert (order.status, on_hand(), units_of(order)) == ("shipped", {A: 9, B: 5}, {A: (3, 1, 2), B: (2, 0, 2)})
    assert (order.credited_amount, order.refund_due) == (Decimal("39.40"), Decimal("39.40"))
    payload = next(payload for name, payload, _kwargs in announced if name == "units_cancelled")
    assert payload["notify"] is True
    assert payload["order"]["account"]["refund_due"] == "39.40"
    assert (payload["cancelled"]["with_refund"], payload["cancelled"]["credited_amount"]) == (False, "39.40")
    with pytest.raises(InvalidTransition, match="Nothing of this order is left to send"):
        lifecycle.cancel_units(order.pk)
    payments.refund(order.pk, amount=order.refund_due)
    assert (fresh(order).credited_amount, fresh(order).balance) == (Decimal("39.40"), 0)


def test_unpaid_order_asks_only_for_what_is_sent(paid):
    order = paid({A: 3, B: 2}, paid=False)
    order = lifecycle.cancel_units(order.pk, {A: 2}, reason="Customer called")
    assert (order.status, order.amount_due, order.refund_due) == ("processing", Decimal("26.90"), 0)
    assert order.credits.get().lines == {A: 2}
    lifecycle.ship(order.pk)
    assert (fresh(order).status, on_hand()) == ("shipped", {A: 9, B: 3})


def test_credited_units_are_not_credited_again(paid):
    order = paid({A: 3})
    payments.refund(order.pk, lines={A: 2}, cancel={})  # a present: they are still sent
    lifecycle.ship(order.pk, quantities={A: 1})
    order = lifecycle.cancel_units(order.pk)
    assert (order.credited_amount, order.total) == (Decimal("37.50"), Decimal("37.50"))
    assert sum(credit.lines.get(A, 0) for credit in order.credits.all()) == 3


def test_all_units_of_an_unshipped_order_cancel_it(paid):
    order = paid({A: 3, B: 2})
    order = lifecycle.cancel_units(order.pk, {A: 3, B: 2}, reason="Sold out")
    assert (order.status, order.cancel_reason, on_hand()) == ("cancelled", "Sold out", {A: 10, B: 5})
    assert order.credits.get().kind == Credit.Kind.CANCELLATION
    reinstated = lifecycle.reinstate(order.pk)
    assert (reinstated.status, on_hand()) == ("confirmed", {A: 7, B: 3})


def test_cancelled_units_stay_cancelled_when_the_order_is_reinstated(paid):
    order = paid({A: 3, B: 2})
    lifecycle.cancel_units(order.pk, {A: 2})
    lifecycle.cancel_units(order.pk, {A: 1, B: 1})
    lifecycle.cancel(order.pk)
    assert on_hand() == {A: 10, B: 5}
    lifecycle.reinstate(order.pk)
    assert (on_hand(), fresh(order).credited_amount) == ({A: 10, B: 4}, Decimal("44.70"))
    lifecycle.start_processing(order.pk)
    with pytest.raises(NothingToShip):
        lifecycle.ship(order.pk, quantities={A: 1})


def test_pending_order_of_which_nothing_more_is_due_is_confirmed(customer, book, other_book, memory_provider):
    cart, _token = carts.find_or_open(customer=customer)
    carts.add_item(cart, A, 1)
    carts.add_item(cart, B, 1)
    order = checkout.place_order(cart, provider="bank")
    payments.record_payment(order.pk, amount=Decimal("12.50"))
    assert fresh(order).status == "pending"
    lifecycle.cancel_units(order.pk, {B: 1})
    assert (fresh(order).status, fresh(order).payment_status, fresh(order).balance) == ("confirmed", "paid", 0)


@pytest.mark.parametrize("wrong", [{}, {A: 0}, {A: -1}, {A: 4}, {B: 1}, {"no such": 1}])
def test_units_that_are_not_left_to_send_cannot_be_cancelled(paid, wrong):
    order = paid({A: 3})
    before = list(order.events.values())
    with pytest.raises(InvalidInput):
        lifecycle.cancel_units(order.pk, wrong)
    assert (list(order.events.values()), units_of(order), on_hand()[A]) == (before, {A: (3, 0, 0)}, 7)


def test_cancelled_order_has_no_units_to_cancel(paid):
    order = paid({A: 3})
    lifecycle.cancel(order.pk)
    with pytest.raises(InvalidTransition):
        lifecycle.cancel_units(order.pk, {A: 1})
    payments.refund(order.pk, lines={A: 1})
    assert (units_of(order), on_hand()[A]) == ({A: (3, 0, 0)}, 10)


@pytest.fixture
def shopkeeper(client):
    client.force_login(get_user_model().objects.create_superuser("test-admin", "admin@example.org", "pw"))
    return client


def submit(client, order, name, **values):
    path = reverse("admin:shop_orders_step", args=[order.pk, name])
    token = re.search(r'name="form_token" value="([^"]*)"', client.get(path).content.decode())[1]
    return client.post(path, {"form_token": token, **values}, follow=True).content.decode()


def test_refund_form_says_which_units_are_not_sent(paid, shopkeeper):
    order = paid({A: 3, B: 2})
    lifecycle.ship(order.pk, quantities={A: 1})
    form = shopkeeper.get(reverse("admin:shop_orders_step", args=[order.pk, "refund"])).content.decode()
    assert "Of these, not sent any more: Trees of Kenya" in form
    assert "Of these, not sent any more: Birds of Kenya" not in form  # none was sent, so none is in doubt
    text = submit(shopkeeper, order, "refund", refund_line_1=1, cancel_line_1=2)
    assert "Enter at most the units that are refunded." in text
    assert "Done" in submit(shopkeeper, order, "refund", refund_line_1=1)  # the one that was sent is broken
    assert units_of(order) == {A: (3, 1, 0), B: (2, 0, 0)}
    assert "Done" in submit(shopkeeper, order, "refund", refund_line_1=1, cancel_line_1=1, refund_line_2=1)
    assert units_of(order) == {A: (3, 1, 1), B: (2, 0, 1)}


def test_refund_form_without_credit_leaves_the_goods_sold(paid, shopkeeper):
    order = paid({A: 3})
    values = {"refund_line_1": 1, "without_credit": "on", "confirmed_amount": "12.50"}
    assert "Done" in submit(shopkeeper, order, "refund", **values)
    assert units_of(order) == {A: (3, 0, 0)}


def test_step_ends_a_part_shipped_order(paid, shopkeeper):
    order = paid({A: 3, B: 2})
    lifecycle.ship(order.pk, quantities={A: 1})
    assert "Done" in submit(shopkeeper, order, "cancel_units", line_1=2, line_2=2, reason="Out of print")
    assert (fresh(order).status, fresh(order).refund_due) == ("shipped", Decimal("39.40"))
    assert "cancel_units" not in admin.possible_steps(order)


def test_api_cancels_units(paid):
    staff = get_user_model().objects.create_superuser("test-staff", "staff@example.org", "pw")
    api = Client(headers={"Authorization": f"Bearer user-{staff.pk}"})

    def post(name, body):
        path = f"/api/orders/staff/orders/{order.number}/{name}/"
        return api.post(path, json.dumps(body), "application/json")

    order = paid({A: 3, B: 2})
    body = post("refund", {"lines": [{"product": A, "quantity": 1}], "cancel": []}).json()
    assert [line["cancelled_quantity"] for line in body["lines"]] == [0, 0]
    body = post("refund", {"lines": [{"product": A, "quantity": 1}]}).json()
    assert [line["cancelled_quantity"] for line in body["lines"]] == [1, 0]
    body = post("cancel-units", {"lines": [{"product": B, "quantity": 2}], "reason": "Sold out"}).json()
    assert ([line["cancelled_quantity"] for line in body["lines"]], body["refund_due"]) == ([1, 2], "14.40")
    assert post("cancel-units", {"lines": [{"product": B, "quantity": 1}]}).status_code == 422
    assert post("cancel-units", {}).json()["status"] == "cancelled"
    refused = post("cancel-units", {})
    assert (refused.status_code, refused.json()["code"]) == (409, "invalid_transition")
