"""The inbox of payment providers: each event is processed once. Duplicates and out-of-order delivery are safe.

An event waits if an event that comes before it has not arrived yet, or if the provider has to be asked first. An event
for an unknown payment is stored too, and applied when the payment becomes known.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from shop_core.db.rows import UNSAFE
from shop_core.money import as_text

from shop_orders import events, lifecycle
from shop_orders.models import Order, Payment, ProviderEvent
from shop_orders.payment_providers import PaymentEvent, PaymentState
from shop_orders.payments import account, disputes, provider_events, refund_results
from shop_orders.transactions import in_transaction

Outcome = ProviderEvent.Outcome
UNDECIDED = (Outcome.RECEIVED, Outcome.WAITING, Outcome.UNMATCHED)
REFUND_KINDS = ("refunded", "refund_failed")
ASKED_KINDS = ("refunded", disputes.KIND)
LONGEST_WAIT = timedelta(hours=6)
CHUNK = 1000


@in_transaction(ProviderEvent)
def apply_event(alias: str, event: PaymentEvent) -> ProviderEvent:
    """Process a provider event once. Duplicates and out-of-order delivery are safe.

    Returns the stored event; its ``outcome`` says how it was handled.

    Raises:
        InvalidWebhook: a value of the event cannot be stored.
    """
    provider_events.values_of(event)  # raises InvalidWebhook before a query gets a value that it cannot take
    payment = provider_events.payment_of(alias, event)
    order = None if payment is None else lifecycle.lock(payment.order_id)
    row = provider_events.store(alias, event, payment)
    if row.outcome not in UNDECIDED:
        return row
    if order is None:
        return _decide(row, Outcome.UNMATCHED)
    return _apply(order, row)


def decided(alias: str, reported: Sequence[PaymentEvent]) -> dict[str, int]:
    """The events that were decided before, so that ``apply_event`` would change nothing: ``{event id: order id}``."""
    names = [
        event.event_id for event in reported if isinstance(event.event_id, str) and not UNSAFE.search(event.event_id)
    ]
    rows = ProviderEvent.objects.filter(provider=alias, is_confirmed=True).exclude(outcome__in=UNDECIDED)
    found: dict[str, int] = {}
    for start in range(0, len(names), CHUNK):
        some = rows.filter(provider_event_id__in=names[start : start + CHUNK], payment__isnull=False)
        found.update(some.values_list("provider_event_id", "payment__order_id"))
    return found


@in_transaction(ProviderEvent)
def reconsider(row_id: int) -> ProviderEvent:
    """Try again to apply an event that waits for another event, or for its payment."""
    row = ProviderEvent.objects.get(pk=row_id)
    payment = row.payment or provider_events.payment_of(row.provider, provider_events.as_event(row))
    order = None if payment is None else lifecycle.lock(payment.order_id)
    row = ProviderEvent.objects.select_for_update(of=("self",)).get(pk=row_id)
    if row.outcome not in UNDECIDED or order is None:
        return row
    row.payment = row.payment or payment
    return _apply(order, row)


@in_transaction(ProviderEvent)
def confirm(row_id: int, state: PaymentState, *, fetched_at: datetime) -> ProviderEvent:
    """Decide about an event by the ``state`` that was fetched from the provider after the event arrived.

    An unconfirmed event is replaced by the state; if that has no amount, the event's amount is used. Refunds are taken
    from the state, except those that changed here after ``fetched_at``.
    """
    order = lifecycle.lock(ProviderEvent.objects.values_list("payment__order_id", flat=True).get(pk=row_id))
    payment = Payment.objects.select_for_update().get(inbox=row_id)
    row = ProviderEvent.objects.select_for_update(of=("self",)).get(pk=row_id)
    if row.outcome != Outcome.WAITING:
        return row
    if row.kind == disputes.KIND:
        return _decide(row, disputes.settle_event(order, payment, row, state, fetched_at=fetched_at))
    if row.kind in REFUND_KINDS:
        return _decide(row, refund_results.settle_event(order, payment, row, state, fetched_at=fetched_at))
    claimed = row.amount if row.kind == state.status else None
    row.amount = claimed if state.captured is None else state.captured  # type: ignore[assignment]
    row.currency = state.currency or row.currency
    row.claimed_kind, row.kind, row.detail, row.is_confirmed = row.kind, state.status, state.error[:500], True
    row.save(update_fields=["kind", "claimed_kind", "amount", "currency", "detail", "is_confirmed"])
    return _apply(order, row)


def unconfirmed(order_id: int) -> QuerySet[ProviderEvent]:
    """Events of an order that the provider has not confirmed."""
    rows = ProviderEvent.objects.filter(payment__order_id=order_id, outcome=Outcome.WAITING, is_confirmed=False)
    return rows.select_related("payment").order_by("id")


def to_ask_about() -> QuerySet[ProviderEvent]:
    """Due events about which the provider has to be asked: unconfirmed events, those of disputes, and reported refunds
    that match none here."""
    is_refund = Q(kind__in=ASKED_KINDS, payment__status=Payment.Status.CAPTURED)
    rows = _due().filter(Q(is_confirmed=False) | is_refund, outcome=Outcome.WAITING)
    return rows.select_related("payment")


def to_reconsider() -> QuerySet[ProviderEvent]:
    """Due events that wait for another event, or for their payment."""
    is_asked_about = Q(outcome=Outcome.WAITING) & (
        Q(is_confirmed=False) | Q(kind__in=ASKED_KINDS, payment__status=Payment.Status.CAPTURED)
    )
    return _due().exclude(is_asked_about)


def postpone(row_id: int) -> None:
    """Schedule the next attempt for an event: after 2, 4, 8, ... minutes."""
    undecided = ProviderEvent.objects.filter(pk=row_id, outcome__in=UNDECIDED)
    attempts = undecided.values_list("attempts", flat=True).first()
    if attempts is not None:
        wait = min(LONGEST_WAIT, timedelta(minutes=2 * 2 ** min(attempts, 10)))
        undecided.update(attempts=F("attempts") + 1, next_attempt_at=timezone.now() + wait)


def close_refunds(payment: Payment, *, were_recorded: bool) -> None:
    """Close the held and the waiting events about refunds, since staff have looked at the provider's page."""
    undecided = payment.inbox.filter(kind__in=REFUND_KINDS, outcome__in=(Outcome.HELD, Outcome.WAITING))
    undecided.update(outcome=Outcome.APPLIED if were_recorded else Outcome.IGNORED)


def held_refunds(order: Order) -> QuerySet[ProviderEvent]:
    """The held events about refunds of the order's captured payments. ``record_provider_refund`` closes them."""
    is_captured = Q(payment__order=order, payment__status=Payment.Status.CAPTURED)
    return ProviderEvent.objects.filter(is_captured, kind__in=REFUND_KINDS, outcome=Outcome.HELD)


def apply_early_events(order: Order, payment: Payment) -> None:
    """Apply the events that arrived before their payment's reference was known. The caller has locked both rows."""
    early = ProviderEvent.objects.select_for_update(of=("self",)).filter(
        provider=payment.provider, outcome=Outcome.UNMATCHED, provider_reference=payment.provider_reference or None
    )
    for row in early.order_by("id"):
        row.payment = payment
        _apply(order, row)


def _due() -> QuerySet[ProviderEvent]:
    due = ProviderEvent.objects.filter(outcome__in=UNDECIDED, next_attempt_at__lte=timezone.now())
    return due.order_by("next_attempt_at", "id")


def _apply(order: Order, row: ProviderEvent) -> ProviderEvent:
    """Apply an event whose payment is known. The caller has locked the order and the event."""
    assert row.payment_id is not None  # noqa: S101 - the callers look for it
    payment = Payment.objects.select_for_update().get(pk=row.payment_id)
    if not row.is_confirmed or row.kind == disputes.KIND:
        return _decide(row, Outcome.WAITING)
    if row.kind in REFUND_KINDS:
        return _decide(row, refund_results.apply_event(order, payment, row))
    reference = row.provider_reference
    if reference and reference != payment.provider_reference:
        other = _payment_with_reference(order, payment, row)
        if other is None:
            return row
        row.payment = payment = other
    was_captured = payment.status == Payment.Status.CAPTURED
    reported = {"amount": row.amount, "currency": row.currency, "error": row.detail, "receipt": row.receipt}
    outcome = account.apply(order, payment, row.kind, **reported)  # type: ignore[arg-type]
    _decide(row, outcome)
    if payment.status == Payment.Status.CAPTURED and not was_captured:
        _apply_waiting(order, payment)
    return row


def _apply_waiting(order: Order, payment: Payment) -> None:
    """Apply the events that waited until a payment of the order was captured."""
    waiting = ProviderEvent.objects.select_for_update(of=("self",)).filter(
        payment__order=order, provider=payment.provider, outcome=Outcome.WAITING, is_confirmed=True
    )
    for row in waiting.order_by("id"):
        _apply(order, row)


def _decide(row: ProviderEvent, outcome: ProviderEvent.Outcome) -> ProviderEvent:
    row.outcome = outcome
    row.save(update_fields=["outcome", "payment"])
    return row


@in_transaction(ProviderEvent)
def give_up(row_id: int, *, with_payment: bool = False) -> None:
    """Hold for staff an event that can be neither applied nor confirmed; ``with_payment`` holds its payment too."""
    row = ProviderEvent.objects.select_related("payment").get(pk=row_id)
    order = None if row.payment is None else lifecycle.lock(row.payment.order_id)
    row = ProviderEvent.objects.select_for_update(of=("self",)).select_related("payment").get(pk=row_id)
    if order is None or row.payment is None or row.outcome not in UNDECIDED:
        return
    text = _(
        "%(provider)s reports “%(kind)s” for this payment, but does not confirm it. "
        "Look at the payment on the provider's page, and record what was paid or refunded there."
    )
    row.detail = (text % {"provider": row.provider, "kind": row.kind})[:500]
    row.save(update_fields=["detail"])
    events.record(order, "payment_held", is_public=False, message=row.detail)
    payment = Payment.objects.select_for_update().get(pk=row.payment.pk)
    if with_payment and payment.is_open and row.kind == "captured":
        account.hold(payment, row.detail)
    _decide(row, Outcome.HELD)


def _payment_with_reference(order: Order, payment: Payment, row: ProviderEvent) -> Payment | None:
    """The payment with the event's reference, which the given payment does not have. None if the event was decided.

    The reference of a payment never changes. Money of another transaction becomes a separate payment; the end of
    another attempt does not end this one.
    """
    reference = row.provider_reference
    known = order.payments.select_for_update().filter(provider=row.provider, provider_reference=reference).first()
    if known is not None:
        return known
    if not payment.provider_reference:
        if account.set_reference(order, payment, reference):
            return payment
        _decide(row, Outcome.HELD)
    elif row.kind in ("captured", "authorised"):
        return _other_transaction(order, payment, row)
    else:
        _decide(row, Outcome.IGNORED)
    return None


def _other_transaction(order: Order, payment: Payment, row: ProviderEvent) -> Payment:
    """Create the payment for a transaction that we did not start."""
    is_usable = row.amount is not None and row.amount > 0 and row.currency in ("", payment.currency)
    other = Payment.objects.create(
        order=order,
        provider=payment.provider,
        amount=row.amount if is_usable else payment.amount,
        currency=payment.currency,
        provider_reference=row.provider_reference,
        status=Payment.Status.PENDING,
    )
    text = _(
        "Another transaction was made for the payment %(first)s: %(amount)s %(currency)s, as %(second)s. "
        "If both were paid, the customer paid twice."
    )
    message = text % {
        "first": payment.provider_reference,
        "amount": as_text(other.amount if row.amount is None else row.amount, other.currency),
        "currency": row.currency or other.currency,
        "second": row.provider_reference,
    }
    events.record(order, "paid_twice", is_public=False, message=message)
    return other
