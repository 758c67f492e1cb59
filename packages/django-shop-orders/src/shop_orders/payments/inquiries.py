"""Asks a provider about a payment. Only a returned state counts: an error of any class says nothing about the
payment."""

from __future__ import annotations

import logging
from typing import get_args

from shop_orders.exceptions import PaymentDeclined, ProviderUnavailable
from shop_orders.models import Payment
from shop_orders.payment_providers import PaymentState, payment_provider
from shop_orders.payment_providers.base import PaymentStatus
from shop_orders.transactions import outside_transaction

logger = logging.getLogger(__name__)


@outside_transaction(Payment)
def ask(payment: Payment, *, reference: str = "") -> PaymentState | None:
    """The state of a payment, or of another transaction for it; None where the provider cannot be asked.

    Raises:
        ProviderUnavailable: the provider does not respond, refuses the query, or returns the state of another payment.
        UnknownPaymentProvider: the provider is not in the settings any more.
    """
    asked = reference or payment.provider_reference
    if not asked:
        return None  # without it, no response can be matched with this payment
    try:
        state = payment_provider(payment.provider).fetch(payment.data, reference=asked)
    except PaymentDeclined as error:
        logger.warning("Payment provider %s refused the query", payment.provider)
        raise ProviderUnavailable from error
    if state is None:
        return None
    if state.status not in get_args(PaymentStatus) or state.reference not in ("", asked):
        logger.error("Payment provider %s returned another payment, or an unknown status", payment.provider)
        raise ProviderUnavailable
    return state
