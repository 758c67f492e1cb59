"""Wishes of people who have sent STOP or START. They are stored as reports, and the latest one counts."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone
from shop_core.db.transactions import connection_of, in_transaction

from shop_notify.models import DeliveryReport, Notification, Suppression
from shop_notify.recipients import suppressions
from shop_notify.storable import stored_id

STOP, START = "STOP", "START"
_PREFIX = "wish:"
"""Begins the ids of these reports, so that no message has one of them."""
CONFIRMED = "stop_confirmed"
"""The event of the message that confirms a STOP."""
CONFIRM_WITHIN = timedelta(minutes=5)
"""A later confirmation would be a message that the person does not want (47 CFR 64.1200(a)(12))."""


@in_transaction(DeliveryReport)
def record_wish(alias: str, channel: str, address: str, *, wish: str, message_id: str, at: datetime | None) -> bool:
    """Record that somebody has sent STOP or START, and suppress or permit the address. Returns whether it was new.

    A repeated message changes nothing; without ``message_id`` and ``at`` every message is new. START permits only an
    address that was suppressed for STOP, not one that bounced or that staff have entered.
    """
    now = timezone.now()
    message_id = message_id or (at.isoformat() if at else uuid.uuid4().hex)
    _stored, is_new = DeliveryReport.objects.get_or_create(
        alias=alias,
        provider_id=stored_id(f"{_PREFIX}{message_id}", 200),
        status=wish.upper(),
        address=suppressions.stored_form(address),
        # A time in the future would make every later wish look older.
        defaults={"state": "sent", "received_at": min(at or now, now)},
    )
    if is_new:
        apply_latest_wish(alias, channel, address)
        # Another message of this person may be recorded at this moment. Neither transaction sees the other's row.
        using = connection_of(DeliveryReport).alias
        transaction.on_commit(lambda: apply_latest_wish(alias, channel, address), using=using, robust=True)
    return is_new


def confirmation(alias: str, channel: str, address: str) -> Notification:
    """The message that confirms a STOP, not saved. An address gets at most one a day, however many STOPs it sends."""
    now = timezone.now()
    return Notification(
        event=CONFIRMED,
        event_id=stored_id(f"{CONFIRMED}:{suppressions.stored_form(address)}:{now.date()}"),
        alias=alias,
        channel=channel,
        address=address,
        created_at=now,
        expires_at=now + CONFIRM_WITHIN,
        priority=1,
    )


def is_confirmation(row: Notification) -> bool:
    """Whether this message confirms a STOP, and may go to a suppressed address. A re-sent copy may not."""
    return row.event == CONFIRMED and row.event_id.startswith(f"{CONFIRMED}:")


@in_transaction(DeliveryReport)
def apply_latest_wish(alias: str, channel: str, address: str) -> None:
    """Suppress or permit an address by the latest wish that was sent from it. Locks its wishes."""
    wishes = DeliveryReport.objects.select_for_update().filter(
        alias=alias,
        address=suppressions.stored_form(address),
        status__in=(STOP, START),
        provider_id__startswith=_PREFIX,
    )
    latest = max(wishes.order_by("pk"), key=lambda wish: (wish.received_at, wish.pk), default=None)
    if latest is None:
        return
    if latest.status == STOP:
        suppressions.suppress(channel, address, reason=Suppression.Reason.STOP)
    else:
        suppressions.lift_suppression(channel, address, reason=Suppression.Reason.STOP)
