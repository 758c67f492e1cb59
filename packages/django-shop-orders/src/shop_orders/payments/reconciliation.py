"""Periodic jobs that ask the providers: about payments whose webhook was lost, waiting events, and refunds."""

from __future__ import annotations

import logging
from collections import Counter

from django.db.models import QuerySet
from django.utils import timezone

from shop_orders.exceptions import ProviderUnavailable
from shop_orders.models import Payment, Refund
from shop_orders.payment_providers import aliases
from shop_orders.payments import checking, confirming, inbox, incoming, rows, watching
from shop_orders.payments.sending import check_refund, send_refund
from shop_orders.transactions import outside_transaction

logger = logging.getLogger(__name__)

MAX_FAILURES = 5
"""After this many failures in one run, a provider is skipped for the rest of it, so that the others get their turn."""


@outside_transaction(Payment)
def reconcile(*, limit: int = 200) -> int:
    """Ask about payments, waiting events and pending refunds that are due. Returns how many of them changed.

    Settles payments whose webhook was lost, and closes the pages of payments that their orders no longer need.
    """
    reconsidered = rows.run(incoming.retry, incoming.due()[:limit])
    reconsidered += rows.run(confirming.reconsider, inbox.to_reconsider().values_list("pk", flat=True)[:limit])
    confirmed = rows.run(confirming.confirm, inbox.to_ask_about()[:limit])
    changed = _PaymentChecks().run(watching.to_check(is_captured=False), limit=limit)
    changed += _PaymentChecks().run(watching.to_check(is_captured=True), limit=limit)
    return reconsidered + confirmed + changed + rows.run(_check_refund, _due(Refund.Status.PENDING, limit))


@outside_transaction(Refund)
def send_due_refunds(*, limit: int = 200) -> int:
    """Send the queued refunds that are due. Returns how many are no longer queued."""
    return rows.run(_send_refund, _due(Refund.Status.QUEUED, limit))


class _PaymentChecks:
    """One run over payments. A provider that does not respond is skipped after MAX_FAILURES attempts."""

    def __init__(self) -> None:
        self.failures: Counter[str] = Counter()

    def run(self, payments: QuerySet[Payment], *, limit: int) -> int:
        """Payments of providers that are configured go first: nobody can be asked about the others."""
        known = payments.filter(provider__in=aliases())
        others = payments.exclude(provider__in=aliases())
        due = [*known.select_related("order")[:limit], *others.select_related("order")[:limit]]
        return rows.run(self._check, due)

    def _check(self, payment: Payment) -> bool:
        if self.failures[payment.provider] >= MAX_FAILURES:
            watching.postpone(payment)
            return False
        before = payment.status, payment.refunded_amount
        try:
            checked = checking.check(payment)
        except ProviderUnavailable:
            self.failures[payment.provider] += 1
            logger.warning("Payment provider %s does not respond", payment.provider)
            return False
        return (checked.status, checked.refunded_amount) != before


def _due(status: Refund.Status, limit: int) -> list[int]:
    """Primary keys of the refunds with this status whose next attempt is due, the longest due first."""
    due = Refund.objects.filter(status=status, next_attempt_at__lte=timezone.now())
    return list(due.order_by("next_attempt_at").values_list("pk", flat=True)[:limit])


def _check_refund(refund_id: int) -> bool:
    return check_refund(refund_id).status != Refund.Status.PENDING


def _send_refund(refund_id: int) -> bool:
    return send_refund(refund_id).status != Refund.Status.QUEUED
