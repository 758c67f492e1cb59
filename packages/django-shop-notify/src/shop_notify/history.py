"""History: the messages about one order or product, with their states, as plain values for pages and APIs."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict

from django.utils.translation import gettext as _

from shop_notify import storable
from shop_notify.masking import mask
from shop_notify.models import Notification


class Delivery(TypedDict):
    """One message. ``at`` is when it was delivered, else sent, else created; the address is masked."""

    id: str
    event: str
    event_label: str
    channel: str
    alias: str
    state: str
    state_label: str
    address: str
    at: datetime


def deliveries(reference: str, *, audience: str = "customer") -> list[Delivery]:
    """The messages about a reference, such as an order's number, that its customer may see, the oldest first.

    It can be used as the orders app's hook: ``SHOP_ORDERS = {"DELIVERIES": "shop_notify.history.deliveries"}``.
    """
    if not storable.is_storable(audience):
        return []
    rows = Notification.objects.about(reference).filter(audience=audience)
    return [_delivery(row) for row in rows]


def _delivery(row: Notification) -> Delivery:
    return {
        "id": str(row.public_id),
        "event": row.event,
        "event_label": label(row.event),
        "channel": row.channel,
        "alias": row.alias,
        "state": row.state,
        "state_label": row.get_state_display(),
        "address": mask(row.address),
        "at": row.delivered_at or row.sent_at or row.created_at,
    }


def label(name: str) -> str:
    """The name of an event or group for display: the site's translation, or the name with spaces."""
    title = name.replace("_", " ").capitalize()
    return _(title) if title else ""
