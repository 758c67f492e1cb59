"""The time line of an order as its customer sees it, with the messages about each step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from shop_orders.models import OrderEvent
from shop_orders.tracking import Tracking

STATUS = {
    "confirmed": _("We accepted your order"),
    "processing": _("We are packing your order"),
    "shipped": _("Your order is on its way"),
    "delivered": _("Your order was delivered"),
    "cancelled": _("Your order was cancelled"),
}
PAYMENT = {
    "authorised": _("Your payment is reserved"),
    "paid": _("Your payment arrived"),
    "failed": _("The payment did not go through"),
    "part_refunded": _("Part of your money was refunded"),
    "refunded": _("Your money was refunded"),
    "unpaid": _("The payment is open again"),
}
KINDS = {
    "placed": _("You placed your order"),
    "state_changed": _("News of your order"),
    "shipment_sent": _("We shipped a parcel"),
    "refunded": _("We refunded money"),
    "units_cancelled": _("A part of your order is not sent"),
    "note": _("A note from us"),
}
REFUND = {
    "queued": _("on its way to you"),
    "pending": _("on its way to you"),
    "succeeded": _("sent back to you"),
    "failed": _("did not go through"),
}
CHANNELS = {"email": _("E-mail"), "sms": _("SMS")}
STATES = {
    "queued": _("on its way"),
    "sending": _("on its way"),
    "sent": _("sent"),
    "delivered": _("delivered"),
    "read": _("read"),
    "unknown": _("sent, delivery not confirmed yet"),
    "failed": _("could not be delivered"),
    "dead": _("could not be delivered"),
    "skipped": _("not sent"),
}
REACHED = frozenset({"sent", "delivered", "read"})


@dataclass(frozen=True, kw_only=True)
class Message:
    channel: Any
    icon: str
    state: Any
    has_reached: bool


@dataclass(frozen=True, kw_only=True)
class Entry:
    at: datetime
    title: Any
    detail: str
    messages: list[Message]


def entries(tracking: Tracking) -> list[Entry]:
    """The entries of the time line, newest first."""
    messages_of: defaultdict[str, list[Message]] = defaultdict(list)
    for delivery in tracking.deliveries:
        messages_of[str(delivery.get("event_id", ""))].append(_message(delivery))
    return [
        Entry(
            at=event.created_at, title=_title(event), detail=event.message, messages=messages_of[str(event.event_id)]
        )
        for event in reversed(tracking.events)
    ]


def _title(event: OrderEvent) -> Any:
    if event.kind == "status_changed":
        return STATUS.get(event.new_status, event.new_status)
    if event.kind == "payment_status_changed":
        return PAYMENT.get(event.new_status, event.new_status)
    return KINDS.get(event.kind, event.kind.replace("_", " ").capitalize())


def _message(delivery: Mapping[str, Any]) -> Message:
    channel, state = str(delivery["channel"]), str(delivery["state"])
    return Message(
        channel=CHANNELS.get(channel, channel),
        icon="mail" if channel == "email" else "message-square",
        state=STATES.get(state, state),
        has_reached=state in REACHED,
    )
