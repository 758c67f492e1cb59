"""Periodic jobs: what each does, how often, and the consequence of not running it."""

from __future__ import annotations

from datetime import timedelta

from shop_core.jobs import Job, Schedule

from shop_orders import carts, events, idempotency, payments, personal_data
from shop_orders.models import JobRun

JOBS: tuple[Job, ...] = (
    Job(
        name="announce_events",
        function=events.announce_due,
        every=timedelta(minutes=1),
        consequence="Events that an error left unannounced are never announced, so their messages are missing.",
    ),
    Job(
        name="reconcile_payments",
        function=payments.reconcile,
        every=timedelta(minutes=5),
        consequence="If a webhook is lost, a payment is found only when its order expires. A refund is never found.",
    ),
    Job(
        name="expire_orders",
        function=payments.expire_due,
        every=timedelta(minutes=1),
        consequence="Unpaid orders keep their stock for ever.",
    ),
    Job(
        name="send_refunds",
        function=payments.send_due_refunds,
        every=timedelta(minutes=5),
        consequence="Refunds that a provider could not make at once, and those that the shop queues, are never sent.",
    ),
    Job(
        name="announce_abandoned_carts",
        function=carts.announce_abandoned,
        every=timedelta(minutes=10),
        consequence="Customers who agreed are not reminded of their carts, and consents of old carts are kept.",
    ),
    Job(name="prune_carts", function=carts.prune, every=timedelta(days=1), consequence="Old carts fill the database."),
    Job(
        name="prune_idempotency_keys",
        function=idempotency.prune,
        every=timedelta(hours=6),
        consequence="Responses to old requests fill the database.",
    ),
    Job(
        name="finish_erasures",
        function=personal_data.finish_erasures,
        every=timedelta(hours=1),
        consequence="Personal data that an open order needed when its erasure was requested is never erased.",
    ),
)

SCHEDULE = Schedule("shop_orders", JOBS, runs=JobRun)

run_due = SCHEDULE.run_due
overdue = SCHEDULE.overdue
