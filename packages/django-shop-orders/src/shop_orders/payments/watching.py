"""Schedules when the provider is asked about a payment next. The interval grows for a payment that cannot be settled,
so that it does not delay the others."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.utils import timezone

from shop_orders.models import Order, Payment

Status = Payment.Status

QUIET_PERIOD = timedelta(minutes=2)
"""A payment is not asked about for this long after it changed: its webhook is on its way."""
LONGEST_WAIT = timedelta(hours=6)
ONCE_MORE_AFTER = timedelta(hours=1)
"""A payment that failed or was cancelled is asked about once more: the customer may have entered the PIN late."""
CAPTURED_EVERY, CAPTURED_CHECKS = timedelta(days=1), 30
"""A captured payment is asked about daily for a month: a refund on the provider's pages may have lost its webhook."""
MAX_REFUSED_STARTS = 3
"""If repeated starts are refused more often than this, no earlier call can have started the payment."""
MAX_CHECKS = 120
"""After this many checks without a result, about a month, a payment that is not open is not checked any more."""


def to_check(*, is_captured: bool) -> QuerySet[Payment]:
    """The payments that are due to be asked about, the longest due first."""
    due = Payment.objects.filter(next_check_at__lte=timezone.now())
    due = due.filter(status=Status.CAPTURED) if is_captured else due.exclude(status=Status.CAPTURED)
    return due.order_by("next_check_at", "id")


def schedule(payment: Payment) -> None:
    """Set the next check of a payment whose status changed. The caller saves the fields of ``FIELDS``."""
    now = timezone.now()
    payment.checks = 0
    if payment.is_open or payment.unknown_starts:
        payment.next_check_at = now + QUIET_PERIOD
    elif payment.status == Status.CAPTURED:
        payment.next_check_at = now + CAPTURED_EVERY
    elif payment.status in (Status.FAILED, Status.CANCELLED) and payment.provider_reference:
        payment.next_check_at = now + ONCE_MORE_AFTER
    else:
        payment.next_check_at = None


FIELDS = ("checks", "next_check_at")


def postpone(payment: Payment) -> None:
    """Ask again later: after 2, 4, 8, ... minutes, up to six hours, or when the attempt ends."""
    now = timezone.now()
    if payment.status == Status.CAPTURED and not payment.unknown_starts:  # only responses count as checks
        _set(payment, payment.checks, now + LONGEST_WAIT)
        return
    later: datetime | None = now + min(LONGEST_WAIT, QUIET_PERIOD * 2 ** min(payment.checks, 10))
    if payment.expires_at is not None and later is not None and now < payment.expires_at < later:
        later = payment.expires_at
    if payment.checks >= MAX_CHECKS and not payment.is_open:
        later = None
    _set(payment, payment.checks + 1, later)


def schedule_unchanged(payment: Payment) -> None:
    """Schedule the next check after the provider has returned a state that changed nothing.

    An open payment has one already; of the others, only captured ones are checked again.
    """
    if payment.is_open:
        return
    checks = payment.checks + 1
    is_watched = payment.status == Status.CAPTURED and checks < CAPTURED_CHECKS
    _set(payment, checks, timezone.now() + CAPTURED_EVERY if is_watched else None)


def check_soon(order: Order, *, is_open: bool = True) -> None:
    """Check the payments of an order at the next run, since what the order needs has changed."""
    payments = order.payments.filter(status__in=Payment.OPEN if is_open else [Status.CAPTURED])
    payments.update(next_check_at=timezone.now())


def stop(payment: Payment) -> None:
    """Do not ask about a payment any more."""
    _set(payment, payment.checks, None)


def _set(payment: Payment, checks: int, next_check_at: datetime | None) -> None:
    """Set the next check, unless the payment has changed meanwhile: then its new status has set one."""
    same = Payment.objects.filter(pk=payment.pk, status=payment.status)
    if same.update(checks=min(checks, 30000), next_check_at=next_check_at):
        payment.checks, payment.next_check_at = checks, next_check_at
