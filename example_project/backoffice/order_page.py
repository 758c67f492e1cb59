"""The time line of an order for staff, with the messages about each step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _
from shop_notify.history import label
from shop_notify.models import Notification, State
from shop_orders.models import Order, OrderEvent, OrderStatus, PaymentStatus

KINDS = {
    "placed": _("The order was placed"),
    "state_changed": _("The state was set"),
    "shipment_sent": _("A parcel was shipped"),
    "refunded": _("Money was refunded"),
    "refund_failed": _("A refund failed"),
    "refund_waits": _("A refund waits"),
    "refund_due": _("Money is to be refunded"),
    "refund_resolved": _("A refund was reviewed"),
    "refund_without_credit": _("A refund without credit"),
    "restocked": _("Goods came back"),
    "units_cancelled": _("Goods are not sent"),
    "payment_held": _("A payment is held"),
    "payment_disputed": _("A payment is disputed"),
    "dispute_resolved": _("A dispute was reviewed"),
    "payment_recorded": _("Money was recorded"),
    "payment_amount_unknown": _("A payment was reported without its amount"),
    "recorded_twice": _("The same money is recorded twice"),
    "recorded_already": _("Money was reported again"),
    "incoming_held": _("Incoming money is held"),
    "incoming_recorded": _("Held money was recorded"),
    "incoming_dismissed": _("Held money was dismissed"),
    "paid_twice": _("The customer may have paid twice"),
    "payment_unknown": _("It is not known whether a payment was made"),
    "payment_resolved": _("A held payment was reviewed"),
    "note": _("Note"),
}
BAD = frozenset({State.FAILED, State.DEAD})
REACHED = frozenset({State.SENT, State.DELIVERED, State.READ})


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An entry of the time line. ``tone`` is good, bad or empty."""

    at: datetime
    title: Any
    event: OrderEvent | None = None
    detail: str = ""
    messages: list[Message]


@dataclass(frozen=True, kw_only=True)
class Message:
    row: Notification
    label: str
    tone: str
    is_repeat: bool
    """Whether the message is a resend, or a fallback for another message."""


def entries(order: Order, *, with_messages: bool) -> list[Entry]:
    """The whole time line, including private events.

    Messages belong to the event that they are about, if there is one.
    """
    rows = Notification.objects.about(order.number).select_related("origin") if with_messages else []
    messages_of: defaultdict[str, list[Message]] = defaultdict(list)
    for row in rows:
        messages_of[_event_of(row)].append(_message(row))
    found = [
        Entry(
            at=event.created_at,
            title=_title(event),
            event=event,
            detail=event.message,
            messages=messages_of.pop(str(event.event_id), []),
        )
        for event in order.events.select_related("actor").order_by("created_at", "pk")
    ]
    found += [
        Entry(at=messages[0].row.created_at, title=messages[0].label, messages=messages)
        for messages in messages_of.values()
    ]
    return sorted(found, key=lambda entry: entry.at)[::-1]


def _event_of(row: Notification) -> str:
    """The event that a message is about; a resent message has the event of the first one."""
    while row.origin is not None:
        row = row.origin
    return row.event_id


def _message(row: Notification) -> Message:
    tone = "bad" if row.state in BAD else "good" if row.state in REACHED else ""
    return Message(row=row, label=label(row.event), tone=tone, is_repeat=row.origin_id is not None)


def _title(event: OrderEvent) -> Any:
    statuses: Iterable[tuple[str, Any]] = ()
    if event.kind == "status_changed":
        statuses = OrderStatus.choices
    elif event.kind == "payment_status_changed":
        statuses = PaymentStatus.choices
    names = dict(statuses)
    if event.new_status in names:
        return str(names[event.new_status]).capitalize()
    return KINDS.get(event.kind, label(event.kind))
