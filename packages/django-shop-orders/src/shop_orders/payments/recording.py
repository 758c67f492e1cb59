"""Actions of staff: record payments and refunds, capture a payment, resolve those with an unknown state."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from shop_core.money import MAX_AMOUNT, as_text, quantise

from shop_orders import events, lifecycle
from shop_orders.exceptions import (
    InvalidAmount,
    InvalidInput,
    InvalidTransition,
    NotPayable,
    RefundTooLarge,
    UnknownPaymentProvider,
)
from shop_orders.models import Order, OrderStatus, Payment, Refund, texts
from shop_orders.payment_providers import aliases, label_of, payment_provider, refund_needs_decision
from shop_orders.payments import (
    account,
    amounts,
    checking,
    choosing,
    disputes,
    inbox,
    order_status,
    refund_results,
    states,
    watching,
)
from shop_orders.transactions import in_transaction, outside_transaction


@in_transaction(Payment)
def record_payment(
    order_id: int, *, amount: Decimal | None = None, provider: str = "", by: Any = None, notify: bool = True
) -> Payment:
    """Record money that staff received, for a manual provider such as pay on delivery or bank transfer.

    ``amount`` is the money received; the default is the whole amount due. Money that exceeds what is due, or that
    comes after the order was cancelled or expired, is recorded too: it shows as ``refund_due``.

    Raises:
        NotPayable: the amount is not positive, or no amount is given and nothing is due.
        UnknownPaymentProvider: there is no such provider, or it is not manual.
        InvalidInput: the columns cannot hold the sum.
    """
    order = lifecycle.lock(order_id)
    alias = provider or order.payment_provider
    if alias not in aliases() or not payment_provider(alias).is_manual:
        manual = ", ".join(row.alias for row in choosing.available_providers() if row.is_manual)
        what_to_do = _("Payments can be recorded for: %(aliases)s.") % {"aliases": manual}
        raise UnknownPaymentProvider(alias, what_to_do if manual else "")
    received = order.amount_due if amount is None else _received(order, amount)
    if received <= 0:
        raise NotPayable
    payment = order.payments.filter(provider=alias, amount=received, status__in=Payment.OPEN).first()
    if payment is None:
        payment = Payment.objects.create(
            order=order, provider=alias, amount=received, currency=order.currency, status=Payment.Status.PENDING
        )
    before = order.payment_status
    account.apply(order, payment, "captured", amount=received, currency=order.currency, by=by, notify=notify)
    if order.payment_status == before:  # otherwise the event of the new status says who recorded it
        text = _("%(amount)s %(currency)s (%(provider)s)") % {
            "amount": as_text(received, order.currency),
            "currency": order.currency,
            "provider": label_of(alias),
        }
        events.record(order, "payment_recorded", by=by, is_public=False, message=text)
    return payment


@outside_transaction(Payment)
def capture(payment_id: int, *, by: Any = None, notify: bool = True) -> Payment:
    """Capture the money that a provider has authorised. Capturing a captured payment changes nothing.

    Calls the provider outside of any transaction.

    Raises:
        NotPayable: the payment is not authorised, or its order is cancelled.
        PaymentDeclined, ProviderUnavailable: the provider refused, or its response is not known.
        UnknownPaymentProvider: the provider is not in the settings any more.
    """
    payment = Payment.objects.select_related("order").get(pk=payment_id)
    if payment.status == Payment.Status.CAPTURED:
        return payment
    if payment.status != Payment.Status.AUTHORISED or payment.order.status == OrderStatus.CANCELLED:
        raise NotPayable
    if payment.provider not in aliases():
        checking.report_removed_provider(payment)
        what_to_do = _("Capture the payment on the provider's page, then enter the amount received.")
        raise UnknownPaymentProvider(payment.provider, what_to_do)
    state = payment_provider(payment.provider).capture(
        payment.data, reference=payment.provider_reference, amount=payment.amount, currency=payment.currency
    )
    return states.apply_state(payment_id, state, by=by, notify=notify)


@in_transaction(Refund)
def record_provider_refund(
    payment_id: int,
    *,
    amount: Decimal,
    reference: str = "",
    reason: str = "",
    by: Any = None,
    notify: bool = True,
) -> Refund | None:
    """Record money that was refunded on the provider's own pages and is not recorded here.

    ``reference`` is the provider's id of the refund. Held and waiting events about refunds of the payment are closed;
    with an ``amount`` of 0, nothing else is done.

    Raises:
        NotPayable: the payment was not captured.
        InvalidInput: the amount is negative, or the refund with this reference is recorded already.
        RefundTooLarge: the amount exceeds what is left of the payment.
    """
    texts.check(Refund, reason=reason, provider_reference=reference)
    order, payment = account.lock(payment_id)
    refunded = amounts.exact(amount, payment.currency)
    if payment.status != Payment.Status.CAPTURED:
        raise NotPayable
    if refunded < 0 or (reference and payment.refunds.filter(provider_reference=reference).exists()):
        raise InvalidInput(_("Enter an amount of at least 0, and a refund that is not recorded yet."))
    if refunded > payment.refundable_amount:
        left = quantise(payment.refundable_amount, payment.currency)
        raise RefundTooLarge(refundable=left, currency=payment.currency)
    inbox.close_refunds(payment, were_recorded=bool(refunded))
    if not refunded:
        return None
    return refund_results.record_made_at_provider(
        order, payment, refunded, reference=reference, reason=reason, by=by, notify=notify
    )


@in_transaction(Refund)
def resolve_refund(
    refund_id: int, *, succeeded: bool, reason: str = "", by: Any = None, notify: bool = True
) -> Refund:
    """Record the result of a refund whose provider cannot be asked, or whose result could not be recorded.

    If it failed, its money shows as ``refund_due`` again. ``notify=False`` does not notify the customer.

    Raises:
        InvalidTransition: its result is known, or its provider is still being asked.
        RefundTooLarge: it exceeds what is left of the payment; record what was paid first.
        InvalidInput: the reason is too long, or has a character that cannot be stored.
    """
    texts.check(Refund, reason=reason)
    order, payment = account.lock(Refund.objects.values_list("payment_id", flat=True).get(pk=refund_id))
    refund = Refund.objects.select_for_update(of=("self",)).select_related("payment").get(pk=refund_id)
    if not refund_needs_decision(refund):
        raise InvalidTransition(
            _("The result of this refund is known, or its provider is still being asked about it.")
        )
    if succeeded and refund.amount > payment.refundable_amount:
        left = quantise(payment.refundable_amount, payment.currency)
        raise RefundTooLarge(refundable=left, currency=payment.currency)
    made, not_made = _("Refund of %(amount)s %(currency)s made."), _("Refund of %(amount)s %(currency)s not made.")
    values = {"amount": as_text(refund.amount, payment.currency), "currency": payment.currency}
    message = f"{(made if succeeded else not_made) % values} {reason}".strip()
    events.record(order, "refund_resolved", is_public=False, by=by, message=message)
    refund.notify = refund.notify and notify
    refund.save(update_fields=["notify", "updated_at"])
    if succeeded:
        refund_results.succeed(order, payment, refund)
    else:
        refund_results.fail(order, payment, refund, message)
    return refund


@in_transaction(Refund)
def resolve_dispute(
    payment_id: int,
    *,
    amount: Decimal,
    reason: str,
    reference: str | None = None,
    is_lost: bool = False,
    by: Any = None,
) -> None:
    """Decide about a dispute that is held for review, as the provider's page shows it. The customer gets no message.

    ``amount`` is the money that the provider has taken back and not paid out again, or 0. It counts as refunded;
    with ``is_lost`` it is also credited, so that the customer owes nothing for it. ``reference`` is the provider's id
    of the dispute, empty for one without an id. It can be left out while only one dispute of the payment is held.
    ``reason`` says what staff saw.

    Raises:
        InvalidInput: there is no reason, the amount is negative, or several disputes are held and none is named.
        InvalidTransition: no such dispute is held.
        RefundTooLarge: the amount exceeds what is left of the payment.
    """
    texts.check(Refund, reason=reason, provider_reference=reference or "")
    order, payment = account.lock(payment_id)
    taken = amounts.exact(amount, payment.currency)
    if not reason.strip() or taken < 0:
        raise InvalidInput(_("Enter an amount of at least 0, and what the provider's page shows as the reason."))
    held = disputes.held(order).filter(payment=payment)
    known = sorted(set(held.values_list("refund_reference", flat=True)))
    if len(known) > 1 and reference is None:
        names = ", ".join(name or '""' for name in known)
        raise InvalidInput(_("Several disputes are held. Enter the reference of one: %s") % names)
    if reference is None:
        reference = known[0] if known else ""
    if reference not in known:
        raise InvalidTransition(_("This dispute is not held for review, or was resolved already."))
    rest = disputes.resolve(order, payment, reference, taken, is_lost=is_lost, reason=reason)
    text = _("Dispute resolved: the provider took back %(amount)s %(currency)s. %(reason)s")
    values = {"amount": as_text(taken, payment.currency), "currency": payment.currency, "reason": reason}
    events.record(order, "dispute_resolved", is_public=False, by=by, message=f"{text % values} {rest}".strip())


@in_transaction(Payment)
def resolve(payment_id: int, *, amount: Decimal, by: Any = None, notify: bool = True) -> Payment:
    """Resolve a payment that is held, or that its provider cannot be asked about.

    ``amount`` is the money that the shop received, in the order's currency, or 0.

    If it is less than the amount due, the customer can pay the rest. If it is more, the excess is refunded.

    Raises:
        NotPayable: the payment needs no decision, or the amount is negative.
        InvalidInput: the columns cannot hold the sum.
    """
    order, payment = account.lock(payment_id)
    received = _received(order, amount)
    if not payment.needs_decision or received < 0:
        raise NotPayable
    text = _("%(amount)s %(currency)s were received from a payment that was held: %(error)s")
    values = {"amount": as_text(received, order.currency), "currency": order.currency, "error": payment.error}
    events.record(order, "payment_resolved", is_public=False, by=by, message=text % values)
    if received:
        account.capture_amount(order, payment, received, by=by, notify=notify)
    else:
        payment.status = Payment.Status.CANCELLED
        account.save_status(payment)
        watching.stop(payment)  # staff have entered the result, so the provider is not asked again
        order_status.update(order, payment, by=by, notify=notify)
    return payment


def _received(order: Order, amount: Decimal) -> Decimal:
    """The amount in whole units of the currency, if it can be added to the money of the order."""
    received = amounts.exact(amount, order.currency)
    if order.paid_amount + received > MAX_AMOUNT:
        raise InvalidAmount(_("This amount is larger than the shop can handle."))
    return received
