"""The inbox of payment providers: each event is processed once. Duplicates and out-of-order delivery are safe.

An event waits if an event that comes before it has not arrived yet, or if the provider has not confirmed it. An event
for an unknown payment is stored too, and applied when the payment becomes known.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from shop_core.money import as_text

from shop_orders import events, lifecycle
from shop_orders.models import Order, Payment, ProviderEvent
from shop_orders.payment_providers import PaymentEvent, PaymentState
from shop_orders.payments import account, refund_results
from shop_orders.transactions import in_transaction

Outcome = ProviderEvent.Outcome
UNDECIDED = (Outcome.RECEIVED, Outcome.WAITING, Outcome.UNMATCHED)
UNCONFIRMED_KEY = "is_claim"
"""This key in an event's ``data`` is true while the provider has not confirmed the event."""


@in_transaction(ProviderEvent)
def apply_event(alias: str, event: PaymentEvent) -> ProviderEvent:
    """Process a provider event once. Duplicates and out-of-order delivery are safe.

    Returns the stored event; its ``outcome`` says how it was handled.
    """
    payment = _match(alias, event.reference, event.payment_id, event.refund_id)
    order = lifecycle.lock(payment.order_id) if payment else None
    row = _store(alias, event, payment)
    if row.outcome not in UNDECIDED:
        return row
    if payment is None or order is None:
        row.outcome = Outcome.UNMATCHED
        row.save(update_fields=["outcome"])
        return row
    if event.is_confirmed:
        row.data.pop(UNCONFIRMED_KEY, None)
    return _apply(order, Payment.objects.select_for_update().get(pk=payment.pk), row)


def unconfirmed(order_id: int | None = None) -> QuerySet[ProviderEvent]:
    """Waiting events that the provider has not confirmed, of one order or of all."""
    of_order = Q() if order_id is None else Q(payment__order_id=order_id)
    rows = ProviderEvent.objects.filter(of_order, **{f"data__{UNCONFIRMED_KEY}": True}, outcome=Outcome.WAITING)
    return rows.select_related("payment").order_by("id")


@in_transaction(ProviderEvent)
def confirm(row_id: int, state: PaymentState, *, fetched_at: datetime) -> ProviderEvent:
    """Replace an unconfirmed event by the ``state`` that was fetched from the provider, and apply it.

    If the state has no amount, the event's amount is used. An event that reports a total of refunds stays unconfirmed
    if a refund failed after ``fetched_at``; it is held for staff if the state has no such total.
    """
    order_id = ProviderEvent.objects.values_list("payment__order_id", flat=True).get(pk=row_id)
    order = lifecycle.lock(order_id)
    payment = Payment.objects.select_for_update().get(inbox=row_id)
    row = ProviderEvent.objects.select_for_update(of=("self",)).get(pk=row_id)
    if row.outcome != Outcome.WAITING:
        return row
    if row.kind == "refunded":
        return _confirm_refunds(order, payment, row, state, fetched_at=fetched_at)
    amount = row.amount if row.kind == state.status else None
    row.data = {**row.data, "claimed": row.kind, UNCONFIRMED_KEY: False}
    row.kind, row.detail = state.status, state.error[:500]
    row.amount = amount if state.captured is None else state.captured  # type: ignore[assignment]
    row.save(update_fields=["kind", "amount", "detail", "data"])
    return _apply(order, payment, row)


def apply_early_events(order: Order, payment: Payment) -> None:
    """Apply the events that arrived before their payment's reference was known. The caller has locked both rows."""
    early = ProviderEvent.objects.select_for_update().filter(
        provider=payment.provider, outcome=Outcome.UNMATCHED, provider_reference=payment.provider_reference or None
    )
    for row in early.order_by("id"):
        row.payment = payment
        _apply(order, payment, row)


def retry_waiting(*, limit: int) -> None:
    """Try again to apply events that arrived before their payment was known or captured, the newest first."""
    retryable = Q(outcome=Outcome.UNMATCHED) | Q(outcome=Outcome.WAITING, payment__status=Payment.Status.CAPTURED)
    for row in ProviderEvent.objects.filter(retryable).select_related("payment").order_by("-id")[:limit]:
        if row.payment or _match(row.provider, row.provider_reference):
            apply_event(row.provider, _as_event(row))


def _confirm_refunds(
    order: Order, payment: Payment, row: ProviderEvent, state: PaymentState, *, fetched_at: datetime
) -> ProviderEvent:
    if refund_results.failed(payment).filter(updated_at__gte=fetched_at).exists():
        return row
    row.data = {**row.data, UNCONFIRMED_KEY: False}
    if state.refunded is None:
        refund_results.record_doubtful_total(order, payment, row.amount)
        row.outcome = Outcome.HELD
        row.save(update_fields=["data", "outcome"])
        return row
    row.amount, row.currency = state.refunded, state.currency
    row.save(update_fields=["amount", "currency", "data"])
    return _apply(order, payment, row)


def _apply(order: Order, payment: Payment, row: ProviderEvent) -> ProviderEvent:
    if row.provider_reference and not payment.provider_reference:
        payment.provider_reference = row.provider_reference
        payment.save(update_fields=["provider_reference", "updated_at"])
    if (
        row.kind == "refunded"
        and UNCONFIRMED_KEY not in row.data
        and refund_results.may_include_failed(payment, row.amount)
    ):
        row.data[UNCONFIRMED_KEY] = True
    if row.data.get(UNCONFIRMED_KEY):
        row.outcome = Outcome.WAITING
        row.save(update_fields=["outcome", "payment", "data"])
        return row
    if row.kind == "captured":
        payment = _captured_payment(order, payment, row)
    row.payment = payment
    row.outcome = _change_payment(order, payment, row)
    row.save(update_fields=["outcome", "payment", "data"])
    if row.outcome == Outcome.APPLIED and row.kind == "captured":
        for early in payment.inbox.filter(outcome=Outcome.WAITING).order_by("id"):
            _apply(order, payment, early)
    return row


def _change_payment(order: Order, payment: Payment, row: ProviderEvent) -> ProviderEvent.Outcome:
    """Change the payment, or its refund, as the event reports. Returns the event's outcome."""
    if row.kind != "refund_failed":
        return account.apply(order, payment, row.kind, amount=row.amount, currency=row.currency, error=row.detail)
    return refund_results.apply_failure(
        order,
        payment,
        row.data.get("refund_id", ""),
        reference=row.data.get("refund_reference", ""),
        amount=row.amount,
        error=row.detail,
    )


def _captured_payment(order: Order, payment: Payment, row: ProviderEvent) -> Payment:
    """The payment that was captured. If the customer paid twice, a second payment is created and returned."""
    reference = row.provider_reference
    if not reference or reference == payment.provider_reference:
        return payment
    if payment.status not in (Payment.Status.CAPTURED, Payment.Status.HELD):
        payment.provider_reference = reference
        payment.save(update_fields=["provider_reference", "updated_at"])
        return payment
    second = Payment.objects.create(
        order=order,
        provider=payment.provider,
        amount=payment.amount if row.amount is None else row.amount,
        currency=payment.currency,
        provider_reference=reference,
        status=Payment.Status.PENDING,
    )
    text = _("The same payment was made twice: %(amount)s %(currency)s was paid again, as %(reference)s.")
    message = text % {
        "amount": as_text(second.amount, second.currency),
        "currency": row.currency or second.currency,
        "reference": reference,
    }
    events.record(order, "paid_twice", is_public=False, message=message)
    return second


def _match(alias: str, reference: str, payment_id: str = "", refund_id: str = "") -> Payment | None:
    payments = Payment.objects.filter(provider=alias)
    if reference:
        found = payments.filter(provider_reference=reference).first()
        if found is not None:
            return found
    for field, value in (("public_id", payment_id), ("refunds__public_id", refund_id)):
        try:
            found = payments.filter(**{field: UUID(value)}).first()
        except ValueError:
            continue  # the value is empty, or is the id that another shop with the same account gave to its payment
        if found is not None:
            return found
    return None


def _store(alias: str, event: PaymentEvent, payment: Payment | None) -> ProviderEvent:
    """The stored event, locked. Another process that receives the same event waits at the insert."""
    ProviderEvent.objects.bulk_create(
        [
            ProviderEvent(  # type: ignore[misc]
                provider=alias,
                provider_event_id=event.event_id,
                kind=event.kind,
                payment=payment,
                provider_reference=event.reference,
                amount=event.amount,
                currency=event.currency,
                data={
                    **event.data,
                    **({"refund_id": event.refund_id} if event.refund_id else {}),
                    **({"refund_reference": event.refund_reference} if event.refund_reference else {}),
                    **({} if event.is_confirmed else {UNCONFIRMED_KEY: True}),
                },
                detail=event.error[:500],
            )
        ],
        ignore_conflicts=True,
    )
    row = ProviderEvent.objects.select_for_update().get(provider=alias, provider_event_id=event.event_id)
    if row.payment_id is None and payment is not None:
        row.payment = payment
        row.save(update_fields=["payment"])
    return row


def _as_event(row: ProviderEvent) -> PaymentEvent:
    return PaymentEvent(
        event_id=row.provider_event_id,
        kind=row.kind,  # type: ignore[arg-type]
        reference=row.provider_reference,
        payment_id=str(row.payment.public_id) if row.payment else "",
        refund_id=row.data.get("refund_id", ""),
        refund_reference=row.data.get("refund_reference", ""),
        amount=row.amount,
        currency=row.currency,
        error=row.detail,
        is_confirmed=not row.data.get(UNCONFIRMED_KEY),
    )
