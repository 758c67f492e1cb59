"""Periodic jobs: at odd times, cut short, and few rows at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import timedelta
from functools import cache, partial
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet
from django.utils import timezone
from shop_catalog import inventory
from shop_catalog.models import StockMovement
from shop_notify import delivery
from shop_notify.models import Notification
from shop_orders import events, payments
from shop_orders.models import Order, OrderEvent, OrderStatus, Payment, ProviderEvent, Refund
from shop_orders.payments import inbox, incoming, watching

from simulation import clock
from simulation.providers import KINDS, SERVICES
from simulation.steps import step
from simulation.world import LIMIT, World

JOBS = {
    "expire_orders": partial(payments.expire_due, limit=LIMIT),
    "reconcile_payments": partial(payments.reconcile, limit=LIMIT),
    "send_refunds": partial(payments.send_due_refunds, limit=LIMIT),
    "announce_events": partial(events.announce_due, limit=LIMIT),
    "announce_stock": inventory.announce_pending,
    "deliver_notifications": delivery.deliver_due,
}


def run(world: World, name: str) -> Any:
    waiting = _waiting() if name == "expire_orders" else set()
    lines, faults, deaths = len(world.story.lines), len(world.faults), world.deaths
    result = world.run(f"the job {name} runs", JOBS[name])
    if not result and (len(world.story.lines), len(world.faults), world.deaths) == (lines + 1, faults, deaths):
        world.story.lines.pop()  # it had nothing to do
    if waiting:
        for order in Order.objects.filter(pk__in=waiting, status=OrderStatus.CANCELLED):
            if order.cancel_reason == "It was not paid in time.":
                _check_expired(world, order)
    return result


def run_all(world: World) -> None:
    """Run the jobs, but for those to which nothing is due: they would look and do nothing."""
    due = due_jobs(world)
    for name in JOBS:
        if name in due:
            run(world, name)
            due = due_jobs(world)


def has_work(world: World) -> bool:
    """Whether something is under way that a job ends, now or later."""
    return bool(_select(world, _under_way, tuple(sorted(world.removed_for_good))))


def due_jobs(world: World) -> set[str]:
    """The jobs to which something is due, found by one statement."""
    return _select(world, _due_now, ())


def _under_way(removed: tuple[str, ...]) -> dict[str, list[QuerySet[Any]]]:
    """What is under way, by the job that ends it. Nobody can be asked about removed providers; staff wait for cash."""
    silent = (*removed, *(alias for alias, (service, _way) in KINDS.items() if not service.sends_events))
    payments_open = Payment.objects.filter(status__in=Payment.OPEN).exclude(provider__in=silent)
    refunds = Refund.objects.filter(status__in=("queued", "pending")).exclude(payment__provider__in=removed)
    undecided = ProviderEvent.objects.filter(outcome__in=("received", "waiting", "unmatched"))
    return {
        "expire_orders": [Order.objects.filter(status="pending").exclude(payments__status="held")],
        "reconcile_payments": [payments_open, undecided.exclude(provider__in=removed)],
        "send_refunds": [refunds],
        "announce_events": [OrderEvent.objects.waiting()],
        "announce_stock": [StockMovement.objects.unannounced()],
        "deliver_notifications": [Notification.objects.open()],
    }


def _due_now(_removed: tuple[str, ...]) -> dict[str, list[QuerySet[Any]]]:
    """What each job looks for first."""
    now = timezone.now()
    refunds = Refund.objects.filter(next_attempt_at__lte=now)
    orders = Order.objects.overdue().filter(Q(next_check_at=None) | Q(next_check_at__lte=now))
    asked = [watching.to_check(is_captured=True), watching.to_check(is_captured=False)]
    events_due = [inbox.to_reconsider(), inbox.to_ask_about(), incoming.due()]
    return {
        "expire_orders": [orders],
        "reconcile_payments": [*asked, *events_due, refunds.filter(status="pending")],
        "send_refunds": [refunds.filter(status="queued")],
        "announce_events": [OrderEvent.objects.due()],
        "announce_stock": [StockMovement.objects.unannounced()],
        "deliver_notifications": [Notification.objects.due(now)],
    }


Rows = Callable[[tuple[str, ...]], dict[str, list[QuerySet[Any]]]]


def _select(world: World, rows: Rows, removed: tuple[str, ...]) -> set[str]:
    """Past Django's cursor, which would convert the long text of the statement each time."""
    names, sql, params, times = _statement(rows, removed)
    now = connection.ops.adapt_datetimefield_value(world.clock.now)
    values = [now if is_time else value for value, is_time in zip(params, times, strict=True)]
    with contextlib.closing(connection.connection.cursor()) as cursor:
        found = cursor.execute(sql, values).fetchone()
    return {name for name, has_rows in zip(names, found, strict=True) if has_rows}


@cache
def _statement(rows: Rows, removed: tuple[str, ...]) -> tuple[list[str], str, list[Any], list[bool]]:
    """Compiled once, for a time that is replaced by that of each question."""
    names, parts, values = [], [], []
    with clock.virtual(clock.Clock(SOME_TIME)):
        for name, querysets in rows(removed).items():
            found = [queryset.values("pk").order_by().query.sql_with_params() for queryset in querysets]
            names.append(name)
            parts.append(" OR ".join(f"EXISTS ({sql})" for sql, _params in found))
            values += [value for _sql, params in found for value in params]
    sql = f"SELECT {', '.join(parts)}"
    if connection.vendor == "sqlite":
        sql = sql.replace("%s", "?").replace("%%", "%")
    some_time = connection.ops.adapt_datetimefield_value(SOME_TIME)
    return names, sql, values, [value == some_time for value in values]


SOME_TIME = clock.START - timedelta(days=1000)


def _waiting() -> set[int]:
    return set(Order.objects.filter(status=OrderStatus.PENDING).values_list("pk", flat=True))


def _check_expired(world: World, order: Order) -> None:
    """An order is not expired when its customer has paid it, or can still pay it."""
    for service in SERVICES.values():
        if not service.sends_events or service.alias in world.removed:
            continue
        for deal in service.deals.values():
            if deal.order_number != order.number or deal.is_by_hand:
                continue  # money that was sent by hand may not be reported yet
            if deal.value > deal.returned:
                world.fault("expired although it was paid", f"{world.order_name(order.number)} by {service.alias}")
            elif deal.status in ("open", "processing", "authorised"):
                world.fault(
                    f"expired while it could be paid ({deal.status}, {service.alias})",
                    f"{world.order_name(order.number)} was expired, {deal.reference} can still be paid",
                )


@step(weight=4)
def run_expiry(world: World) -> None:
    run(world, "expire_orders")


@step(weight=4)
def run_reconciliation(world: World) -> None:
    run(world, "reconcile_payments")


@step(weight=4)
def run_refunds(world: World) -> None:
    run(world, "send_refunds")


@step(weight=3)
def run_some_job(world: World) -> None:
    run(world, world.rng.choice(list(JOBS)))


@step(weight=8, may_nest=False)
def wait(world: World) -> None:
    """Time passes, and nobody does anything."""
    minutes = world.rng.choice((1, 1, 2, 2, 3, 4, 10, 10, 16, 31, 61, 600, 1500, 8 * 24 * 60))
    world.clock.advance(minutes=minutes)
    world.story.say(f"{minutes} minutes pass")
