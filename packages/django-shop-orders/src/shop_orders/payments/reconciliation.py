"""What is asked of payment providers from time to time: a lost webhook is no lost payment."""

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
from shop_orders.payments import inbox
from shop_orders.payments.account import note_state
from shop_orders.payments.refunds import ask_about, send_refund

logger = logging.getLogger(__name__)

QUIET = timedelta(minutes=2)
"""A payment that was just touched is not asked about."""


def ask(payment: Payment) -> Payment:
    """Ask the provider how a payment stands, and note it.

    Raises:
        ProviderUnavailable: it does not answer.
    """
    state = payment_provider(payment.provider).fetch(payment.data, reference=payment.provider_reference)
    if state is None:
        return payment
    return note_state(payment.pk, state)


def reconcile(*, limit: int = 200) -> int:
    """Ask about payments and refunds that wait, give up payments of cancelled orders, look again at news kept.

    Returns how many of them changed. A webhook that got lost is made up for here.
    """
    inbox.look_again(limit=limit)
    settled = sum(_one_of_many(partial(_settle_one, claim)) for claim in inbox.claims()[:limit])
    waiting = Payment.objects.filter(status__in=Payment.OPEN, updated_at__lte=timezone.now() - QUIET)
    payments = waiting.order_by("updated_at").select_related("order")[:limit]
    changed = sum(_one_of_many(partial(_reconcile_one, payment)) for payment in payments)
    waiting_refunds = _due(Refund.Status.PENDING)[:limit]
    return settled + changed + sum(_one_of_many(partial(_ask_about_one, pk)) for pk in waiting_refunds)


def send_due_refunds(*, limit: int = 200) -> int:
    """Send the refunds that wait; returns how many went through."""
    return sum(_one_of_many(partial(_send_one, pk)) for pk in _due(Refund.Status.QUEUED)[:limit])


def expire_due(*, limit: int = 500) -> int:
    """Cancel orders that were not paid in time, after asking their providers; returns how many. Safe in parallel."""
    overdue = Order.objects.overdue().order_by("expires_at").values_list("pk", flat=True)[:limit]
    return sum(_one_of_many(partial(_expire_one, order_id)) for order_id in overdue)


def _one_of_many(work: Callable[[], bool]) -> bool:
    """A provider that fails in a way of its own, or is no longer configured, stops nobody else's turn."""
    try:
        return work()
    except Exception:
        logger.exception("A periodic job leaves a row for the next time")
        return False


def _due(status: Refund.Status) -> QuerySet[Refund, int]:
    """Keys of the refunds of a status about which something is to be done now, the oldest first."""
    due = Refund.objects.filter(status=status, next_attempt_at__lte=timezone.now())
    return due.order_by("next_attempt_at").values_list("pk", flat=True)


def _ask_about_one(refund_id: int) -> bool:
    return ask_about(refund_id).status != Refund.Status.PENDING


def _send_one(refund_id: int) -> bool:
    return send_refund(refund_id).status != Refund.Status.QUEUED


def _settle_one(claim: ProviderEvent) -> bool:
    """Whether the provider has an opinion on what it called us about."""
    provider = payment_provider(claim.provider)
    data = claim.payment.data if claim.payment else {}
    reference = claim.provider_reference or (claim.payment.provider_reference if claim.payment else "")
    asked_at = timezone.now()
    try:
        state = provider.fetch(data, reference=reference)
    except ProviderUnavailable:
        logger.warning("Payment provider %s does not answer", claim.provider)
        return False
    except PaymentDeclined as error:
        state = PaymentState(status="failed", error=str(error))
    if state is None and claim.kind == "refunded":
        state = PaymentState(status="captured")  # which does not say what went back
    if state is None or state.status == "pending":
        return False
    return inbox.settle(claim.pk, state, asked_at=asked_at).outcome == ProviderEvent.Outcome.APPLIED


def _reconcile_one(payment: Payment) -> bool:
    provider = payment_provider(payment.provider)
    before = payment.status
    try:
        payment = ask(payment)
        if payment.is_open and payment.order.status == OrderStatus.CANCELLED:
            provider.cancel(payment.data, reference=payment.provider_reference)
            payment = note_state(payment.pk, PaymentState(status="cancelled"))
    except ProviderUnavailable:
        logger.warning("Payment provider %s does not answer", payment.provider)
    except PaymentDeclined as error:
        payment = _note_refusal(payment, error)
    if payment.status == before:
        Payment.objects.filter(pk=payment.pk).update(updated_at=timezone.now())
    return payment.status != before


def _ask_or_give_up(payment: Payment) -> Payment:
    try:
        return ask(payment)
    except PaymentDeclined as error:
        return _note_refusal(payment, error)


def _note_refusal(payment: Payment, error: PaymentDeclined) -> Payment:
    return note_state(payment.pk, PaymentState(status="failed", error=str(error)))


def _expire_one(order_id: int) -> bool:
    for claim in inbox.claims(order_id):
        _settle_one(claim)
    try:
        for payment in Payment.objects.filter(order_id=order_id, status__in=Payment.OPEN):
            _ask_or_give_up(payment)
    except ProviderUnavailable:
        logger.warning("An unpaid order is kept: its payment provider does not answer")
        return False
    if any(claim.kind == "captured" for claim in inbox.claims(order_id)):
        return False  # somebody says that it was paid, and the provider has not said no
    return lifecycle.expire(order_id)
