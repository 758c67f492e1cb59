"""The inbox of payment providers: each piece of news counts once, early, late or out of order.

A row waits while what it follows has not come, or while the provider has not confirmed it. One that names a payment
that we do not know is kept too.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from shop_orders import events, lifecycle
from shop_orders.locking import in_transaction
from shop_orders.models import Order, Payment, ProviderEvent
from shop_orders.money import as_text
from shop_orders.payment_providers import PaymentEvent, PaymentState
from shop_orders.payments import account, refunds

Outcome = ProviderEvent.Outcome
UNDECIDED = (Outcome.RECEIVED, Outcome.WAITING, Outcome.UNMATCHED)
CLAIM = "is_claim"
"""In a row's data: the provider has not confirmed the news yet."""


def apply_event(alias: str, event: PaymentEvent) -> ProviderEvent:
    """Take a provider's news in, once. Twice, early, late or out of order changes nothing wrongly.

    The row's ``outcome`` says what became of it.
    """

    def work() -> ProviderEvent:
        payment = _match(alias, event.reference, event.payment_id, event.refund_id)
        order = lifecycle.lock(payment.order_id) if payment else None
        row = _take_in(alias, event, payment)
        if row.outcome not in UNDECIDED:
            return row
        if payment is None or order is None:
            row.outcome = Outcome.UNMATCHED
            row.save(update_fields=["outcome"])
            return row
        if event.is_confirmed:
            row.data.pop(CLAIM, None)
        return _decide(order, Payment.objects.select_for_update().get(pk=payment.pk), row)

    return in_transaction(work)


def claims(order_id: int | None = None) -> QuerySet[ProviderEvent]:
    """News that wait to be confirmed, of all orders or of one."""
    of_order = Q() if order_id is None else Q(payment__order_id=order_id)
    rows = ProviderEvent.objects.filter(of_order, **{f"data__{CLAIM}": True}, outcome=Outcome.WAITING)
    return rows.select_related("payment").order_by("id")


def settle(row_id: int, state: PaymentState, *, asked_at: datetime) -> ProviderEvent:
    """Decide a claim by what the provider says now. An amount that it does not name is taken from the claim.

    A total of refunds stays a claim if one of them failed while the provider was asked, and is held for staff if the
    provider does not name it.
    """

    def work() -> ProviderEvent:
        order_id = ProviderEvent.objects.values_list("payment__order_id", flat=True).get(pk=row_id)
        order = lifecycle.lock(order_id)
        payment = Payment.objects.select_for_update().get(inbox=row_id)
        row = ProviderEvent.objects.select_for_update(of=("self",)).get(pk=row_id)
        if row.outcome != Outcome.WAITING:
            return row
        if row.kind == "refunded":
            return _settle_refunds(order, payment, row, state, asked_at=asked_at)
        amount = row.amount if row.kind == state.status else None
        row.data = {**row.data, "claimed": row.kind, CLAIM: False}
        row.kind, row.detail = state.status, state.error[:500]
        row.amount = amount if state.captured is None else state.captured  # type: ignore[assignment]
        row.save(update_fields=["kind", "amount", "detail", "data"])
        return _decide(order, payment, row)

    return in_transaction(work)


def take_early(order: Order, payment: Payment) -> None:
    """Decide the news of a payment that came before we knew its reference. Order and payment are locked."""
    early = ProviderEvent.objects.select_for_update().filter(
        provider=payment.provider, outcome=Outcome.UNMATCHED, provider_reference=payment.provider_reference or None
    )
    for row in early.order_by("id"):
        row.payment = payment
        _decide(order, payment, row)


def look_again(*, limit: int) -> None:
    """Take news up once more whose payment was unknown, or not paid yet; the newest first."""
    late = Q(outcome=Outcome.UNMATCHED) | Q(outcome=Outcome.WAITING, payment__status=Payment.Status.CAPTURED)
    for row in ProviderEvent.objects.filter(late).select_related("payment").order_by("-id")[:limit]:
        if row.payment or _match(row.provider, row.provider_reference):
            apply_event(row.provider, _as_event(row))


def _settle_refunds(
    order: Order, payment: Payment, row: ProviderEvent, state: PaymentState, *, asked_at: datetime
) -> ProviderEvent:
    if refunds.failed(payment).filter(updated_at__gte=asked_at).exists():
        return row
    row.data = {**row.data, CLAIM: False}
    if state.refunded is None:
        refunds.tell_of_doubt(order, payment, row.amount)
        row.outcome = Outcome.HELD
        row.save(update_fields=["data", "outcome"])
        return row
    row.amount, row.currency = state.refunded, state.currency
    row.save(update_fields=["amount", "currency", "data"])
    return _decide(order, payment, row)


def _decide(order: Order, payment: Payment, row: ProviderEvent) -> ProviderEvent:
    if row.provider_reference and not payment.provider_reference:
        payment.provider_reference = row.provider_reference
        payment.save(update_fields=["provider_reference", "updated_at"])
    if row.kind == "refunded" and CLAIM not in row.data and refunds.is_in_doubt(payment, row.amount):
        row.data[CLAIM] = True
    if row.data.get(CLAIM):
        row.outcome = Outcome.WAITING
        row.save(update_fields=["outcome", "payment", "data"])
        return row
    if row.kind == "captured":
        payment = _paid_with(order, payment, row)
    row.payment = payment
    if row.kind == "refund_failed":
        row.outcome = refunds.note_failure(
            order,
            payment,
            row.data.get("refund_id", ""),
            reference=row.data.get("refund_reference", ""),
            amount=row.amount,
            error=row.detail,
        )
    else:
        row.outcome = account.apply(
            order, payment, row.kind, amount=row.amount, currency=row.currency, error=row.detail
        )
    row.save(update_fields=["outcome", "payment", "data"])
    if row.outcome == Outcome.APPLIED and row.kind == "captured":
        for early in payment.inbox.filter(outcome=Outcome.WAITING).order_by("id"):
            _decide(order, payment, early)
    return row


def _paid_with(order: Order, payment: Payment, row: ProviderEvent) -> Payment:
    """The payment that the money belongs to. Where one attempt was paid twice, the second time is a payment too."""
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
    text = _("The same payment was made twice: %(amount)s %(currency)s came again, as %(reference)s.")
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
            continue  # none, or one of another shop that uses the same account
        if found is not None:
            return found
    return None


def _take_in(alias: str, event: PaymentEvent, payment: Payment | None) -> ProviderEvent:
    """The row of a piece of news, locked; a rival with the same news waits for us at the insert."""
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
                    **({} if event.is_confirmed else {CLAIM: True}),
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
        is_confirmed=not row.data.get(CLAIM),
    )
