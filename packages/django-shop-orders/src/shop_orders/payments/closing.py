"""Closes the page of a payment at its provider when its order no longer needs a payment, or its time is over."""

from __future__ import annotations

import logging
from contextlib import suppress

from shop_orders.exceptions import PaymentDeclined, ShopOrdersError
from shop_orders.models import Order, OrderStatus, Payment
from shop_orders.payment_providers import PaymentState, payment_provider
from shop_orders.payments import states
from shop_orders.transactions import outside_transaction

logger = logging.getLogger(__name__)


def needs_payment(order: Order) -> bool:
    """Whether an order still needs a payment."""
    return order.status != OrderStatus.CANCELLED and order.amount_due > 0


@outside_transaction(Payment)
def close(payment: Payment) -> Payment:
    """Close a payment at its provider, then apply the status that the provider reports. It may stay open.

    Raises:
        ProviderUnavailable, UnknownPaymentProvider: the provider cannot be asked.
    """
    with suppress(PaymentDeclined):  # it was paid or ended meanwhile, as its state will show
        payment_provider(payment.provider).cancel(payment.data, reference=payment.provider_reference)
    payment, state = states.refetch(payment)
    if state is not None or not payment.is_open:
        return payment
    return states.apply_state(payment.pk, PaymentState(status="cancelled"))


def close_if_possible(payment: Payment) -> None:
    """``close``; the periodic job does it if the provider cannot be asked now."""
    try:
        close(payment)
    except ShopOrdersError:
        logger.warning("A payment that is not needed any more could not be closed at %s yet", payment.provider)
