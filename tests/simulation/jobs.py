"""Periodic jobs: at odd times, cut short, and few rows at a time."""

from __future__ import annotations

from collections.abc import Container
from functools import cache, partial
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from shop_catalog import inventory
from shop_catalog.models import StockMovement
from shop_notify import delivery
from shop_notify.models import Notification
from shop_orders import events, payments
from shop_orders.models import Order, OrderEvent, OrderStatus, Payment, ProviderEvent, Refund

from simulation.providers import SERVICES
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
    answer = world.run(f"the job {name} runs", JOBS[name])
    if not answer and (len(world.story.lines), len(world.faults), world.deaths) == (lines + 1, faults, deaths):
        world.story.lines.pop()  # it had nothing to do
    if waiting:
        for order in Order.objects.filter(pk__in=waiting, status=OrderStatus.CANCELLED):
            if order.cancel_reason == "It was not paid in time.":
                _check_expired(world, order)
    return answer


def run_all(world: World, *, idle: Container[str] = ()) -> None:
    """Run the jobs, but for those that have nothing to do."""
    for name in JOBS:
        if name not in idle or name == "reconcile_payments":
            run(world, name)


WAITING: dict[str, QuerySet[Any]] = {
    "expire_orders": Order.objects.filter(status="pending"),
    "reconcile_payments": Payment.objects.filter(status__in=Payment.OPEN),
    "send_refunds": Refund.objects.filter(status__in=("queued", "pending")),
    "confirm_events": ProviderEvent.objects.filter(outcome__in=("received", "waiting", "unmatched")),
    "announce_events": OrderEvent.objects.waiting(),
    "announce_stock": StockMovement.objects.unannounced(),
    "deliver_notifications": Notification.objects.filter(state__in=("queued", "sending")),
}
"""What is under way, by the job that ends it."""


def idle_jobs() -> set[str]:
    """The jobs that nothing waits for, found by one statement; ``reconcile_payments`` also looks at what has ended."""
    with connection.cursor() as cursor:
        cursor.execute(*_waiting_sql())
        return {name for name, is_waiting in zip(WAITING, cursor.fetchone(), strict=True) if not is_waiting}


@cache
def _waiting_sql() -> tuple[str, tuple[Any, ...]]:
    parts, values = [], []
    for rows in WAITING.values():
        sql, params = rows.values("pk").order_by().query.sql_with_params()
        parts.append(f"EXISTS ({sql})")
        values.extend(params)
    return f"SELECT {', '.join(parts)}", tuple(values)


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
            elif deal.status in ("open", "authorised"):
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
