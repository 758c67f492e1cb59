"""The rows of provider events. They store every field of a ``PaymentEvent``, so that its payment is found later."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from shop_core.db.rows import UNSAFE

from shop_orders.exceptions import InvalidWebhook
from shop_orders.models import Payment, ProviderEvent, Refund
from shop_orders.payment_providers import PaymentEvent

COLUMNS = {
    "event_id": "provider_event_id",
    "kind": "kind",
    "reference": "provider_reference",
    "payment_id": "named_payment",
    "refund_id": "refund_id",
    "refund_reference": "refund_reference",
    "receipt": "receipt",
    "amount": "amount",
    "currency": "currency",
    "error": "detail",
    "data": "data",
    "is_confirmed": "is_confirmed",
}
"""The column of each field of a ``PaymentEvent``."""

MAX_AMOUNT_DIGITS, SMALLEST = 10, Decimal("0.0001")
"""The digits before and behind the decimal point in the column of amounts."""


def store(alias: str, event: PaymentEvent, payment: Payment | None) -> ProviderEvent:
    """The stored event, locked. Another process that receives the same event waits at the insert.

    Raises:
        InvalidWebhook: a value is too long, not printable, or not an amount of money.
    """
    values = values_of(event)
    ProviderEvent.objects.bulk_create(
        [ProviderEvent(provider=alias, payment=payment, **values)], ignore_conflicts=True
    )
    row = ProviderEvent.objects.select_for_update(of=("self",)).get(provider=alias, provider_event_id=event.event_id)
    changes: dict[str, Any] = {}
    if row.payment_id is None and payment is not None:
        changes["payment"] = payment
    if event.is_confirmed and not row.is_confirmed:
        # Confirmed values replace those of an earlier unsigned call, even if its event was held.
        changes |= {**values, "outcome": ProviderEvent.Outcome.RECEIVED}
    if changes:
        for column, value in changes.items():
            setattr(row, column, value)
        row.save(update_fields=list(changes))
    return row


def record_state(payment: Payment, prefix: str, state: str, **values: Any) -> tuple[ProviderEvent, bool]:
    """The event for something that was found in a state fetched from the provider, and whether it is new.

    It is made once for each ``state``, a text. No provider's event ids start with ``prefix``.
    """
    digest = hashlib.sha256(state.encode()).hexdigest()[:32]
    return ProviderEvent.objects.get_or_create(
        provider=payment.provider,
        provider_event_id=f"{prefix}{payment.public_id}:{digest}",
        defaults={"payment": payment, "provider_reference": payment.provider_reference, **values},
    )


def as_event(row: ProviderEvent) -> PaymentEvent:
    """The event of a row, with the values that were reported, or with those that the provider has confirmed."""
    return PaymentEvent(**{field: getattr(row, column) for field, column in COLUMNS.items()})


def payment_of(alias: str, event: PaymentEvent) -> Payment | None:
    """The payment of an event, found by the refund that it names, else by its reference, else by our id."""
    refund = refunds_named(Refund.objects.filter(payment__provider=alias), event.refund_id, event.refund_reference)
    found = refund.select_related("payment").first()
    if found is not None:
        return found.payment
    payments = Payment.objects.filter(provider=alias)
    if event.reference:
        payment = payments.filter(provider_reference=event.reference).first()
        if payment is not None:
            return payment
    public_id = _uuid(event.payment_id)
    return payments.filter(public_id=public_id).first() if public_id else None


def refunds_named(refunds: QuerySet[Refund], refund_id: str, reference: str) -> QuerySet[Refund]:
    """The refund with our id, or else with the provider's reference. Refunds are never found by their amount."""
    public_id = _uuid(refund_id)
    if public_id is not None:
        return refunds.filter(public_id=public_id)
    return refunds.filter(provider_reference=reference) if reference else refunds.none()


def values_of(event: PaymentEvent) -> dict[str, Any]:
    """The values of an event's columns.

    Raises:
        InvalidWebhook: a value is too long, not printable, or not an amount of money.
    """
    values = {column: getattr(event, field) for field, column in COLUMNS.items()}
    values |= {"detail": event.error[:500], "data": dict(event.data), "amount": storable_amount(event.amount)}
    for column, value in values.items():
        longest = ProviderEvent._meta.get_field(column).max_length  # type: ignore[union-attr]
        if isinstance(value, str) and (UNSAFE.search(value) or (longest and len(value) > longest)):
            raise InvalidWebhook
    content = json.dumps(values["data"], ensure_ascii=False, default=str)
    if not event.event_id or "\\u0000" in content or UNSAFE.search(content):
        raise InvalidWebhook
    return values


def storable_amount(value: Any) -> Decimal | None:
    """An amount with the decimals of its column.

    Raises:
        InvalidWebhook: it is not a number, or too large.
    """
    if value is None:
        return None
    try:
        amount = Decimal(value)
        if amount.is_finite() and amount.adjusted() < MAX_AMOUNT_DIGITS:
            return amount.quantize(SMALLEST)
    except (ArithmeticError, TypeError, ValueError):
        pass
    raise InvalidWebhook


def _uuid(text: str) -> UUID | None:
    """The text as a UUID; None if it is not one, such as the payment id of another shop that uses the same account."""
    try:
        return UUID(text)
    except ValueError:
        return None
