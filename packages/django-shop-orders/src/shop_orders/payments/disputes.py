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


def resolve(order: Order, payment: Payment, reference: str, amount: Decimal, *, is_lost: bool, reason: str) -> str:
    """Record what staff have seen on the provider's page about a dispute. Returns what staff have to know about it.

    Raises:
        RefundTooLarge: the amount exceeds what is left of the payment.
    """
    row = _recorded(payment, reference)
    before = _counted(row)
    if amount > before + payment.refundable_amount:
        left = quantise(before + payment.refundable_amount, payment.currency)
        raise RefundTooLarge(refundable=left, currency=payment.currency)
    status: Literal["lost", "open"] = "lost" if is_lost else "open"
    seen = DisputeState(reference=reference, amount=amount, status=status, is_withdrawn=bool(amount), reason=reason)
    not_credited = _count(order, payment, row, seen)
    _close(payment, reference, Outcome.APPLIED if amount else Outcome.IGNORED)
    return _text_of_rest(payment, not_credited)


def _changed_since(payment: Payment, reference: str, fetched_at: datetime) -> bool:
    """Whether another process has applied a state of this dispute that may be newer than the one fetched then."""
    rows = payment.refunds.filter(kind=Refund.Kind.DISPUTE, provider_reference=reference, updated_at__gte=fetched_at)
    known = payment.inbox.filter(
        kind=KIND, refund_reference=reference, received_at__gte=fetched_at, provider_event_id__startswith=PREFIX
    )
    return rows.exists() or known.exists()


def _apply(order: Order, payment: Payment, listed: DisputeState, *, is_our_currency: bool) -> bool:
    row = _recorded(payment, listed.reference)
    before, not_credited, problem = _counted(row), Decimal(0), ""
    if not listed.is_withdrawn or (is_our_currency and 0 < listed.amount <= before + payment.refundable_amount):
        not_credited = _count(order, payment, row, listed)
        _close(payment, listed.reference, Outcome.APPLIED)
    elif row is not None and before:  # the amount that was counted stays, such as one that staff entered
        not_credited = _credit(order, row, is_lost=listed.status == "lost", is_raised=False)
    else:
        problem = _("The dispute could not be recorded: look at it on the provider's page, then enter its state here.")
    return _record_for_staff(order, payment, listed, problem=problem, rest=_text_of_rest(payment, not_credited))


def _recorded(payment: Payment, reference: str) -> Refund | None:
    return payment.refunds.filter(kind=Refund.Kind.DISPUTE, provider_reference=reference).first()


def _counted(row: Refund | None) -> Decimal:
    """The money of a dispute that counts as refunded."""
    return row.amount if row is not None and row.status == Status.SUCCEEDED else Decimal(0)


def _count(order: Order, payment: Payment, row: Refund | None, state: DisputeState) -> Decimal:
    """Count as refunded what the provider has taken back and not paid out again, and credit it if the dispute is lost.

    Returns what could not be credited. The caller has checked that the amount is not more than is left of the payment.
    """
    before, after = _counted(row), state.amount if state.is_withdrawn else Decimal(0)
    if after > before:
        refund_results.make_room(order, payment, after - before)
    if row is None and after:
        row = Refund(payment=payment, kind=Refund.Kind.DISPUTE, notify=False, is_announced=True)
        row.provider_reference, row.reason = state.reference, state.reason[:500]
    if row is None:
        return Decimal(0)
    if after != before:
        if after:
            row.amount, row.status, row.error = after, Status.SUCCEEDED, ""
        else:
            row.status, row.error = Status.FAILED, _("The money was paid out again.")
        row.save()
        for each in (payment, order):
            each.refunded_amount += after - before
            each.save(update_fields=["refunded_amount", "updated_at"])
        order_status.update(order, payment, notify=False, is_public=False)
    return _credit(order, row, is_lost=state.status == "lost", is_raised=after > before)


def _close(payment: Payment, reference: str, outcome: ProviderEvent.Outcome) -> None:
    """Close the events of a dispute that staff no longer have to decide about."""
    payment.inbox.filter(kind=KIND, refund_reference=reference, outcome=Outcome.HELD).update(outcome=outcome)


def _credit(order: Order, row: Refund, *, is_lost: bool, is_raised: bool) -> Decimal:
    """Credit a lost dispute: the shop does not ask the customer for the money again. Returns what was not credited,
    since the customer did not owe that much.

    This is decided once: what the customer owes later is not credited. ``is_raised``: more of the dispute is counted
    than before, so that the rest is credited too. Money that is paid out again afterwards is no longer credited,
    except where the order was cancelled: then it has to be refunded.
    """
    given = sum(row.credits.values_list("amount", flat=True), Decimal(0))
    kept = row.amount if row.status == Status.SUCCEEDED else Decimal(0)
    not_credited = Decimal(0)
    if is_lost and kept > given and (is_raised or not row.is_loss_decided):
        row.is_loss_decided = True
        row.save(update_fields=["is_loss_decided", "updated_at"])
        wanted, reason = kept - given, _("The dispute was lost.")
        owed = min(wanted, order.amount_due)
        not_credited = wanted - crediting.add_credit(order, owed, kind=Credit.Kind.GOODWILL, reason=reason, refund=row)
    elif given > kept and order.status != OrderStatus.CANCELLED:
        crediting.take_back(order, row, given - kept, reason=_("The money was paid out again."))
    else:
        return not_credited
    lifecycle.update_after_credit(order, by=None)
    return not_credited


def _record_for_staff(order: Order, payment: Payment, listed: DisputeState, *, problem: str, rest: str) -> bool:
    """Record each state of a dispute once in the timeline, with what staff have to do, and ``rest``, what was not
    credited. Returns whether the state is new."""
    state = f"{listed.reference}:{listed.status}:{listed.is_withdrawn}:{listed.amount}:{listed.respond_by}"
    message = " ".join(filter(None, (_text(payment, listed), problem, rest)))
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
    if is_new or rest:
        events.record(order, "payment_disputed", is_public=False, message=message)
    return is_new


def _text_of_rest(payment: Payment, not_credited: Decimal) -> str:
    if not not_credited:
        return ""
    text = _("%(amount)s %(currency)s of it was not credited, because the customer did not owe that much.")
    return text % {"amount": as_text(not_credited, payment.currency), "currency": payment.currency}


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
