"""Applies the refunds that a provider reports. A refund is matched by our id or by the provider's reference, never by
its amount or by the order in which reports arrive. What cannot be matched or recorded is held for staff.

The callers have locked the order and the payment.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from shop_core.money import as_text

from shop_orders import crediting, events
from shop_orders.models import Credit, Order, Payment, ProviderEvent, Refund
from shop_orders.payment_providers import PaymentState, RefundState
from shop_orders.payments import order_status, provider_events, refund_messages

Outcome = ProviderEvent.Outcome
Status = Refund.Status

RECENTLY = timedelta(days=1)
"""For this long after a refund changed, the provider's total may be out of date."""
MAX_ATTEMPTS = 6
"""After this many attempts, a reported refund that the provider does not list is held for staff."""
UNDER_WAY = Q(status=Status.PENDING) | Q(status=Status.QUEUED, attempts__gt=0)
"""Refunds that were sent and have no final result. A refund that was never sent cannot be in a provider's total."""


def apply_event(order: Order, payment: Payment, row: ProviderEvent) -> ProviderEvent.Outcome:
    """Apply an event about a refund. It waits if we do not know the refund: then the provider has to be asked."""
    refund = _named(order, payment, row)
    if refund is not None:
        row.payment = payment = refund.payment
    if payment.status != Payment.Status.CAPTURED:
        return Outcome.WAITING
    if refund is not None and refund.status == Status.QUEUED and not refund.attempts:
        return _hold(order, row, _("This refund was not sent yet."))
    if row.kind == "refund_failed":
        return _apply_failure(order, payment, refund, row)
    if refund is None:
        return Outcome.IGNORED if _is_recorded(payment, row) else Outcome.WAITING
    is_unnamed = not refund.provider_reference
    refund.provider_reference = refund.provider_reference or row.refund_reference
    if refund.status == Status.FAILED:
        return Outcome.WAITING
    if refund.status == Status.SUCCEEDED:
        if is_unnamed and row.refund_reference:
            refund.save(update_fields=["provider_reference", "updated_at"])
        return Outcome.IGNORED
    return Outcome.APPLIED if succeed(order, payment, refund) else Outcome.HELD


def settle_event(
    order: Order, payment: Payment, row: ProviderEvent, state: PaymentState, *, fetched_at: datetime
) -> ProviderEvent.Outcome:
    """Decide about an event that waited, by the state that was fetched from the provider."""
    if payment.status != Payment.Status.CAPTURED:
        return Outcome.WAITING
    if state.refunds is None:
        return apply_total(order, payment, row, state)
    refunded_before = payment.refunded_amount
    apply_list(order, payment, state, fetched_at=fetched_at)
    refund = _named(order, payment, row)
    if refund is not None:
        is_open = refund.status == Status.QUEUED or refund.updated_at >= fetched_at
        changed = Outcome.APPLIED if payment.refunded_amount != refunded_before else Outcome.IGNORED
        return Outcome.WAITING if is_open and changed == Outcome.IGNORED else changed
    if not (row.refund_id or row.refund_reference):
        return Outcome.IGNORED if payment.refunded_amount == refunded_before else Outcome.APPLIED
    if payment.inbox.filter(outcome=Outcome.HELD, refund_reference=row.refund_reference).exists():
        return Outcome.HELD
    if row.attempts < MAX_ATTEMPTS:
        return Outcome.WAITING
    return _hold(order, row, _("%(provider)s reports a refund that it does not list for this payment."))


def apply_list(order: Order, payment: Payment, state: PaymentState, *, fetched_at: datetime) -> None:
    """Apply the refunds that the provider lists. One that changed here after ``fetched_at`` is left as it is."""
    is_our_currency = state.currency in ("", payment.currency)
    for listed in state.refunds or ():
        refund = _listed(payment, listed)
        if refund is None:
            _add_listed(order, payment, listed, is_our_currency=is_our_currency)
        elif refund.updated_at < fetched_at:
            _apply_listed(order, payment, refund, listed, is_our_currency=is_our_currency)


def apply_total(order: Order, payment: Payment, row: ProviderEvent, state: PaymentState) -> ProviderEvent.Outcome:
    """Compare a total without ids with the recorded refunds.

    The event waits while a refund is under way or has failed lately. If the total still differs after that, the event
    is held until staff record what was refunded at the provider.
    """
    if _agrees(payment, state):
        close_totals(payment, state)
        return Outcome.IGNORED
    since = timezone.now() - RECENTLY
    may_differ = UNDER_WAY | Q(status=Status.FAILED, updated_at__gt=since)
    if state.refunded is not None and state.refunded < refunded(payment):
        may_differ |= Q(updated_at__gt=since)
    if payment.refunds.filter(may_differ).exists():
        return Outcome.WAITING
    if state.refunded is not None:
        row.amount, row.currency = state.refunded, state.currency or payment.currency
        row.save(update_fields=["amount", "currency"])
    return _hold(order, row, _("%(provider)s reports %(total)s as refunded in total; %(recorded)s are recorded here."))


def close_totals(payment: Payment, state: PaymentState) -> None:
    """Close held reports that name no refund if the provider's total equals the recorded one: staff have nothing to
    decide. If the totals differ again later, a report is held again."""
    if state.refunds is None and _agrees(payment, state):
        unnamed = ProviderEvent.objects.filter(payment=payment, kind="refunded", refund_id="", refund_reference="")
        unnamed.filter(outcome=Outcome.HELD).update(outcome=Outcome.IGNORED, detail="")


def is_undecided(row: ProviderEvent) -> bool:
    """Whether a report may be held. One that has a ``detail`` and is no longer held was decided by staff."""
    return row.outcome != Outcome.HELD and not row.detail


def differing_total(payment: Payment, state: PaymentState) -> ProviderEvent | None:
    """The event for a fetched total of refunds that differs from the recorded one; None if they agree."""
    if state.refunds is not None or state.refunded is None or payment.status != Payment.Status.CAPTURED:
        return None
    if _agrees(payment, state):
        return None
    return _event_of_state(payment, f"total:{state.refunded}", amount=state.refunded, currency=state.currency)


def record_made_at_provider(
    order: Order,
    payment: Payment,
    amount: Decimal,
    *,
    status: str = Status.SUCCEEDED,
    reference: str = "",
    reason: str = "",
    by: Any = None,
    notify: bool = True,
) -> Refund:
    """Record a refund that was made on the provider's pages. What exceeds ``refund_due`` is credited.

    The amount is at most what is left of the payment. Unsent refunds that no longer fit into the captured amount fail
    first. Their credits stay, and cover this refund.
    """
    make_room(order, payment, amount)
    _fail_refunds_of_surplus(order, amount)
    above = amount - min(amount, order.refund_due)
    refund = Refund.objects.create(
        payment=payment,
        amount=amount,
        status=Status.PENDING,
        reason=reason[:500] or _("Refunded at the provider."),
        provider_reference=reference,
        actor=by,
        notify=notify,
    )
    crediting.add_credit(order, above, kind=Credit.Kind.GOODWILL, reason=refund.reason, by=by, refund=refund)
    if status == Status.SUCCEEDED:
        succeed(order, payment, refund)
    else:
        order_status.update(order, payment, by=by, notify=False)
    return refund


def refunded(payment: Payment) -> Decimal:
    """What was refunded, without the money of disputes, which a provider's total of refunds does not include."""
    disputed = payment.refunds.filter(kind=Refund.Kind.DISPUTE, status=Status.SUCCEEDED).values_list(
        "amount", flat=True
    )
    return payment.refunded_amount - sum(disputed, Decimal(0))


def succeed(order: Order, payment: Payment, refund: Refund) -> bool:
    """Record that a refund was made. Returns False, and keeps it pending, if the payment has less left."""
    if refund.amount > payment.refundable_amount:
        _keep_pending(order, payment, refund)
        return False
    refund.status, refund.error = Status.SUCCEEDED, ""
    refund.save(update_fields=["status", "error", "provider_reference", "updated_at"])
    payment.refunded_amount += refund.amount
    payment.save(update_fields=["refunded_amount", "updated_at"])
    order.refunded_amount += refund.amount
    order.save(update_fields=["refunded_amount", "updated_at"])
    _close_held(order, payment, refund)
    order_status.update(order, payment, by=refund.actor, notify=False)
    refund_messages.announce(order, refund)
    return True


def fail(order: Order, payment: Payment, refund: Refund, error: str) -> None:
    """Mark a refund as failed and stop counting it, perhaps days after it succeeded.

    Its credit stays, so the money shows as ``refund_due`` again.
    """
    if refund.status == Status.SUCCEEDED:
        payment.refunded_amount -= refund.amount
        payment.save(update_fields=["refunded_amount", "updated_at"])
        order.refunded_amount -= refund.amount
        order.save(update_fields=["refunded_amount", "updated_at"])
    refund.status, refund.error, refund.is_announced = Status.FAILED, error[:500], False
    refund.save(update_fields=["status", "error", "is_announced", "provider_reference", "updated_at"])
    order_status.update(order, payment, notify=False)
    message = _("A refund failed: %(error)s") % {"error": error}
    events.record(order, "refund_failed", is_public=False, message=message)
    refund_messages.announce(order, refund)


def _apply_failure(order: Order, payment: Payment, refund: Refund | None, row: ProviderEvent) -> ProviderEvent.Outcome:
    if refund is None:
        is_named = bool(row.refund_id or row.refund_reference)
        if is_named and not _has_refund_without_reference(payment):
            return Outcome.IGNORED  # it was never recorded, so there is nothing to undo
        return _hold(order, row, _("A refund failed that cannot be matched with those recorded here."))
    if refund.status == Status.FAILED:
        return Outcome.IGNORED
    refund.provider_reference = refund.provider_reference or row.refund_reference
    fail(order, payment, refund, row.detail)
    return Outcome.APPLIED


def _apply_listed(
    order: Order, payment: Payment, refund: Refund, listed: RefundState, *, is_our_currency: bool
) -> None:
    refund.provider_reference = refund.provider_reference or listed.reference
    if refund.status == Status.QUEUED and not refund.attempts:
        _hold_listed(order, payment, listed, _("This refund was not sent yet."))
    elif listed.status == "failed":
        if refund.status != Status.FAILED:
            fail(order, payment, refund, listed.error)
    elif is_our_currency and listed.amount != refund.amount:
        _hold_listed(order, payment, listed, _("%(provider)s reports another amount for this refund."))
    elif listed.status == "succeeded":
        if refund.status != Status.SUCCEEDED:
            succeed(order, payment, refund)
    elif refund.status in (Status.QUEUED, Status.FAILED):
        refund.status, refund.error = Status.PENDING, ""
        refund.save(update_fields=["status", "error", "provider_reference", "updated_at"])
        order_status.update(order, payment, notify=False)
        refund_messages.announce(order, refund)


def _add_listed(order: Order, payment: Payment, listed: RefundState, *, is_our_currency: bool) -> None:
    """Record a refund that is not ours, if it cannot be one that is recorded already."""
    if listed.status == "failed" or (not listed.refund_id and _may_be_ours(payment)):
        return
    if not listed.reference or _has_refund_without_reference(payment):
        _hold_listed(order, payment, listed, _("%(provider)s reports a refund that cannot be matched."))
    elif not is_our_currency:
        _hold_listed(order, payment, listed, _("%(provider)s reports a refund in another currency."))
    elif not 0 < listed.amount <= payment.refundable_amount:
        _hold_listed(order, payment, listed, _("A refund is larger than what is left of the payment."))
    else:
        record_made_at_provider(order, payment, listed.amount, status=listed.status, reference=listed.reference)


def make_room(order: Order, payment: Payment, amount: Decimal) -> None:
    """Fail unsent refunds, the newest first, until all refunds and this amount fit into the captured amount."""
    reserving = list(payment.refunds.filter(status__in=Refund.RESERVING).order_by("-id"))
    excess = amount + sum((refund.amount for refund in reserving), Decimal(0)) - payment.captured_amount
    for refund in reserving:
        if excess > 0 and refund.status == Status.QUEUED and not refund.attempts:
            excess -= refund.amount
            fail(order, payment, refund, _("The money was refunded at the provider."))


def _fail_refunds_of_surplus(order: Order, amount: Decimal) -> None:
    """Fail unsent refunds of a surplus that this amount has already returned. Otherwise, after the customer paid
    twice, the surplus would be refunded from each payment.
    """
    unsent = Refund.objects.filter(payment__order=order, status=Status.QUEUED, attempts=0, credits=None)
    for refund in unsent.select_related("payment").order_by("-id"):
        are_all_owed = -order.balance >= order.refunds_under_way
        if are_all_owed and amount - order.refund_due >= refund.amount:
            fail(order, refund.payment, refund, _("The money was refunded at the provider."))


def _keep_pending(order: Order, payment: Payment, refund: Refund) -> None:
    text = _(
        "%(provider)s has made this refund, but it exceeds what is recorded as paid. "
        "Look at the payment on the provider's page, and record what was paid."
    )
    message = text % {"provider": payment.provider}
    is_new = refund.error != message[:500]
    refund.status, refund.error = Status.PENDING, message[:500]
    refund.next_attempt_at = timezone.now() + RECENTLY
    refund.save(update_fields=["status", "error", "provider_reference", "next_attempt_at", "updated_at"])
    refund_messages.announce(order, refund)
    if is_new:
        events.record(order, "payment_held", is_public=False, message=message)


def _named(order: Order, payment: Payment, row: ProviderEvent) -> Refund | None:
    """The refund that an event names, of this payment or of another one of its order."""
    refunds = Refund.objects.filter(payment__order=order, payment__provider=payment.provider)
    found = provider_events.refunds_named(refunds, row.refund_id, row.refund_reference).first()
    if found is None and row.refund_reference:
        found = refunds.filter(provider_reference=row.refund_reference).first()
    if found is not None:
        is_same = found.payment_id == payment.pk
        found.payment = payment if is_same else Payment.objects.select_for_update().get(pk=found.payment_id)
    return found


def _listed(payment: Payment, listed: RefundState) -> Refund | None:
    found = provider_events.refunds_named(payment.refunds.all(), listed.refund_id, listed.reference).first()
    if found is None and listed.reference:
        found = payment.refunds.filter(provider_reference=listed.reference).first()
    return found


def _agrees(payment: Payment, state: PaymentState) -> bool:
    """Whether a total of refunds is the recorded one. In another currency, only whether both are zero is compared."""
    if state.refunded is None:
        return False
    if state.currency in ("", payment.currency):
        return state.refunded == refunded(payment)
    return (state.refunded > 0) == (refunded(payment) > 0)


def _has_refund_without_reference(payment: Payment) -> bool:
    """Whether staff recorded a refund made at the provider without its reference: it could be any that is listed."""
    recorded = payment.refunds.filter(kind=Refund.Kind.REFUND, status=Status.SUCCEEDED, attempts=0)
    return recorded.filter(provider_reference="").exists()


def _may_be_ours(payment: Payment) -> bool:
    """Whether a refund that is listed without our id may be one that was sent and whose reference is not known yet."""
    return payment.refunds.filter(UNDER_WAY, provider_reference="").exists()


def _is_recorded(payment: Payment, row: ProviderEvent) -> bool:
    """Whether an event that names no refund reports a total that is already recorded."""
    if row.refund_id or row.refund_reference or row.currency not in ("", payment.currency):
        return False
    return (payment.captured_amount if row.amount is None else row.amount) <= refunded(payment)


def _hold(order: Order, row: ProviderEvent, text: str) -> ProviderEvent.Outcome:
    payment = row.payment
    assert payment is not None  # noqa: S101 - the callers have found it
    what_to_do = _("Look at the payment on the provider's page, then record what was refunded there.")
    values = {
        "provider": payment.provider,
        "total": ""
        if row.amount is None
        else f"{as_text(row.amount, payment.currency)} {row.currency or payment.currency}",
        "recorded": f"{as_text(refunded(payment), payment.currency)} {payment.currency}",
    }
    row.detail = f"{text % values} {what_to_do}"[:500]
    row.save(update_fields=["detail"])
    events.record(order, "payment_held", is_public=False, message=row.detail)
    return Outcome.HELD


def _hold_listed(order: Order, payment: Payment, listed: RefundState, text: str) -> None:
    """Hold a refund from the provider's list for staff, once."""
    name = f"{listed.refund_id}:{listed.reference}:{listed.status}:{listed.amount}"
    row = _event_of_state(
        payment, name, amount=listed.amount, refund_id=listed.refund_id, refund_reference=listed.reference
    )
    if is_undecided(row):
        row.outcome = _hold(order, row, text)
        row.save(update_fields=["outcome"])


def _close_held(order: Order, payment: Payment, refund: Refund) -> None:
    """Close the held reports of a refund that has now been recorded. Totals are compared at the next check."""
    held = ProviderEvent.objects.filter(payment__order=order, kind="refunded", outcome=Outcome.HELD)
    is_named = Q(refund_id=str(refund.public_id))
    if refund.provider_reference:
        is_named |= Q(refund_reference=refund.provider_reference)
    is_equal = Q(amount=None) | Q(amount=refund.amount)
    held.filter(is_named, is_equal, provider=payment.provider).update(outcome=Outcome.APPLIED, detail="")
    if held.filter(payment=payment, refund_id="", refund_reference="").exists():
        payment.next_check_at = timezone.now()
        payment.save(update_fields=["next_check_at"])


def _event_of_state(payment: Payment, name: str, **values: Any) -> ProviderEvent:
    row, _is_new = provider_events.record_state(
        payment, "fetched:", name, kind="refunded", outcome=Outcome.WAITING, **values
    )
    row.payment = payment
    return row
