"""Races on PostgreSQL. Some tests run a race again without its guard, to prove that the guard is needed."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from functools import partial
from io import StringIO
from pathlib import Path
from threading import Barrier

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from shop_orders import carts, checkout, customers, form_tokens, lifecycle, payments
from shop_orders.carts.unpaid_orders import Buyer
from shop_orders.exceptions import InvalidTransition, ShopOrdersError, TooManyUnpaidOrders
from shop_orders.models import (
    Cart,
    CartItem,
    Customer,
    IdempotencyKey,
    Order,
    OrderEvent,
    Payment,
    ProviderEvent,
    Refund,
    Shipment,
)
from shop_orders.payment_providers import IncomingPaymentEvent, PaymentEvent, RefundState
from shop_orders.testing import races
from testproject.books.models import Book

FULL = os.environ.get("SHOP_TEST_FULL") == "1"
"""Run the sizes that the documentation promises. The default sizes are smaller."""

pytestmark = [pytest.mark.pg, pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def at_once(*callables):
    """Run callables at the same time, each on its own connection. Returns their results or the app's errors."""
    barrier = Barrier(len(callables))

    def run(function):
        barrier.wait()
        try:
            return function()
        except ShopOrdersError as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(callables)) as pool:
        return list(pool.map(run, callables))


def test_64_buyers_of_50_units_get_exactly_50():
    for _repetition in range(20 if FULL else 1):
        result = races.hot_product(buyers=64, units=50)
        assert (result.sold, result.orders, result.refused, result.left) == (50, 50, 14, 0)
        assert (dict(result.errors), result.deadlocks) == ({}, 0)
        assert Order.objects.count() == Cart.objects.count() == 0


def test_unguarded_source_oversells():
    result = races.hot_product(buyers=32, units=10, source=races.CarelessSource)
    assert result.sold > 10


def deadlocks_in_the_log(path, start):
    """Count the deadlocks that the server logged after the position ``start``."""
    with path.open("rb") as log:
        log.seek(start)
        return log.read().count(b"deadlock detected")


@pytest.fixture
def server_log():
    """Path and current size of the local server's log, or None if this user cannot read it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('data_directory'), pg_current_logfile()")
        folder, current = cursor.fetchone()
    path = Path(folder, current or "log")
    return (path, path.stat().st_size) if path.is_file() and os.access(path, os.R_OK) else None


def test_orders_of_3_among_30_products_never_deadlock(server_log):
    orders = 640 if FULL else 96
    result = races.mixed_carts(buyers=64 if FULL else 32, orders=orders)
    assert (result.orders, result.sold, result.left) == (orders, 3 * orders, 30 * orders - 3 * orders)
    assert (dict(result.errors), result.deadlocks) == ({}, 0)
    if server_log:
        assert deadlocks_in_the_log(*server_log) == 0


def test_unsorted_locks_deadlock(server_log):
    result = races.mixed_carts(buyers=4, orders=8, products=3, source=races.UnsortedSource)
    assert result.deadlocks > 0
    if server_log:
        assert deadlocks_in_the_log(*server_log) > 0


def test_race_command_reports_the_result_of_its_own_source_and_drops_its_table():
    out = StringIO()
    call_command("shop_orders_race", buyers=8, units=5, orders=24, stdout=out)
    assert "Racing the package's own source over a table of its own, not your PRODUCT_SOURCE" in out.getvalue()
    assert "sold 5, refused 3, left 0" in out.getvalue()
    assert "Nothing was oversold by the package's own source" in out.getvalue()
    assert races.TABLE not in connection.introspection.table_names()


def test_race_command_races_the_configured_source_and_releases_its_stock(book, other_book):
    out = StringIO()
    call_command("shop_orders_race", ref=[book.isbn, other_book.isbn], buyers=8, units=5, orders=12, stdout=out)
    assert "Racing your PRODUCT_SOURCE, shop_orders.product_sources.ModelProductSource." in out.getvalue()
    assert "8 buyers for all units of 978-1: sold 10, refused 3, left 0, deadlocks 0" in out.getvalue()
    assert "12 orders of one unit of each of 978-1, 978-2: sold 10, refused 7, left 5" in out.getvalue()
    assert "Nothing was oversold by your PRODUCT_SOURCE" in out.getvalue()
    assert list(Book.objects.order_by("pk").values_list("on_hand", flat=True)) == [10, 5]
    assert Order.objects.count() == Cart.objects.count() == Customer.objects.count() == 0


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("OversellingSource", "stock does not match the orders"),
        ("KeepingSource", "10 units available before the race and 0 after the release"),
    ],
)
def test_race_command_refuses_a_faulty_configured_source(book, shop_settings, source, reason):
    options = {"model": "books.Book", "ref": "isbn", "name": "title", "price": "sale_price", "stock": "on_hand"}
    shop_settings(PRODUCT_SOURCE={"BACKEND": f"testproject.hooks.{source}", "OPTIONS": options})
    out = StringIO()
    with pytest.raises(CommandError, match="The race failed: see the lines above"):
        call_command("shop_orders_race", ref=[book.isbn], buyers=8, units=5, stdout=out)
    assert reason in out.getvalue()


@pytest.mark.parametrize("ref", ["978-2", "978-9"])
def test_race_command_names_a_product_that_cannot_be_raced(other_book, ref):
    Book.objects.update(on_hand=0)
    with pytest.raises(CommandError, match=f"product '{ref}'"):
        call_command("shop_orders_race", ref=[ref], stdout=StringIO())


def test_32_parallel_adds_make_one_item_with_the_sum(book, customer):
    Book.objects.update(on_hand=1000)
    cart, _token = carts.find_or_open(customer=customer)
    at_once(*[lambda: carts.add_item(cart, "978-1", 2)] * 32)
    assert list(cart.items.values_list("quantity", flat=True)) == [64]


def test_parallel_first_adds_open_one_cart(book, user):
    at_once(*[lambda: carts.add_to_cart("978-1", customer=customers.for_user(user))] * 8)
    assert Cart.objects.count() == 1
    assert CartItem.objects.get().quantity == 8


def test_parallel_merges_add_the_items_once(book, customer):
    _guest, token = carts.add_to_cart("978-1", 3)
    results = at_once(*[lambda: carts.merge(token, customer=customer)] * 8)
    assert sum(isinstance(result, carts.MergeReport) for result in results) == 1
    assert CartItem.objects.get(cart__customer=customer).quantity == 3


def test_16_parallel_checkouts_of_one_cart_make_one_order(book, customer):
    cart, _token = carts.add_to_cart("978-1", 2, customer=customer)
    orders = at_once(*[lambda: checkout.place_order(cart)] * 16)
    assert len({order.number for order in orders}) == 1
    assert (Order.objects.count(), Book.objects.get().on_hand) == (1, 8)


def test_item_added_during_checkout_is_ordered_or_refused(book, customer):
    """The item is in the order or was refused. It is never left in an ordered cart."""
    for _round in range(20 if FULL else 5):
        cart, _token = carts.add_to_cart("978-1", 1, customer=customer)
        order, added = at_once(partial(checkout.place_order, cart), partial(carts.add_item, cart, "978-1", 1))
        ordered = order.lines.get().quantity
        assert (ordered == 2) == isinstance(added, CartItem)
        assert cart.items.get().quantity == ordered
        lifecycle.cancel(order.pk)


def test_32_posts_with_one_key_make_one_order_and_31_replays(book, user):
    client = Client(headers={"Authorization": f"Bearer user-{user.pk}"})
    client.post("/api/orders/cart/add_item/", {"product": "978-1"}, "application/json")

    def post():
        caller = Client(headers={"Authorization": f"Bearer user-{user.pk}", "Idempotency-Key": "k-1"})
        return caller.post("/api/orders/orders/", {}, "application/json")

    responses = at_once(*[post] * 32)
    assert {response.status_code for response in responses} == {201}
    assert len({response.content for response in responses}) == 1
    assert sum("Idempotency-Replayed" in response.headers for response in responses) == 31
    assert (Order.objects.count(), IdempotencyKey.objects.count()) == (1, 1)


def test_parallel_cancels_release_stock_once(book, place):
    order = place(quantity=3)
    at_once(*[lambda: lifecycle.cancel(order.pk)] * 32)
    assert Book.objects.get().on_hand == 10
    assert OrderEvent.objects.filter(new_status="cancelled").count() == 1


def test_cancellation_during_a_payment_leaves_the_amount_refundable(book, customer, memory_provider):
    """In either order, the stock is released and the captured amount becomes refundable."""
    Book.objects.update(on_hand=1000)
    rounds = 200 if FULL else 15
    for number in range(rounds):
        cart, _token = carts.add_to_cart("978-1", 1, customer=customer)
        order = checkout.place_order(cart, provider="memory")
        payment = payments.start(order.pk)
        event = PaymentEvent(
            event_id=f"evt-{number}", kind="captured", reference=payment.provider_reference, amount=payment.amount
        )
        at_once(lambda: lifecycle.cancel(order.pk), lambda: payments.apply_event("memory", event))  # noqa: B023
        order.refresh_from_db()
        assert (order.status, order.payment_status, order.paid_amount) == ("cancelled", "paid", order.total)
        assert order.refund_due + order.refunds_under_way == order.total
    assert Book.objects.get().on_hand == 1000
    late = Refund.objects.count()
    early = OrderEvent.objects.filter(kind="status_changed", new_status="confirmed").count()
    assert late + early == rounds


def test_payment_during_expiry_confirms_or_is_refunded(book, customer, memory_provider):
    for number in range(20 if FULL else 5):
        cart, _token = carts.add_to_cart("978-1", 1, customer=customer)
        order = checkout.place_order(cart, provider="memory")
        payment = payments.start(order.pk)
        Order.objects.filter(pk=order.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
        event = PaymentEvent(
            event_id=f"evt-{number}", kind="captured", reference=payment.provider_reference, amount=payment.amount
        )
        at_once(payments.expire_due, payments.expire_due, lambda: payments.apply_event("memory", event))  # noqa: B023
        order.refresh_from_db()
        assert order.payment_status == "paid"
        assert order.status in ("confirmed", "cancelled")
        owed = order.refund_due + order.refunds_under_way
        assert owed == (order.total if order.status == "cancelled" else 0)
        if order.status == "confirmed":
            lifecycle.cancel(order.pk)
    assert Book.objects.get().on_hand == 10


def test_ten_parallel_copies_of_a_webhook_are_applied_once(book, place, memory_provider):
    order = place(provider="memory")
    payment = payments.start(order.pk)
    event = PaymentEvent(
        event_id="evt-1", kind="captured", reference=payment.provider_reference, amount=payment.amount
    )
    rows = at_once(*[lambda: payments.apply_event("memory", event)] * 10)
    assert {row.outcome for row in rows} == {"applied"}
    order.refresh_from_db()
    assert (order.paid_amount, ProviderEvent.objects.count()) == (25, 1)
    assert order.events.filter(kind="payment_status_changed").count() == 1


def test_parallel_reports_of_the_same_money_count_it_once(book, place, memory_provider):
    """For each order, a payment is reported by its callback and as an incoming payment, while staff assign the
    latter."""
    for turn in range(4):
        order = place(provider="memory")
        payment = payments.start(order.pk)
        receipt, reference = f"RKTQDM7W{turn}", payment.provider_reference
        captured = PaymentEvent(
            event_id=f"evt-{turn}", kind="captured", reference=reference, amount=payment.amount, receipt=receipt
        )
        money = {"receipt": receipt, "amount": payment.amount, "currency": "KES", "account": order.number}
        row = payments.receive("memory", IncomingPaymentEvent(**money))
        confirmed = IncomingPaymentEvent(**money, status="confirmed")
        at_once(
            *[lambda event=captured: payments.apply_event("memory", event)] * 3,
            *[lambda event=confirmed: payments.receive("memory", event)] * 3,
            *[lambda row=row, order=order: payments.assign_incoming(row.pk, order.pk)] * 2,
        )
        order.refresh_from_db()
        row.refresh_from_db()
        assert (order.paid_amount, order.refund_due) == (25, 0)
        assert row.status in ("recorded", "duplicate")
        assert Payment.objects.filter(order=order, status="captured").count() == 1


def test_parallel_refunds_never_exceed_the_payment(book, place, memory_provider):
    order = place(provider="bank")
    payments.record_payment(order.pk)
    at_once(*[lambda: payments.refund(order.pk, amount=Decimal(10))] * 8)
    order.refresh_from_db()
    assert (order.refunded_amount, Refund.objects.count()) == (20, 2)


def test_parallel_refunds_of_the_same_goods_credit_them_once(book, place, memory_provider):
    order = place(provider="bank")
    payments.record_payment(order.pk)
    results = at_once(*[lambda: payments.refund(order.pk, lines={"978-1": 2})] * 6)
    order.refresh_from_db()
    assert sum(isinstance(result, ShopOrdersError) for result in results) == 5
    assert (order.refunded_amount, order.credited_amount, order.credits.count()) == (25, 25, 1)


def test_reinstating_against_refunding_and_the_last_units(book, place, customer, memory_provider):
    """An order is either refunded or reinstated, and its goods are sold once."""
    Book.objects.update(on_hand=2)
    for _round in range(4):
        order = place(provider="bank")
        lifecycle.cancel(order.pk)
        payments.record_payment(order.pk, amount=order.total)
        reinstate = partial(lifecycle.reinstate, order.pk)
        at_once(reinstate, reinstate, partial(payments.refund, order.pk), partial(place, provider="bank"))
        order.refresh_from_db()
        sold = sum(row.lines.get().quantity for row in Order.objects.exclude(status="cancelled"))
        assert sold + Book.objects.get().on_hand == 2
        assert (order.amount_due, order.refund_due) in ((0, 0), (0, 25))
        assert order.credited_amount == (25 if order.status == "cancelled" or order.refunded_amount else 0)
        for row in Order.objects.exclude(status="cancelled"):
            lifecycle.cancel(row.pk)
        CartItem.objects.all().delete()


def test_parallel_returns_restock_once(book, place):
    order = place(quantity=3)
    lifecycle.start_processing(order.pk)
    lifecycle.ship(order.pk)
    at_once(*[lambda: lifecycle.restock(order.pk, {"978-1": 2}, credit=True)] * 6)
    order.refresh_from_db()
    assert (Book.objects.get().on_hand, order.credited_amount) == (9, 25)


def test_refund_of_the_dashboard_is_recorded_once_however_many_processes_find_it(book, place, memory_provider):
    order = place(provider="memory")
    payment = payments.start(order.pk)
    memory_provider.outcomes[payment.provider_reference] = "captured"
    payments.refresh(payment)
    made = RefundState(status="succeeded", amount=Decimal(10), reference="re-1")
    memory_provider.made[payment.provider_reference] = [made]
    event = {"kind": "refunded", "reference": payment.provider_reference, "refund_reference": "re-1"}
    payments.apply_event("memory", PaymentEvent(event_id="evt-1", **event))
    Payment.objects.update(next_check_at=timezone.now())
    at_once(*[lambda: payments.refresh(payment)] * 4, *[payments.reconcile] * 4)
    order.refresh_from_db()
    assert (order.refunded_amount, Refund.objects.count()) == (10, 1)


def test_no_page_stays_open_for_an_order_that_expires_during_its_start(book, customer, memory_provider):
    for _turn in range(10 if FULL else 4):
        cart, _token = carts.add_to_cart("978-1", 1, customer=customer)
        order = checkout.place_order(cart, provider="memory")
        Order.objects.filter(pk=order.pk).update(expires_at=timezone.now() + timedelta(milliseconds=30))
        at_once(
            lambda pk=order.pk: payments.start(pk),
            *[lambda: (time.sleep(0.03), payments.expire_due())] * 2,
        )
        Payment.objects.exclude(next_check_at=None).update(next_check_at=timezone.now())
        Order.objects.update(next_check_at=None)
        payments.expire_due()
        payments.reconcile()
        order.refresh_from_db()
        assert order.status == "cancelled"
        assert "pending" not in memory_provider.outcomes.values()
        assert not order.payments.filter(status__in=Payment.OPEN).exists()


def test_parallel_starts_make_one_payment(book, place, memory_provider):
    order = place(provider="memory")
    at_once(*[lambda: payments.start(order.pk)] * 8)
    assert Payment.objects.count() == 1
    assert len(memory_provider.outcomes) == 1


def test_parallel_orders_of_one_customer_respect_the_unpaid_limit(book, user, memory_provider, shop_settings):
    shop_settings(MAX_UNPAID_ORDERS=3)

    def order():
        cart, _token = carts.add_to_cart("978-1", 1, customer=customers.for_user(user))
        return checkout.place_order(cart, provider="memory")

    for _round in range(4):
        at_once(*[order] * 2)
    assert Order.objects.count() <= 3


@pytest.fixture
def slow_checkout(memory_provider, shop_settings):
    """Allow one unpaid order, and delay checkout after the unpaid orders were counted."""
    shop_settings(MAX_UNPAID_ORDERS=1, VALIDATORS=["testproject.hooks.slow_rule"])


def orders_of_one_guest(carts_at_once):
    """Check out carts of one guest at the same time: all have one phone, every other one an e-mail."""
    contacts = [
        checkout.Contact(email="guest@example.org", phone="+254712345678"),
        checkout.Contact(phone="+254712345678"),
    ]
    prepared = [carts.add_to_cart("978-1")[0] for _cart in range(carts_at_once)]
    callables = [
        partial(checkout.place_order, cart, provider="memory", contact=contacts[number % 2])
        for number, cart in enumerate(prepared)
    ]
    return at_once(*callables)


def test_parallel_orders_of_one_guest_respect_the_unpaid_limit(book, slow_checkout):
    results = orders_of_one_guest(6)
    assert Order.objects.count() == 1
    assert sum(isinstance(result, TooManyUnpaidOrders) for result in results) == 5


@pytest.mark.parametrize("who", ["contact", "visitor"])
def test_of_32_parallel_checkouts_exactly_as_many_as_allowed_pass(book, shop_settings, who):
    shop_settings(MAX_UNPAID_ORDERS=4)
    Book.objects.update(on_hand=100)
    is_visitor = who == "visitor"
    emails = [f"guest-{n}@example.org" if is_visitor else "guest@EXAMPLE.org" for n in range(32)]
    prepared = [(carts.add_to_cart("978-1")[0], checkout.Contact(email=email)) for email in emails]
    visitor = "0a1b" if is_visitor else ""
    results = at_once(
        *[partial(checkout.place_order, cart, contact=contact, visitor=visitor) for cart, contact in prepared]
    )
    assert sum(isinstance(result, Order) for result in results) == Order.objects.count() == 4
    assert sum(isinstance(result, TooManyUnpaidOrders) for result in results) == 28
    assert Book.objects.get().on_hand == 96


def test_without_the_contact_lock_one_guest_exceeds_the_limit(book, slow_checkout, monkeypatch):
    monkeypatch.setattr(Buyer, "lock_keys", lambda buyer: [])
    orders_of_one_guest(6)
    assert Order.objects.count() > 1


def test_guests_with_different_contacts_can_all_order(book, slow_checkout):
    prepared = [carts.add_to_cart("978-1")[0] for _cart in range(4)]
    orders = at_once(
        *[
            partial(
                checkout.place_order, cart, provider="memory", contact=checkout.Contact(email=f"g{number}@example.org")
            )
            for number, cart in enumerate(prepared)
        ]
    )
    assert Order.objects.count() == len({order.number for order in orders}) == 4


@pytest.mark.parametrize("race", range(10 if FULL else 1))
def test_200_customers_with_retries_buy_exactly_50(book, race):
    """Each request is sent twice with the same key: 50 orders, 150 refusals, and no response with status 500.

    A request whose duplicate outlasts the lock timeout gets ``request_in_progress`` and is repeated.
    """
    Book.objects.update(on_hand=50)
    users = [get_user_model().objects.create_user(f"racer-{n}", f"racer-{n}@example.org") for n in range(200)]
    for user in users:
        carts.add_to_cart("978-1", customer=customers.for_user(user))
    before = races._deadlocks()

    def post(user):
        client = Client(headers={"Authorization": f"Bearer user-{user.pk}", "Idempotency-Key": "k-1"})
        try:
            for _attempt in range(5):
                response = client.post("/api/orders/orders/", {}, "application/json")
                if response.json().get("code") != "request_in_progress":
                    break
            return user.pk, response.status_code, response.json().get("number") or response.json()["code"]
        finally:
            races.close_connection()

    with ThreadPoolExecutor(64) as pool:
        responses = list(pool.map(post, [user for user in users for _turn in range(2)]))
    responses_by_user = {
        pk: {response[1:] for response in responses if response[0] == pk} for pk in (user.pk for user in users)
    }
    sold = [one for one in responses_by_user.values() if {status for status, _what in one} == {201}]
    refused = [one for one in responses_by_user.values() if one == {(409, "insufficient_stock")}]
    assert {status for _pk, status, _what in responses} == {201, 409}
    assert (len(sold), len(refused)) == (50, 150)
    assert all(len(one) == 1 for one in sold)
    assert (Order.objects.count(), Book.objects.get().on_hand, races._deadlocks() - before) == (50, 0, 0)


def test_parallel_first_requests_of_a_user_make_one_customer(db):
    user = get_user_model().objects.create_user("newcomer")
    found = at_once(*[lambda: customers.for_user(user).pk] * 16)
    assert len(set(found)) == 1
    assert threading.active_count() < 50


@pytest.mark.parametrize("name", ["refund", "ship"])
def test_form_that_is_pressed_four_times_at_once_is_taken_once(book, place, memory_provider, name):
    order = place(provider="bank", quantity=2)
    if name == "refund":
        payments.record_payment(order.pk)
    elif name == "ship":
        lifecycle.confirm(order.pk)
        lifecycle.start_processing(order.pk)
    get_user_model().objects.create_superuser("test-admin", "admin@example.org", "pw")
    values = {"form_token": form_tokens.new_token(), "amount": "5.00", "line_1": "1"}
    url = reverse("admin:shop_orders_step", args=[order.pk, name])
    clients = [Client() for _press in range(4)]
    for client in clients:
        client.force_login(get_user_model().objects.get(username="test-admin"))
    responses = at_once(*[partial(client.post, url, values, follow=True) for client in clients])
    said = [response.content.decode() for response in responses]
    assert sum("This was already done: " in text for text in said) == 3
    counts = {"refund": Refund.objects, "ship": Shipment.objects}
    assert counts[name].count() == 1


def test_two_staff_who_move_one_order_into_a_state_ship_it_once(place, shop_settings):
    states = {name: {"KIND": "shipped", "LABEL": name} for name in ("to_collect", "on_the_van")}
    shop_settings(STATES=states)
    for names in (("to_collect", "to_collect"), ("to_collect", "on_the_van")):
        order = place(quantity=1)
        lifecycle.start_processing(order.pk)
        results = at_once(*(partial(lifecycle.set_state, order.pk, name) for name in names))
        errors = [result for result in results if isinstance(result, Exception)]
        order.refresh_from_db()
        assert (order.status, order.shipments.count()) == ("shipped", 1)
        assert order.state in names
        assert order.events.filter(kind="state_changed").count() == 2 - len(errors)
        assert [type(error) for error in errors] == ([InvalidTransition] if len({*names}) == 1 else [])
