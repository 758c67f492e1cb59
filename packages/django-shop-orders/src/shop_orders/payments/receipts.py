"""The receipts of payments, so that money that is reported twice is counted once.

M-Pesa reports a payment on the phone in its callback, and again as incoming money with the same receipt.
"""

from __future__ import annotations

from decimal import Decimal

from django.db.models import F
from django.utils.translation import gettext as _
from shop_core.money import as_text

from shop_orders import events
from shop_orders.models import IncomingPayment, Order, Payment, Refund
from shop_orders.payments import order_status


def assign(order: Order, payment: Payment, receipt: str) -> bool:
    """Set the receipt of a payment. If another payment has it, close this one, count nothing and return False.

    The caller has locked the order and the payment.
    """
    incoming = IncomingPayment.objects.select_for_update(of=("self",))
    row = incoming.filter(provider=payment.provider, receipt=receipt).first()
    other = Payment.objects.filter(provider=payment.provider, receipt=receipt).exclude(pk=payment.pk).first()
    if other is not None:
        _close(order, payment, receipt)
        return False
    if not payment.receipt:
        payment.receipt = receipt
        payment.save(update_fields=["receipt", "updated_at"])
    if row is not None and row.status == IncomingPayment.Status.HELD:
        row.status, row.reason, row.payment = IncomingPayment.Status.DUPLICATE, "", payment
        row.save(update_fields=["status", "reason", "payment"])
    return True


def hold_if_counted(order: Order, payment: Payment) -> bool:
    """Hold a payment that is reported without receipt and amount, if its money may have been recorded by its receipt.

    The caller has locked the order and the payment.
    """
    by_hand = order.payments.filter(
        provider=payment.provider,
        provider_reference=F("receipt"),
        amount=payment.amount,
        status=Payment.Status.CAPTURED,
        created_at__gte=payment.created_at,
    )
    counted = by_hand.exclude(receipt="").exclude(pk=payment.pk).first()
    if counted is None:
        return False
    text = _(
        "This may be the money that was recorded as %(receipt)s. Compare both with the provider's statement: "
        "enter 0 if it is the same money, else the amount."
    )
    payment.status, payment.error = Payment.Status.HELD, (text % {"receipt": counted.receipt})[:500]
    payment.save(update_fields=["status", "error", "updated_at"])
    events.record(order, "payment_held", is_public=False, message=payment.error)
    return True


def _close(order: Order, payment: Payment, receipt: str) -> None:
    """Close a payment whose money is recorded as another one, and take back what was counted for it."""
    message = _("This money is recorded already, as %(receipt)s.") % {"receipt": receipt}
    if payment.status == Payment.Status.CANCELLED and payment.error == message:
        return
    counted = payment.captured_amount
    if counted and (payment.refunds.filter(status__in=Refund.RESERVING).exists() or _is_refunded(order, counted)):
        text = _(
            "%(amount)s %(currency)s are recorded twice, as %(receipt)s. A refund was made, so correct it by hand."
        )
        amounts = {"amount": as_text(counted, payment.currency), "currency": payment.currency, "receipt": receipt}
        events.record(order, "recorded_twice", is_public=False, message=text % amounts)
        return
    payment.status, payment.error, payment.captured_amount = Payment.Status.CANCELLED, message[:500], Decimal(0)
    payment.next_check_at = None  # nothing is left to ask the provider
    payment.save(update_fields=["status", "error", "captured_amount", "next_check_at", "updated_at"])
    if counted:
        order.paid_amount -= counted
        order.save(update_fields=["paid_amount", "updated_at"])
    events.record(order, "recorded_already", is_public=False, message=message)
    order_status.update(order, payment, notify=False)


def _is_refunded(order: Order, counted: Decimal) -> bool:
    return order.paid_amount - counted < order.refunded_amount
