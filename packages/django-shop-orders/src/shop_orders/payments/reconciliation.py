"""Fetches the state of payments periodically, to find those whose webhook was lost."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from django.db.models import QuerySet
from django.utils import timezone

from shop_orders import lifecycle
from shop_orders.exceptions import PaymentDeclined, ProviderUnavailable
from shop_orders.models import Order, OrderStatus, Payment, ProviderEvent, Refund
from shop_orders.payment_providers import PaymentState, payment_provider
from shop_orders.payments import inbox, incoming
from shop_orders.payments.inquiries import ask
from shop_orders.payments.sending import check_refund, send_refund
from shop_orders.payments.states import apply_state, refresh
from shop_orders.transactions import outside_transaction

logger = logging.getLogger(__name__)

PATIENCE = 8
"""How often an event is tried before staff have to look at it: for about a day."""

QUIET_PERIOD = timedelta(minutes=2)
"""A payment that was changed within this time is not reconciled."""


@outside_transaction(Payment)
def reconcile(*, limit: int = 200) -> int:
    """Fetch the states of open payments and pending refunds, cancel payments of cancelled orders, retry stored events.

    Returns how many events, payments and refunds were changed. A payment whose webhook was lost is settled here.
    """
    retried = sum(_run_and_log(partial(incoming.retry, pk)) for pk in incoming.due()[:limit])
    retried += sum(_run_and_log(partial(_reconsider_one, pk)) for pk in _keys(inbox.to_reconsider(), limit))
    confirmed = sum(_run_and_log(partial(_confirm_one, event)) for event in inbox.to_ask_about()[:limit])
    waiting = Payment.objects.filter(status__in=Payment.OPEN, updated_at__lte=timezone.now() - QUIET_PERIOD)
    payments = waiting.order_by("updated_at").select_related("order")[:limit]
    changed = sum(_run_and_log(partial(_reconcile_one, payment)) for payment in payments)
    pending_refunds = _due(Refund.Status.PENDING)[:limit]
    return retried + confirmed + changed + sum(_run_and_log(partial(_check_one, pk)) for pk in pending_refunds)


@outside_transaction(Refund)
def send_due_refunds(*, limit: int = 200) -> int:
    """Send the queued refunds that are due. Returns how many are no longer queued."""
    return sum(_run_and_log(partial(_send_one, pk)) for pk in _due(Refund.Status.QUEUED)[:limit])


@outside_transaction(Order)
def expire_due(*, limit: int = 500) -> int:
    """Cancel orders that were not paid in time, after fetching the state of their payments. Returns the number of
    cancelled orders. Safe to run in parallel."""
    overdue = Order.objects.overdue().order_by("expires_at").values_list("pk", flat=True)[:limit]
    return sum(_run_and_log(partial(_expire_one, order_id)) for order_id in overdue)


def _run_and_log(work: Callable[[], bool]) -> bool:
    """Do the work for one row. Any error is logged, so that the job continues with the other rows."""
    try:
        return work()
    except Exception:
        logger.exception("A periodic job failed for one row and will retry it in a later run")
        return False


def _due(status: Refund.Status) -> QuerySet[Refund, int]:
    """Primary keys of the refunds with this status whose next attempt is due, the longest due first."""
    due = Refund.objects.filter(status=status, next_attempt_at__lte=timezone.now())
    return due.order_by("next_attempt_at").values_list("pk", flat=True)


def _check_one(refund_id: int) -> bool:
    return check_refund(refund_id).status != Refund.Status.PENDING


def _send_one(refund_id: int) -> bool:
    return send_refund(refund_id).status != Refund.Status.QUEUED


def _keys(rows: QuerySet[ProviderEvent], limit: int) -> list[int]:
    return list(rows.values_list("pk", flat=True)[:limit])


def _reconsider_one(row_id: int) -> bool:
    """Whether an event that waits for another one could be decided now."""
    inbox.put_back(row_id)
    row = inbox.reconsider(row_id)
    if row.outcome == ProviderEvent.Outcome.WAITING and row.attempts > PATIENCE:
        inbox.give_up(row_id)
    return row.outcome == ProviderEvent.Outcome.APPLIED


def _confirm_one(event: ProviderEvent) -> bool:
    """Ask the provider to confirm an event. True if the event, or the provider's correction of it, was applied."""
    assert event.payment is not None  # noqa: S101 - such an event waits only once its payment is known
    inbox.put_back(event.pk)
    fetched_at = timezone.now()
    try:
        state = ask(event.payment, reference=event.provider_reference)
    except ProviderUnavailable:
        logger.warning("Payment provider %s does not respond", event.provider)
        return False
    if state is None and event.kind in inbox.REFUND_KINDS:
        state = PaymentState(status="captured")  # a state without refunds
    if state is not None and state.status != "pending":
        return inbox.confirm(event.pk, state, fetched_at=fetched_at).outcome == ProviderEvent.Outcome.APPLIED
    if event.attempts > PATIENCE:
        inbox.give_up(event.pk)
    return False


def _reconcile_one(payment: Payment) -> bool:
    provider = payment_provider(payment.provider)
    before = payment.status
    try:
        payment = refresh(payment)
        if payment.is_open and payment.order.status == OrderStatus.CANCELLED:
            provider.cancel(payment.data, reference=payment.provider_reference)
            payment = apply_state(payment.pk, PaymentState(status="cancelled"))
    except (PaymentDeclined, ProviderUnavailable):
        logger.warning("Payment provider %s does not respond", payment.provider)
    if payment.status == before:
        Payment.objects.filter(pk=payment.pk).update(updated_at=timezone.now())
    return payment.status != before


def _expire_one(order_id: int) -> bool:
    for event in inbox.unconfirmed(order_id):
        _confirm_one(event)
    try:
        for payment in Payment.objects.filter(order_id=order_id, status__in=Payment.OPEN):
            refresh(payment)
    except ProviderUnavailable:
        logger.warning("An unpaid order is kept: its payment provider does not respond")
        return False
    if any(event.kind == "captured" for event in inbox.unconfirmed(order_id)):
        return False  # an unsigned webhook reports a payment, which the provider has not denied
    return lifecycle.expire(order_id)
