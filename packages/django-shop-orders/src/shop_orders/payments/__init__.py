"""Payments: started, recorded, captured and refunded. No provider is called inside a transaction.

Every change locks the order first, then the payment, then the provider's event, so that no two changes can deadlock.
"""

from shop_orders.payments.account import note_state
from shop_orders.payments.inbox import apply_event
from shop_orders.payments.reconciliation import ask, expire_due, reconcile, send_due_refunds
from shop_orders.payments.recording import capture, record_payment, resolve
from shop_orders.payments.refunds import queue_refund, refund, send_refund
from shop_orders.payments.starting import remember, start, ways_to_pay

__all__ = [
    "apply_event",
    "ask",
    "capture",
    "expire_due",
    "note_state",
    "queue_refund",
    "reconcile",
    "record_payment",
    "refund",
    "remember",
    "resolve",
    "send_due_refunds",
    "send_refund",
    "start",
    "ways_to_pay",
]
