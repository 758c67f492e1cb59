"""Disputes: a customer has asked their bank to return a payment. The provider takes the money back at once, and pays
it out again if the shop wins.

Money that was taken back counts as refunded, without a credit, so the account agrees with the provider. Customers
get no message about it. The callers have locked the order and the payment.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from shop_core.money import as_text, quantise

from shop_orders import crediting, events, lifecycle
from shop_orders.exceptions import RefundTooLarge
from shop_orders.models import Credit, Order, OrderStatus, Payment, ProviderEvent, Refund
from shop_orders.payment_providers import DisputeState, PaymentState, label_of
from shop_orders.payments import order_status, provider_events, refund_results

Outcome = ProviderEvent.Outcome
Status = Refund.Status
KIND = "disputed"
PREFIX = "dispute:"
"""The ids of the events that represent states of disputes start with it. No provider's event ids do."""


def settle_event(
    order: Order, payment: Payment, row: ProviderEvent, state: PaymentState, *, fetched_at: datetime
) -> ProviderEvent.Outcome:
    """Decide about an event of a dispute by the state that was fetched from the provider."""
    if payment.status != Payment.Status.CAPTURED:
        return Outcome.WAITING
    if any(listed.reference == row.refund_reference for listed in state.disputes or ()):
        if _changed_since(payment, row.refund_reference, fetched_at):
            return Outcome.WAITING
        is_changed = apply_list(order, payment, state, fetched_at=fetched_at)
        return Outcome.APPLIED if is_changed else Outcome.IGNORED
    if state.disputes is not None and row.attempts < refund_results.MAX_ATTEMPTS:
        return Outcome.WAITING
    text = _(
        "%(provider)s reports a dispute of this payment, but not its state. Look at it on the provider's page, then "
        "enter its state here."
    )
    row.detail = (text % {"provider": label_of(payment.provider)})[:500]
    row.save(update_fields=["detail"])
    events.record(order, "payment_held", is_public=False, message=row.detail)
    return Outcome.HELD


def apply_list(order: Order, payment: Payment, state: PaymentState, *, fetched_at: datetime) -> bool:
    """Apply the disputes that the provider lists, except those that changed here after ``fetched_at``.

    Returns whether anything about them is new.
    """
    is_our_currency = state.currency in ("", payment.currency)
    current = [row for row in state.disputes or () if not _changed_since(payment, row.reference, fetched_at)]
    are_new = [_apply(order, payment, listed, is_our_currency=is_our_currency) for listed in current]
    return any(are_new)


def held(order: Order) -> QuerySet[ProviderEvent]:
    """The events of disputes about which staff have to decide."""
    rows = ProviderEvent.objects.filter(payment__order=order, kind=KIND, outcome=Outcome.HELD)
    return rows.select_related("payment").order_by("id")


def resolve(order: Order, payment: Payment, reference: str, amount: Decimal, *, is_lost: bool, reason: str) -> None:
    """Record what staff have seen on the provider's page about a dispute.

    Raises:
        RefundTooLarge: the amount exceeds what is left of the payment.
    """
    row = payment.refunds.filter(kind=Refund.Kind.DISPUTE, provider_reference=reference).first()
    before = row.amount if row is not None and row.status == Status.SUCCEEDED else Decimal(0)
    if amount > before:
        refund_results.make_room(order, payment, amount - before)
    if amount > payment.refundable_amount + before:
        left = quantise(payment.refundable_amount + before, payment.currency)
        raise RefundTooLarge(refundable=left, currency=payment.currency)
    status: Literal["lost", "open"] = "lost" if is_lost else "open"
    listed = DisputeState(reference=reference, amount=amount, status=status, is_withdrawn=bool(amount), reason=reason)
    if row is not None and amount and before:
        row.amount = amount
        row.save(update_fields=["amount", "updated_at"])
        _count(order, payment, amount - before)
    elif amount:
        row = _take(order, payment, listed, row)
    elif row is not None and before:
        _correct(order, payment, row, listed)
    if row is not None:
        _credit(order, row, is_lost=is_lost, is_raised=amount > before)
    decided = payment.inbox.filter(kind=KIND, refund_reference=reference, outcome=Outcome.HELD)
    decided.update(outcome=Outcome.APPLIED if amount else Outcome.IGNORED)


def _changed_since(payment: Payment, reference: str, fetched_at: datetime) -> bool:
    """Whether another process has applied a state of this dispute that may be newer than the one fetched then."""
    rows = payment.refunds.filter(kind=Refund.Kind.DISPUTE, provider_reference=reference, updated_at__gte=fetched_at)
    known = payment.inbox.filter(
        kind=KIND, refund_reference=reference, received_at__gte=fetched_at, provider_event_id__startswith=PREFIX
    )
    return rows.exists() or known.exists()


def _apply(order: Order, payment: Payment, listed: DisputeState, *, is_our_currency: bool) -> bool:
    taken = payment.refunds.filter(kind=Refund.Kind.DISPUTE, provider_reference=listed.reference).first()
    is_taken = taken is not None and taken.status == Status.SUCCEEDED
    problem = ""
    if listed.is_withdrawn and not is_taken:
        refund_results.make_room(order, payment, listed.amount)
        if is_our_currency and 0 < listed.amount <= payment.refundable_amount:
            taken = _take(order, payment, listed, taken)
        else:
            problem = _(
                "The dispute could not be recorded: look at it on the provider's page, then enter its state here."
            )
    elif is_taken and taken is not None and (is_our_currency or not listed.is_withdrawn):
        _correct(order, payment, taken, listed)  # an amount in another currency was entered by staff, and stays
    if taken is not None:
        _credit(order, taken, is_lost=listed.status == "lost")
    return _record_for_staff(order, payment, listed, problem)


def _take(order: Order, payment: Payment, listed: DisputeState, row: Refund | None) -> Refund:
    """Count the money of a dispute as refunded."""
    if row is None:
        row = Refund(payment=payment, kind=Refund.Kind.DISPUTE, notify=False, is_announced=True)
        row.provider_reference, row.reason = listed.reference, listed.reason[:500]
    row.amount, row.status, row.error = listed.amount, Status.SUCCEEDED, ""
    row.save()
    _count(order, payment, row.amount)
    return row


def _correct(order: Order, payment: Payment, row: Refund, listed: DisputeState) -> None:
    """Stop counting the money of a dispute that the provider has paid out again, all or some of it."""
    before = row.amount
    if not listed.is_withdrawn:
        row.status, row.error = Status.FAILED, _("The money was paid out again.")
    elif 0 < listed.amount < before:
        row.amount = listed.amount
    else:
        return
    row.save(update_fields=["amount", "status", "error", "updated_at"])
    _count(order, payment, row.amount - before if listed.is_withdrawn else -before)


def _count(order: Order, payment: Payment, amount: Decimal) -> None:
    for row in (payment, order):
        row.refunded_amount += amount
        row.save(update_fields=["refunded_amount", "updated_at"])
    order_status.update(order, payment, notify=False, is_public=False)


def _credit(order: Order, row: Refund, *, is_lost: bool, is_raised: bool = False) -> None:
    """Credit a lost dispute once: the shop does not ask the customer for the money again. ``is_raised``: staff have
    entered more than before, so that the rest is credited too.

    Money that is paid out again afterwards is no longer credited, except where the order was cancelled: then it has to
    be refunded.
    """
    given = sum(row.credits.values_list("amount", flat=True), Decimal(0))
    kept = row.amount if row.status == Status.SUCCEEDED else Decimal(0)
    if is_lost and kept > given and (is_raised or not given):
        crediting.add_credit(
            order,
            min(kept - given, order.amount_due),
            kind=Credit.Kind.GOODWILL,
            reason=_("The dispute was lost."),
            refund=row,
        )
    elif given > kept and order.status != OrderStatus.CANCELLED:
        crediting.take_back(order, row, given - kept, reason=_("The money was paid out again."))
    else:
        return
    lifecycle.update_after_credit(order, by=None)


def _record_for_staff(order: Order, payment: Payment, listed: DisputeState, problem: str) -> bool:
    """Record each state of a dispute once in the timeline, with what staff have to do. Returns whether it is new."""
    state = f"{listed.reference}:{listed.status}:{listed.is_withdrawn}:{listed.amount}:{listed.respond_by}"
    message = f"{_text(payment, listed)} {problem}".strip()
    _row, is_new = provider_events.record_state(
        payment,
        PREFIX,
        state,
        kind=KIND,
        refund_reference=listed.reference,
        amount=listed.amount,
        detail=message[:500],
        outcome=Outcome.HELD if problem else Outcome.APPLIED,
    )
    if is_new:
        events.record(order, "payment_disputed", is_public=False, message=message)
    return is_new


def _text(payment: Payment, listed: DisputeState) -> str:
    if listed.status == "won":
        text = _("The dispute was won: %(amount)s %(currency)s.")
        if listed.is_withdrawn:
            text = _("The dispute was won. %(provider)s will pay out %(amount)s %(currency)s again.")
    elif listed.status == "lost" and not listed.is_withdrawn:
        text = _(
            "The dispute was lost, but %(provider)s has paid out %(amount)s %(currency)s again. Compare the payment "
            "with its page."
        )
    elif listed.status == "lost":
        text = _(
            "The dispute was lost: %(amount)s %(currency)s stays with the customer, who owes nothing for it. Do not "
            "refund it again. Return goods to stock if they come back."
        )
    elif listed.is_withdrawn:
        text = _(
            "The customer disputes this payment with their bank, and %(amount)s %(currency)s was taken back. Respond "
            "on the page of %(provider)s%(until)s. Do not refund it, and do not send goods that are not shipped yet."
        )
    else:
        text = _(
            "The customer's bank asks about %(amount)s %(currency)s of this payment. Respond on the page of "
            "%(provider)s%(until)s. If the customer is right, refund the payment instead."
        )
    until = _(" until %(date)s") % {"date": listed.respond_by.date().isoformat()} if listed.respond_by else ""
    values = {"amount": as_text(listed.amount, payment.currency), "currency": payment.currency, "until": until}
    return text % {**values, "provider": label_of(payment.provider)}
