"""Cancels orders that were not paid in time, after asking about every payment that may still be made."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from shop_orders import lifecycle
from shop_orders.exceptions import ProviderUnavailable
from shop_orders.models import Order, Payment
from shop_orders.payment_providers import aliases
from shop_orders.payments import checking, confirming, inbox, rows
from shop_orders.transactions import outside_transaction

logger = logging.getLogger(__name__)

SHORTEST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=1)
"""An order that cannot expire yet is checked again after a time between these, which grows while it is overdue."""


@outside_transaction(Order)
def expire_due(*, limit: int = 500) -> int:
    """Cancel orders that were not paid in time. Returns the number of cancelled orders. Safe to run in parallel.

    An attempt that is still open is closed at its provider, or the order waits for its end. An order is kept while the
    state of one of its payments is not known.
    """
    now = timezone.now()
    due = Order.objects.overdue().filter(Q(next_check_at=None) | Q(next_check_at__lte=now))
    keys = due.order_by(Coalesce("next_check_at", "expires_at"), "pk").values_list("pk", flat=True)[:limit]
    return rows.run(_expire_one, list(keys))


def _expire_one(order_id: int) -> bool:
    _postpone(order_id)
    for event in inbox.unconfirmed(order_id):
        confirming.confirm(event)
    runs_until = _end_payments(order_id)
    if runs_until is not None:
        _postpone(order_id, until=runs_until)
        return False
    if any(event.kind == "captured" for event in inbox.unconfirmed(order_id)):
        return False  # an unsigned webhook reports a payment, which the provider has not denied
    return lifecycle.expire(order_id)


def _end_payments(order_id: int) -> datetime | None:
    """The time until which the order waits for its payments; None if none of them can still succeed.

    The order does not wait for a payment whose provider was removed from the settings.
    """
    may_be_paid = Q(status__in=Payment.OPEN) | Q(status__in=("failed", "cancelled"), next_check_at__isnull=False)
    payments = Payment.objects.filter(may_be_paid, order_id=order_id).select_related("order").order_by("id")
    known, until = aliases(), None
    for payment in payments:
        try:
            ended = checking.end(payment)
        except ProviderUnavailable:
            if payment.provider not in known:
                continue
            logger.warning("An unpaid order is kept: %s does not return the state of a payment", payment.provider)
            return timezone.now() + SHORTEST_WAIT
        if checking.is_running(ended) and ended.expires_at is not None:
            until = max(until or ended.expires_at, ended.expires_at)
    return until


def _postpone(order_id: int, *, until: datetime | None = None) -> None:
    order = Order.objects.filter(pk=order_id)
    now = timezone.now()
    expires_at = order.values_list("expires_at", flat=True).first()
    overdue = now - expires_at if expires_at else SHORTEST_WAIT
    later = now + min(LONGEST_WAIT, max(SHORTEST_WAIT, overdue / 4))
    order.update(next_check_at=later if until is None else max(until, now + timedelta(seconds=1)))
