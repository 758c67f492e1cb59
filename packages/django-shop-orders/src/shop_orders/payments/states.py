"""Fetches the state of a payment from its provider and applies it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone

from shop_orders.models import Payment
from shop_orders.payment_providers import PaymentState
from shop_orders.payments import account, disputes, inquiries, refund_results
from shop_orders.transactions import in_transaction, outside_transaction


@outside_transaction(Payment)
def refresh(payment: Payment) -> Payment:
    """Fetch the state of a payment from its provider and apply it.

    Raises:
        ProviderUnavailable: the provider does not respond, or refuses the query.
        UnknownPaymentProvider: the provider is not in the settings any more.
    """
    return refetch(payment)[0]


def refetch(payment: Payment) -> tuple[Payment, PaymentState | None]:
    """``refresh`` that also returns the state; None if the provider cannot be asked about the payment."""
    fetched_at = timezone.now()
    state = inquiries.ask(payment)
    if state is None:
        return payment, None
    return apply_state(payment.pk, state, fetched_at=fetched_at), state


@in_transaction(Payment)
def apply_state(
    payment_id: int, state: PaymentState, *, fetched_at: datetime | None = None, by: Any = None, notify: bool = True
) -> Payment:
    """Apply the state that the provider reports now, by the same rules as its events.

    Refunds that changed here after ``fetched_at`` are left as they are.
    """
    order, payment = account.lock(payment_id)
    if state.reference and not payment.provider_reference:
        account.set_reference(order, payment, state.reference)
    if payment.is_open and payment.error:
        payment.error = ""  # its provider can be asked again
        payment.save(update_fields=["error", "updated_at"])
    account.apply(
        order,
        payment,
        state.status,
        amount=state.captured,
        currency=state.currency,
        error=state.error,
        by=by,
        notify=notify,
        is_current=True,
    )
    if payment.status != Payment.Status.CAPTURED:
        return payment
    fetched_at = fetched_at or timezone.now()
    if state.refunds is not None:
        refund_results.apply_list(order, payment, state, fetched_at=fetched_at)
    disputes.apply_list(order, payment, state, fetched_at=fetched_at)
    refund_results.close_totals(payment, state)
    row = refund_results.differing_total(payment, state)
    if row is not None and refund_results.is_undecided(row):
        row.outcome = refund_results.apply_total(order, payment, row, state)
        row.save(update_fields=["outcome"])
    return payment
