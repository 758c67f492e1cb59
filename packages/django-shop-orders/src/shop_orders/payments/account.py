"""Applies changes to a payment. They come from its start, a provider's event, a fetched state, or staff.

The account of an order, which is its amounts, is in ``crediting``.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from shop_core.money import as_text

from shop_orders import events, lifecycle
from shop_orders.models import Order, Payment, ProviderEvent
from shop_orders.payments import order_status, receipts, refunds, watching

Outcome = ProviderEvent.Outcome


def lock(payment_id: int) -> tuple[Order, Payment]:
    """Lock the row of the order, then that of the payment, until the end of the transaction. Returns both."""
    order = lifecycle.lock(Payment.objects.values_list("order_id", flat=True).get(pk=payment_id))
    return order, Payment.objects.select_for_update().get(pk=payment_id)


def apply(
    order: Order,
    payment: Payment,
    kind: str,
    *,
    amount: Decimal | None = None,
    currency: str = "",
    error: str = "",
    receipt: str = "",
    by: Any = None,
    notify: bool = True,
    is_current: bool = False,
) -> ProviderEvent.Outcome:
    """Apply one reported change to a payment. The caller has locked the order and the payment.

    ``is_current`` says that the provider reports the state now, so that it cannot be older than what is recorded.
    """
    match kind:
        case "captured" if receipt and not receipts.assign(order, payment, receipt):
            return Outcome.IGNORED
        case "captured":
            return _apply_captured(
                order, payment, amount=amount, currency=currency, receipt=receipt, by=by, notify=notify
            )
        case "pending" if payment.status == Payment.Status.STARTED:
            payment.status = Payment.Status.PENDING
        case "processing" if payment.status in (Payment.Status.STARTED, Payment.Status.PENDING) or (
            is_current and payment.status in (Payment.Status.FAILED, Payment.Status.CANCELLED)
        ):
            payment.status, payment.error = Payment.Status.PROCESSING, ""
            payment.redirect_url, payment.expires_at = "", None  # the customer has left the page
            payment.save(update_fields=["redirect_url", "expires_at"])
        case "authorised" if payment.status in (*Payment.OPEN, Payment.Status.FAILED) or (
            is_current and payment.status == Payment.Status.CANCELLED
        ):
            payment.status, payment.error = Payment.Status.AUTHORISED, ""
        case "failed" | "cancelled" if payment.is_open:
            payment.status, payment.error = Payment.Status(kind), error[:500]
        case _:
            return Outcome.IGNORED
    save_status(payment)
    order_status.update(order, payment, by=by, notify=notify)
    return Outcome.APPLIED


def capture_amount(order: Order, payment: Payment, amount: Decimal, *, by: Any, notify: bool) -> None:
    """Record a payment as captured, and refund what exceeds the amount due. The caller has locked both."""
    payment.status, payment.error, payment.captured_amount = Payment.Status.CAPTURED, "", amount
    save_status(payment, "captured_amount")
    order.paid_amount += amount
    order.save(update_fields=["paid_amount", "updated_at"])
    order_status.update(order, payment, by=by, notify=notify)
    if not order.amount_due:
        watching.check_soon(order)  # the periodic job closes the pages of other attempts
    if order.refund_due:
        refunds.refund_excess(order, payment, min(order.refund_due, amount))


def save_status(payment: Payment, *fields: str) -> None:
    """Save a payment whose status changed, and set when its provider is asked about it next."""
    watching.schedule(payment)
    payment.save(update_fields=["status", "error", *watching.FIELDS, *fields, "updated_at"])


def hold(payment: Payment, message: str) -> None:
    """Hold a payment until staff decide about it. Its order does not expire before that."""
    payment.status, payment.error = Payment.Status.HELD, message[:500]
    save_status(payment)


def set_reference(order: Order, payment: Payment, reference: str) -> bool:
    """Set the reference of a payment, which never changes. If another payment has it, hold this one and return False.

    A payment that was held because its reference was not known is open again.
    """
    if not Payment.objects.filter(provider=payment.provider, provider_reference=reference).exists():
        payment.provider_reference = reference
        if payment.status == Payment.Status.HELD:
            payment.status, payment.error = Payment.Status.PENDING, ""
        save_status(payment, "provider_reference")
        return True
    text = _("%(provider)s gave this payment the reference of another one: %(reference)s. %(what_to_do)s")
    what_to_do = _("Look at the provider's page, and record what was paid for this order.")
    values = {"provider": payment.provider, "reference": reference, "what_to_do": what_to_do}
    hold(payment, text % values)
    events.record(order, "payment_held", is_public=False, message=text % values)
    return False


def _apply_captured(
    order: Order,
    payment: Payment,
    *,
    amount: Decimal | None,
    currency: str,
    receipt: str,
    by: Any,
    notify: bool,
) -> ProviderEvent.Outcome:
    if payment.status == Payment.Status.HELD:
        return Outcome.IGNORED
    is_captured = payment.status == Payment.Status.CAPTURED
    expected = payment.captured_amount if is_captured else payment.amount
    reported = expected if amount is None else amount
    if reported != expected or (currency and currency != payment.currency):
        message = _wrong_amount(payment, reported=reported, currency=currency, expected=expected)
        if not order.events.filter(kind="payment_held", message=message).exists():
            events.record(order, "payment_held", is_public=False, message=message)
        if not is_captured:
            hold(payment, message)
        return Outcome.HELD
    if is_captured:
        return Outcome.IGNORED
    if amount is None and not receipt and receipts.hold_if_counted(order, payment):
        return Outcome.HELD
    if amount is None:
        events.record(order, "payment_amount_unknown", is_public=False, message=_unknown_amount(payment))
    capture_amount(order, payment, reported, by=by, notify=notify)
    return Outcome.APPLIED


def _wrong_amount(payment: Payment, *, reported: Decimal, currency: str, expected: Decimal) -> str:
    return _("%(provider)s reports %(reported)s %(currency)s; expected: %(expected)s %(expected_currency)s.") % {
        "provider": payment.provider,
        "reported": reported,
        "currency": currency or payment.currency,
        "expected": as_text(expected, payment.currency),
        "expected_currency": payment.currency,
    }


def _unknown_amount(payment: Payment) -> str:
    text = _("%(provider)s reports a payment without an amount. The amount due was recorded: %(amount)s %(currency)s.")
    amount = as_text(payment.amount, payment.currency)
    return text % {"provider": payment.provider, "amount": amount, "currency": payment.currency}
