"""The times that a site's developer plans with, each read from the code."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from shop_reference.markdown import table, words
from shop_reference.sources import PACKAGES

UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))

TIMES: tuple[tuple[str, str, str], ...] = (
    (
        "An event of an order is left to the process that recorded it",
        "shop_orders.events.GRACE",
        "Then `announce_events` announces it, if a receiver failed or the process died.",
    ),
    (
        "An event whose receiver failed is announced again",
        "shop_orders.events._retry_delay 1",
        "Times four after each failure.",
    ),
    ("at the latest", "shop_orders.events.LONGEST_WAIT", ""),
    (
        "A change of stock is left to the process that recorded it",
        "shop_catalog.inventory.announcements.GRACE_PERIOD",
        "Then `announce_stock` announces it, at each run until every receiver has returned.",
    ),
    (
        "Reconciliation first asks about a payment",
        "shop_orders.payments.watching.QUIET_PERIOD",
        "After its last change: the webhook is on its way. Twice that after each check without a result.",
    ),
    ("at the latest", "shop_orders.payments.watching.LONGEST_WAIT", ""),
    (
        "A payment that failed or was cancelled is asked about once more",
        "shop_orders.payments.watching.ONCE_MORE_AFTER",
        "The customer may have paid late.",
    ),
    (
        "A captured payment is asked about again",
        "shop_orders.payments.watching.CAPTURED_EVERY",
        "Thirty times: a refund on the provider's pages may have lost its webhook.",
    ),
    (
        "A payment whose start never reached the provider ends",
        "shop_orders.payments.checking.NEVER_SENT_AFTER",
        "Until then the customer can start it again.",
    ),
    (
        "The result of a start that cannot be repeated may arrive late by",
        "shop_orders.payments.checking.CALLBACK_AFTER",
        "After the attempt's `expires_at`.",
    ),
    (
        "An order that cannot expire yet is checked again",
        "shop_orders.payments.expiring.SHORTEST_WAIT",
        "An order expires after `expires_after`, if its provider says that nothing was paid. The wait grows.",
    ),
    ("at the latest", "shop_orders.payments.expiring.LONGEST_WAIT", ""),
    ("A process that sends a refund keeps others from sending it", "shop_orders.payments.sending.LEASE", ""),
    ("A pending refund is asked about", "shop_orders.payments.sending.CHECK_EVERY", ""),
    (
        "A signed webhook is accepted for",
        "shop_orders.payment_providers.signatures.TOLERANCE_SECONDS",
        "After the time in its signature.",
    ),
    ("An `Idempotency-Key` is remembered for", "shop_orders.idempotency.KEPT_FOR", ""),
    ("A form of a page can be sent for", "shop_orders.form_tokens.MAX_AGE", ""),
    ("An erasure that waits for an open order is tried again", "shop_orders.personal_data.everywhere.RETRY_AFTER", ""),
    ("The lowest earlier price is that of the", "shop_catalog.products.LOWEST_PRICE_WINDOW", "Before the reduction."),
    (
        "A worker keeps a claimed message for",
        "shop_notify.delivery.claiming.LEASE",
        "A message of a worker that died is sent by another one then.",
    ),
    ("A notifier's `send` has", "shop_notify.delivery.sending.SEND_SECONDS", "Then its result is unknown."),
    (
        "A message that could not be sent is tried again",
        "shop_notify.delivery.settling.FIRST_DELAY_SECONDS",
        "Give or take half; times four after each attempt, and never before the provider's `Retry-After`.",
    ),
    ("at the latest", "shop_notify.delivery.settling.MAX_DELAY_SECONDS", "`Retry-After` may say more, up to a day."),
    (
        "A metered message whose result is unknown is sent again",
        "shop_notify.delivery.sending.REPEAT_UNKNOWN_AFTER",
        "Once, if its notifier `repeats_unknown`; an unmetered message as often as after other failures.",
    ),
)
"""What happens, the constant that says when (or the function and its argument), and what else there is to know."""


def times() -> str:
    parts = ["## Waits and limits", table(("what", "time", "more"), _times())]
    for package in PACKAGES:
        jobs = importlib.import_module(f"{package}.jobs").JOBS
        rows = [(f"`{job.name}`", duration(job.every), words(job.consequence)) for job in jobs]
        parts += [f"## Jobs of {package}", table(("job", "runs every", "if it never runs"), rows)]
    return "\n\n".join(parts)


def _times() -> Iterator[tuple[str, str, str]]:
    for what, source, more in TIMES:
        path, _, argument = source.partition(" ")
        module, _, name = path.rpartition(".")
        value: Any = getattr(importlib.import_module(module), name)
        if isinstance(value, Callable):
            value = value(int(argument))
        yield what, duration(value if isinstance(value, timedelta) else timedelta(seconds=value)), more


def duration(value: timedelta) -> str:
    """In the largest unit that needs no fraction."""
    seconds = value.total_seconds()
    unit, size = next((unit, size) for unit, size in UNITS if seconds % size == 0 or size == 1)
    count = f"{seconds / size:g}"
    return f"{count} {unit}{'' if count == '1' else 's'}"
