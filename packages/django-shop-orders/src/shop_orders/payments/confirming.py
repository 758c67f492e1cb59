"""Asks the provider about an event that has to be confirmed, or that reports an unknown refund."""

from __future__ import annotations

import logging

from django.utils import timezone

from shop_orders.exceptions import ProviderUnavailable, UnknownPaymentProvider
from shop_orders.models import ProviderEvent
from shop_orders.payment_providers import PaymentState
from shop_orders.payments import disputes, inbox, inquiries

logger = logging.getLogger(__name__)

Outcome = ProviderEvent.Outcome
MAX_ATTEMPTS = 8
"""After this many attempts, about half a day, an event is shown to staff."""
MAX_FAILURES = 20
"""The same limit for an event whose provider does not respond: about four days."""


def confirm(event: ProviderEvent) -> bool:
    """Ask the provider to confirm an event. True if the event, or the provider's correction of it, was applied."""
    assert event.payment is not None  # noqa: S101 - unmatched events are not confirmed
    inbox.postpone(event.pk)
    fetched_at = timezone.now()
    try:
        state = inquiries.ask(event.payment, reference=event.provider_reference)
    except Exception as error:
        _hold_if_too_late(event, is_removed=isinstance(error, UnknownPaymentProvider))
        if not isinstance(error, ProviderUnavailable | UnknownPaymentProvider):
            raise
        logger.warning("Payment provider %s does not respond", event.provider)
        return False
    if state is None and event.kind in (*inbox.REFUND_KINDS, disputes.KIND):
        state = PaymentState(status="captured")  # a state without refunds
    if state is not None and state.status != "pending":
        return inbox.confirm(event.pk, state, fetched_at=fetched_at).outcome == Outcome.APPLIED
    if event.attempts >= MAX_ATTEMPTS:
        inbox.give_up(event.pk, with_payment=state is None)
    return False


def _hold_if_too_late(event: ProviderEvent, *, is_removed: bool) -> None:
    """Hold an event for staff if its provider was removed from the settings, or has not responded for too long."""
    if event.attempts >= (MAX_ATTEMPTS if is_removed else MAX_FAILURES):
        inbox.give_up(event.pk, with_payment=is_removed)


def reconsider(row_id: int) -> bool:
    """Try again to apply an event that waits for another one. True if it was applied."""
    inbox.postpone(row_id)
    row = inbox.reconsider(row_id)
    if row.outcome == Outcome.WAITING and row.attempts > MAX_ATTEMPTS:
        inbox.give_up(row_id)
    return row.outcome == Outcome.APPLIED
