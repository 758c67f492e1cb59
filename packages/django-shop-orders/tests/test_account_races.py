"""Two simultaneous actions of staff, a customer or a job on one order: its account and its stock stay correct."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from threading import Barrier

import pytest
from django.db import connection, transaction
from django.utils import timezone
from shop_orders import crediting, customers, lifecycle, payments
from shop_orders.exceptions import ShopOrdersError
from shop_orders.models import Order
from shop_orders.payment_providers import PaymentEvent
from testproject.books.models import Book

pytestmark = [pytest.mark.pg, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

TAX = {"BACKEND": "shop_orders.pricing.flat_rate_tax", "OPTIONS": {"rate": "0.16"}}
REF = "978-1"


def pay(order):
    payments.record_payment(order.pk, provider="bank")


def expire(order):
    Order.objects.filter(pk=order.pk).update(expires_at=timezone.now() - timedelta(minutes=1))


def ship(order):
    pay(order)
    lifecycle.start_processing(order.pk)
    lifecycle.ship(order.pk)


def expired_and_paid(order):
    expire(order)
    assert lifecycle.expire(order.pk)
    payments.record_payment(order.pk, provider="bank", amount=order.total)


def paid_twice(order):
    pay(order)
    payments.record_payment(order.pk, provider="on_delivery", amount=order.total)


def started(order):
    payments.start(order.pk, provider="memory")


def captured(order):
    reference = order.payments.get(provider="memory").provider_reference
    event = PaymentEvent(event_id=reference, kind="captured", reference=reference, amount=order.total)
    return payments.apply_event("memory", event)


def everything(order):
    return payments.refund(order.pk)


def goods(order):
    return payments.refund(order.pk, lines={REF: 2})


def a_unit(order):
    return payments.refund(order.pk, lines={REF: 1}, restock={REF: 1} if order.lines.get().shipped_quantity else None)


def cancel(order):
    return lifecycle.cancel(order.pk)


def expire_now(order):
    return lifecycle.expire(order.pk)


def reinstate(order):
    return lifecycle.reinstate(order.pk)


def restock(order):
    return lifecycle.restock(order.pk, {REF: 2}, credit=True)


def add_money(order):
    return payments.record_payment(order.pk, provider="bank", amount=order.total)


def provider_refund(order):
    row = order.payments.filter(status="captured").first()
    return payments.record_provider_refund(row.pk, amount=order.total)


PAIRS = [
    (pay, everything, everything),
    (pay, goods, goods),
    (ship, a_unit, restock),
    (pay, goods, cancel),
    (pay, everything, provider_refund),
    (paid_twice, everything, cancel),
    (expired_and_paid, reinstate, reinstate),
    (expired_and_paid, reinstate, everything),
    (expired_and_paid, reinstate, cancel),
    (expire, add_money, expire_now),
    (expire, add_money, add_money),
    (ship, restock, restock),
    (started, captured, cancel),
    (started, captured, add_money),
]


def test_two_actions_at_once_leave_the_account_and_the_stock_correct(place, memory_provider, shop_settings):
    shop_settings(PRICING=[TAX], MAX_UNPAID_ORDERS=50)
    for before, *actions in PAIRS:  # in one test, since emptying the database takes longer than a race
        Book.objects.update(on_hand=10)
        order = place(provider="bank")
        before(order)
        results = at_once(order, *actions)
        assert not all(isinstance(result, ShopOrdersError) for result in results), (actions, results)
        check_account(Order.objects.get(pk=order.pk))


def test_anonymising_waits_for_a_transaction_about_an_order(place, memory_provider, customer):
    order = place(provider="bank")
    lifecycle.cancel(order.pk)
    calls = []

    def anonymise():
        with connection.execute_wrapper(lambda execute, sql, *rest: (calls.append(sql), execute(sql, *rest))[1]):
            try:
                return customers.anonymise(customer)
            finally:
                connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            locked = lifecycle.lock(order.pk)
            for reason in ("one", "two"):  # the second change of a row makes PostgreSQL read the customer at the end
                locked.cancel_reason = reason
                locked.save(update_fields=["cancel_reason"])
            done = pool.submit(anonymise)
            wait_for_lock()
        assert done.result(timeout=10) == 1
    assert sum("lock_timeout" in sql for sql in calls) == 1  # it was not repeated after a deadlock
    order.refresh_from_db()
    assert order.cancel_reason == ""


def wait_for_lock():
    """Until another connection waits for a lock."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return
        time.sleep(0.01)
    pytest.fail("Nobody waited.")


def at_once(order, *actions):
    """Run actions on an order at the same time. Returns their results or the app's errors."""
    barrier = Barrier(len(actions))

    def run(action):
        barrier.wait()
        try:
            return action(Order.objects.get(pk=order.pk))
        except ShopOrdersError as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(run, actions))


def check_account(order):
    given, paid = list(order.credits.all()), list(order.payments.all())
    refunds = [refund for payment in paid for refund in payment.refunds.all()]
    assert order.credited_amount == sum(credit.amount for credit in given)
    assert order.paid_amount == sum(payment.captured_amount for payment in paid)
    assert order.refunded_amount == sum(refund.amount for refund in refunds if refund.status == "succeeded")
    assert order.payment_status == crediting.payment_status_of(order)
    taxes = sum(Decimal(line["amount"]) for credit in given for line in credit.tax_lines)
    assert (taxes == order.tax_total) if order.credited_amount == order.total else (0 <= taxes <= order.tax_total)
    line = order.lines.get()
    assert crediting.credited_units(order)[REF] <= line.quantity
    held = 0 if order.status == "cancelled" else line.quantity - line.restocked_quantity
    assert Book.objects.get().on_hand == 10 - held
