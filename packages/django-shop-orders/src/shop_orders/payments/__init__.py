"""Starts, records, captures and refunds payments. No provider is called inside a transaction.

Every change locks the order first, then the payment, then the provider's event, so that no two changes can deadlock.
"""

from shop_orders.payments.choosing import ProviderChoice, available_providers, provider_choices, providers_for
from shop_orders.payments.expiring import expire_due
from shop_orders.payments.inbox import apply_event
from shop_orders.payments.incoming import assign_incoming, dismiss_incoming, receive
from shop_orders.payments.reconciliation import reconcile, send_due_refunds
from shop_orders.payments.recording import (
    capture,
    record_payment,
    record_provider_refund,
    resolve,
    resolve_dispute,
    resolve_refund,
)
from shop_orders.payments.refunds import queue_refund, refund
from shop_orders.payments.sending import send_refund
from shop_orders.payments.starting import add_data, start
from shop_orders.payments.states import apply_state, refresh

__all__ = [
    "ProviderChoice",
    "add_data",
    "apply_event",
    "apply_state",
    "assign_incoming",
    "available_providers",
    "capture",
    "dismiss_incoming",
    "expire_due",
    "provider_choices",
    "providers_for",
    "queue_refund",
    "receive",
    "reconcile",
    "record_payment",
    "record_provider_refund",
    "refresh",
    "refund",
    "resolve",
    "resolve_dispute",
    "resolve_refund",
    "send_due_refunds",
    "send_refund",
    "start",
]
