"""Checks of STATES, and of TRANSITIONS that no action would make."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.db import DatabaseError
from django.db.models import Count
from django.utils.functional import Promise
from shop_core.db.rows import UNSAFE

from shop_orders.conf import app_settings
from shop_orders.models import Order, OrderStatus

NAME = re.compile(r"[a-z][a-z0-9_]{0,29}")
EVENT = re.compile(r"[a-z][a-z0-9_]{0,49}")
KINDS = (OrderStatus.CONFIRMED, OrderStatus.PROCESSING, OrderStatus.SHIPPED, OrderStatus.DELIVERED)
"""An order that is pending may expire, and a cancelled one has given its stock back: no state stands for them."""
EVENTS = frozenset(
    {
        *("order_placed", "order_confirmed", "order_processing", "order_shipped", "order_delivered"),
        *("order_part_cancelled", "order_cancelled", "order_refunded", "payment_received", "payment_failed"),
        *("stock_low", "stock_back", "invoice_issued", "cart_abandoned"),
    }
)
"""Events of the shop's own messages: a state with such an event would send their text."""
EXAMPLE = '"STATES": {"packed": {"KIND": "processing", "LABEL": _("packed"), "EVENT": "order_packed"}}'


def check_states() -> Iterator[checks.CheckMessage]:
    """Each state has a name, stands for a status, and has a label and an event of its own."""
    states: Any = app_settings.STATES
    if not isinstance(states, Mapping):
        yield _error(f"is a {type(states).__name__}, not a dict")
        return
    events: dict[str, str] = {}
    for name, value in states.items():
        if problem := _problem_of(name, value):
            yield _error(f"has the state {name!r}, {problem}")
            continue
        event = value.get("EVENT") or f"order_{name}"
        if event in EVENTS or event in events:
            other = f"the state {events[event]!r}" if event in events else "the shop"
            yield _error(f"has the state {name!r} with the event {event!r}, which is an event of {other}")
        events[event] = name


def _error(problem: str) -> checks.Error:
    return checks.Error(
        f'SHOP_ORDERS["STATES"] {problem}.', hint=f"Write for example {EXAMPLE}.", id="shop_orders.E029"
    )


def _problem_of(name: object, value: object) -> str:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        return "whose name is not of at most 30 letters a-z, digits and underscores"
    if name in OrderStatus.values:
        return "which is a built-in status"
    if not isinstance(value, Mapping) or set(value) - {"KIND", "LABEL", "EVENT"}:
        return "which is not a dict with KIND, LABEL and EVENT"
    if value.get("KIND") not in KINDS:
        return f"whose KIND {value.get('KIND')!r} is none of {', '.join(KINDS)}"
    label = value.get("LABEL")
    if not isinstance(label, str | Promise) or not str(label).strip() or UNSAFE.search(str(label)):
        return f"whose LABEL {label!r} is not a text that can be shown and stored"
    event = value.get("EVENT", "")
    if not isinstance(event, str) or (event and not EVENT.fullmatch(event)):
        return f"whose EVENT {event!r} is not of letters a-z, digits and underscores"
    return ""


def check_transitions_to_cancelled() -> Iterator[checks.CheckMessage]:
    """``cancel`` refuses an order of which a part was shipped, whatever TRANSITIONS allow."""
    shipped = (OrderStatus.SHIPPED, OrderStatus.DELIVERED)
    wrong = [old for old in shipped if OrderStatus.CANCELLED in set(app_settings.TRANSITIONS.get(old, ()))]
    if wrong:
        yield checks.Error(
            f'SHOP_ORDERS["TRANSITIONS"] has a transition from {" and ".join(wrong)} to cancelled, which `cancel` '
            "refuses: a part of such an order was shipped.",
            hint="Remove it. Refund goods that come back, and return them to stock.",
            id="shop_orders.E030",
        )


def check_states_with_database(
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001
    databases: Sequence[str] | None = None,
    **kwargs: Any,  # noqa: ARG001
) -> list[checks.CheckMessage]:
    """Orders in a state that was removed from STATES are shown with its name."""
    rows = Order.objects.exclude(state="")
    if rows.db not in (databases or ()):
        return []
    try:
        found = dict(rows.order_by().values_list("state").annotate(Count("pk")))
    except DatabaseError:  # migrations are missing
        return []
    return [
        checks.Warning(
            f'{count} orders are in the state {name!r}, which is not in SHOP_ORDERS["STATES"].',
            hint="Add it again, or set another state. They are shown with its name, and treated by their status.",
            id="shop_orders.W014",
        )
        for name, count in sorted(found.items())
        if name not in app_settings.STATES
    ]
