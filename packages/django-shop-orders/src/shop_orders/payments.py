"""Payments: started, noted, captured and refunded. The network is never touched inside a transaction.

Every change locks the order first, then the payment, then the inbox: the order in which nothing waits in a circle.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import F, Q, Sum
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from shop_orders import events, lifecycle, phones
from shop_orders.exceptions import (
    InvalidInput,
    NotPayable,
    PaymentDeclined,
    ProviderUnavailable,
    RefundTooLarge,
    UnknownPaymentProvider,
)
from shop_orders.locking import in_transaction
from shop_orders.models import Order, OrderStatus, Payment, PaymentStatus, ProviderEvent, Refund
from shop_orders.money import as_text, quantise
from shop_orders.payment_providers import (
    PaymentEvent,
    PaymentProvider,
    PaymentRequest,
    PaymentStart,
    PaymentState,
    RefundRequest,
    RefundResult,
    aliases,
    payment_provider,
)
from shop_orders.product_sources import product_source

logger = logging.getLogger(__name__)

Outcome = ProviderEvent.Outcome
UNDECIDED = (Outcome.RECEIVED, Outcome.WAITING, Outcome.UNMATCHED)
LEASE = timedelta(minutes=2)
QUIET = timedelta(minutes=2)
"""A payment that was just touched is not asked about."""


def start(order_id: int, *, provider: str = "", phone: str = "", return_url: str = "", base_url: str = "") -> Payment:
    """Begin to pay what is due, with the order's provider or another one.

    A payment that waits already is answered again. ``phone`` is for providers that ring it; ``base_url`` is the site's
    address (``https://example.org``), by which the provider reaches our webhook.

    Raises:
        NotPayable: the order is paid, cancelled or free.
        UnknownPaymentProvider, InvalidPhone: not usable.
        PaymentDeclined: the provider refused; the payment is noted as failed.
        ProviderUnavailable: nothing is known; the same call later goes on where this one stopped.
    """
    number = phones.normalise(phone)
    payment = in_transaction(lambda: _open_payment(order_id, provider))
    if payment.status != Payment.Status.STARTED:
        return payment
    chosen = payment_provider(payment.provider)
    try:
        answer = chosen.start(_request(payment, phone=number, return_url=return_url, base_url=base_url))
    except PaymentDeclined as error:
        note_state(payment.pk, PaymentState(status="failed", error=str(error)))
        raise
    return in_transaction(lambda: _note_start(payment.pk, answer))


def record_payment(
    order_id: int, *, amount: Decimal | None = None, provider: str = "", by: Any = None, notify: bool = True
) -> Payment:
    """Staff saw the money: note it for a provider that nobody else speaks for (pay on delivery, bank transfer).

    ``amount`` is what came, by default all that is due.

    Raises:
        NotPayable: nothing is due, or more than that came.
        UnknownPaymentProvider: the provider is not one that people speak for.
    """

    def work() -> Payment:
        order = lifecycle.lock(order_id)
        alias = provider or order.payment_provider
        if not payment_provider(alias).is_manual:
            raise UnknownPaymentProvider(alias)
        came = order.amount_due if amount is None else quantise(amount, order.currency)
        if not 0 < came <= order.amount_due:
            raise NotPayable
        payment = order.payments.filter(provider=alias, amount=came, status__in=Payment.OPEN).first()
        if payment is None:
            payment = Payment.objects.create(
                order=order, provider=alias, amount=came, currency=order.currency, status=Payment.Status.PENDING
            )
        _apply(order, payment, "captured", amount=came, currency=order.currency, by=by, notify=notify)
        return payment

    return in_transaction(work)


def capture(payment_id: int, *, by: Any = None) -> Payment:
    """Take the money that a provider holds for us.

    Raises:
        NotPayable: the payment is not authorised.
        PaymentDeclined, ProviderUnavailable: the provider did not do it.
    """
    payment = Payment.objects.get(pk=payment_id)
    if payment.status != Payment.Status.AUTHORISED:
        raise NotPayable
    state = payment_provider(payment.provider).capture(
        payment.data, reference=payment.provider_reference, amount=payment.amount, currency=payment.currency
    )
    return note_state(payment_id, state, by=by)


def refund(
    order_id: int,
    *,
    amount: Decimal | None = None,
    reason: str = "",
    restock: Mapping[str, int] | None = None,
    by: Any = None,
    notify: bool = True,
) -> list[Refund]:
    """Send money back, all that can be by default, newest payment first. Never more than was captured.

    ``queue_refund``, then the provider is asked at once. One that cannot be reached is asked again by the job.
    """
    queued = queue_refund(order_id, amount=amount, reason=reason, restock=restock, by=by, notify=notify)
    return [send_refund(row.pk) for row in queued]


def queue_refund(
    order_id: int,
    *,
    amount: Decimal | None = None,
    reason: str = "",
    restock: Mapping[str, int] | None = None,
    by: Any = None,
    notify: bool = True,
) -> list[Refund]:
    """Write down that money shall go back; ``send_refund`` or the periodic job asks the provider.

    ``restock`` is ``{product_ref: units}`` of shipped goods that came back and can be sold again.

    Raises:
        RefundTooLarge: more than is left, refunds on their way included.
        InvalidInput: more is restocked than was shipped.
    """

    def work() -> list[Refund]:
        order = lifecycle.lock(order_id)
        refunds = _queue_refunds(order, amount, reason=reason, by=by, notify=notify)
        if restock:
            _restock(order, restock, reference=str(refunds[0].public_id))
        return refunds

    return in_transaction(work)


def send_refund(refund_id: int) -> Refund:
    """Ask the provider for a queued refund. One that was sent, or is being sent by another process, is left alone."""
    refund = _claim_refund(refund_id)
    if refund is None:
        return Refund.objects.get(pk=refund_id)
    payment = refund.payment
    request = RefundRequest(
        refund_id=str(refund.public_id), amount=refund.amount, currency=payment.currency, reason=refund.reason
    )
    try:
        result = payment_provider(payment.provider).refund(
            payment.data, reference=payment.provider_reference, request=request
        )
    except PaymentDeclined as error:
        result = RefundResult(status="failed", error=str(error))
    except ProviderUnavailable as error:
        wait = min(timedelta(hours=6), timedelta(minutes=1) * 4 ** min(refund.attempts, 8))
        Refund.objects.filter(pk=refund_id).update(next_attempt_at=timezone.now() + wait, error=str(error)[:500])
        return Refund.objects.get(pk=refund_id)
    return in_transaction(lambda: _note_refund(refund_id, result))


def apply_event(alias: str, event: PaymentEvent) -> ProviderEvent:
    """Take a provider's news in, once. Twice, early, late or out of order changes nothing wrongly.

    The row's ``outcome`` says what became of it.
    """

    def work() -> ProviderEvent:
        payment = _match(alias, event.reference, event.payment_id)
        order = lifecycle.lock(payment.order_id) if payment else None
        row = _inbox(alias, event, payment)
        if row.outcome not in UNDECIDED:
            return row
        if payment is None or order is None:
            row.outcome = Outcome.UNMATCHED
            row.save(update_fields=["outcome"])
            return row
        return _decide(order, Payment.objects.select_for_update().get(pk=payment.pk), row)

    return in_transaction(work)


def note_state(payment_id: int, state: PaymentState, *, by: Any = None) -> Payment:
    """Note what the provider says now, by the same rules as its events."""

    def work() -> Payment:
        order = lifecycle.lock(Payment.objects.values_list("order_id", flat=True).get(pk=payment_id))
        payment = Payment.objects.select_for_update().get(pk=payment_id)
        if state.reference and not payment.provider_reference:
            payment.provider_reference = state.reference
            payment.save(update_fields=["provider_reference", "updated_at"])
        _apply(order, payment, state.status, amount=state.captured, currency=state.currency, error=state.error, by=by)
        if state.refunded:
            _apply(order, payment, "refunded", amount=state.refunded, currency=state.currency)
        return payment

    return in_transaction(work)


def ask(payment: Payment) -> Payment:
    """Ask the provider how a payment stands, and note it.

    Raises:
        ProviderUnavailable: it does not answer.
    """
    state = payment_provider(payment.provider).fetch(payment.data, reference=payment.provider_reference)
    if state is None:
        return payment
    return note_state(payment.pk, state)


def reconcile(*, limit: int = 200) -> int:
    """Ask about payments that wait, give up those of cancelled orders, and look at unmatched news again.

    Returns how many payments changed. A webhook that got lost is made up for here.
    """
    for row in ProviderEvent.objects.filter(outcome=Outcome.UNMATCHED).order_by("-id")[:limit]:
        if _match(row.provider, row.provider_reference, ""):
            apply_event(row.provider, _as_event(row))
    waiting = Payment.objects.filter(status__in=Payment.OPEN, updated_at__lte=timezone.now() - QUIET)
    payments = waiting.order_by("updated_at").select_related("order")[:limit]
    return sum(_one_of_many(partial(_reconcile_one, payment)) for payment in payments)


def send_due_refunds(*, limit: int = 200) -> int:
    """Send the refunds that wait; returns how many went through."""
    due = Refund.objects.filter(status=Refund.Status.QUEUED, next_attempt_at__lte=timezone.now())
    keys = due.order_by("next_attempt_at").values_list("pk", flat=True)[:limit]
    return sum(_one_of_many(partial(_send_one, pk)) for pk in keys)


def expire_due(*, limit: int = 500) -> int:
    """Cancel orders that were not paid in time, after asking their providers; returns how many. Safe in parallel."""
    overdue = Order.objects.overdue().order_by("expires_at").values_list("pk", flat=True)[:limit]
    return sum(_one_of_many(partial(_expire_one, order_id)) for order_id in overdue)


def remember(payment_id: int, **data: Any) -> None:
    """Add to the data that a provider keeps with a payment."""
    with transaction.atomic():
        payment = Payment.objects.select_for_update().get(pk=payment_id)
        payment.data = {**payment.data, **data}
        payment.save(update_fields=["data", "updated_at"])


def ways_to_pay() -> list[PaymentProvider]:
    """The configured providers in their order, for a form: ``alias`` and ``label``."""
    return [payment_provider(alias) for alias in aliases()]


def _open_payment(order_id: int, alias: str) -> Payment:
    """The payment to go on with: one that waits, one whose start was interrupted, or a new one."""
    order = lifecycle.lock(order_id)
    if not order.amount_due or order.payment_status == PaymentStatus.AUTHORISED:
        raise NotPayable
    alias = alias or order.payment_provider
    provider = payment_provider(alias)
    now = timezone.now()
    waiting = order.payments.filter(provider=alias, amount=order.amount_due, status__in=Payment.OPEN)
    payment = waiting.filter(Q(expires_at=None) | Q(expires_at__gt=now)).order_by("-id").first()
    if payment is None:
        payment = Payment.objects.create(order=order, provider=alias, amount=order.amount_due, currency=order.currency)
    if order.payment_provider != alias:
        order.payment_provider = alias
        if order.status == OrderStatus.PENDING:
            order.expires_at = now + provider.expires_after if provider.expires_after is not None else None
        order.save(update_fields=["payment_provider", "expires_at", "updated_at"])
    return payment


def _request(payment: Payment, *, phone: str, return_url: str, base_url: str) -> PaymentRequest:
    order = payment.order
    return PaymentRequest(
        payment_id=str(payment.public_id),
        order_number=order.number,
        amount=quantise(payment.amount, payment.currency),
        currency=payment.currency,
        description=_("Order %(number)s") % {"number": order.number},
        email=order.email,
        phone=phone or order.phone,
        name=order.contact_name,
        language=order.language,
        return_url=return_url,
        base_url=base_url,
        webhook_url=_webhook_url(base_url, payment.provider),
    )


def _webhook_url(base_url: str, alias: str) -> str:
    try:
        return base_url + reverse("shop_orders:webhook", args=[alias])
    except NoReverseMatch:
        return ""


def _note_start(payment_id: int, answer: PaymentStart) -> Payment:
    order = lifecycle.lock(Payment.objects.values_list("order_id", flat=True).get(pk=payment_id))
    payment = Payment.objects.select_for_update().get(pk=payment_id)
    payment.provider_reference = answer.reference
    payment.redirect_url = answer.redirect_url
    payment.instructions = answer.instructions
    payment.expires_at = answer.expires_at
    payment.data = {**payment.data, **answer.data}
    payment.save()
    amount = payment.amount if answer.status == "captured" else None
    _apply(order, payment, answer.status, amount=amount, currency=payment.currency)
    early = ProviderEvent.objects.select_for_update().filter(
        provider=payment.provider, outcome=Outcome.UNMATCHED, provider_reference=answer.reference or None
    )
    for row in early.order_by("id"):
        row.payment = payment
        _decide(order, payment, row)
    return payment


def _match(alias: str, reference: str, payment_id: str) -> Payment | None:
    payments = Payment.objects.filter(provider=alias)
    if reference:
        found = payments.filter(provider_reference=reference).first()
        if found is not None:
            return found
    return payments.filter(public_id=payment_id).first() if payment_id else None


def _inbox(alias: str, event: PaymentEvent, payment: Payment | None) -> ProviderEvent:
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
                data=dict(event.data),
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
        amount=row.amount,
        currency=row.currency,
        error=row.detail,
    )


def _decide(order: Order, payment: Payment, row: ProviderEvent) -> ProviderEvent:
    row.outcome = _apply(order, payment, row.kind, amount=row.amount, currency=row.currency, error=row.detail)
    row.save(update_fields=["outcome", "payment"])
    if row.outcome == Outcome.APPLIED and row.kind == "captured":
        for early in payment.inbox.filter(outcome=Outcome.WAITING).order_by("id"):
            _decide(order, payment, early)
    return row


def _apply(
    order: Order,
    payment: Payment,
    kind: str,
    *,
    amount: Decimal | None = None,
    currency: str = "",
    error: str = "",
    by: Any = None,
    notify: bool = True,
) -> ProviderEvent.Outcome:
    """The one place where a payment moves. Order and payment are locked."""
    match kind:
        case "captured":
            return _apply_captured(order, payment, amount=amount, currency=currency, by=by, notify=notify)
        case "refunded":
            return _apply_refunded(order, payment, amount=amount, currency=currency)
        case "pending" if payment.status == Payment.Status.STARTED:
            payment.status = Payment.Status.PENDING
        case "authorised" if payment.status in (*Payment.OPEN, Payment.Status.FAILED):
            payment.status = Payment.Status.AUTHORISED
        case "failed" | "cancelled" if payment.is_open:
            payment.status, payment.error = Payment.Status(kind), error[:500]
        case _:
            return Outcome.IGNORED
    payment.save(update_fields=["status", "error", "updated_at"])
    _update_payment_status(order, payment, by=by, notify=notify)
    return Outcome.APPLIED


def _apply_captured(
    order: Order, payment: Payment, *, amount: Decimal | None, currency: str, by: Any, notify: bool
) -> ProviderEvent.Outcome:
    if payment.status in (Payment.Status.CAPTURED, Payment.Status.HELD):
        return Outcome.IGNORED
    came = payment.amount if amount is None else amount
    if came != payment.amount or (currency and currency != payment.currency):
        message = _("%(provider)s reports %(came)s %(currency)s, expected were %(amount)s %(expected)s.") % {
            "provider": payment.provider,
            "came": came,
            "currency": currency or payment.currency,
            "amount": as_text(payment.amount, payment.currency),
            "expected": payment.currency,
        }
        payment.status, payment.error = Payment.Status.HELD, message[:500]
        payment.save(update_fields=["status", "error", "updated_at"])
        events.record(order, "payment_held", is_public=False, message=message)
        return Outcome.HELD
    payment.status, payment.error, payment.captured_amount = Payment.Status.CAPTURED, "", came
    payment.save(update_fields=["status", "error", "captured_amount", "updated_at"])
    order.paid_amount += came
    order.save(update_fields=["paid_amount", "updated_at"])
    _update_payment_status(order, payment, by=by, notify=notify)
    if order.payment_status == PaymentStatus.PAID:
        lifecycle.confirm_paid(order)
    if order.refund_due:
        reason = _("Paid after the order was cancelled, or paid twice.")
        _queue_refunds(order, min(order.refund_due, came), reason=reason, by=None, notify=True)
    return Outcome.APPLIED


def _apply_refunded(order: Order, payment: Payment, *, amount: Decimal | None, currency: str) -> ProviderEvent.Outcome:
    """``amount`` is the total that went back so far."""
    if payment.status != Payment.Status.CAPTURED:
        return Outcome.WAITING
    total = payment.captured_amount if amount is None else amount
    if total > payment.captured_amount or (currency and currency != payment.currency):
        events.record(order, "payment_held", is_public=False, message=_("A refund is larger than the payment."))
        return Outcome.HELD
    news = total - payment.refunded_amount
    if news <= 0:
        return Outcome.IGNORED
    for refund in payment.refunds.filter(status__in=(Refund.Status.QUEUED, Refund.Status.PENDING)).order_by("id"):
        if refund.amount <= news:
            news -= refund.amount
            _refund_succeeded(order, payment, refund)
    if news:
        elsewhere = Refund.objects.create(payment=payment, amount=news, reason=_("Refunded at the provider."))
        _refund_succeeded(order, payment, elsewhere)
    return Outcome.APPLIED


def _update_payment_status(order: Order, payment: Payment, *, by: Any = None, notify: bool = True) -> None:
    lifecycle.set_payment_status(
        order,
        _payment_status(order),
        by=by,
        notify=notify,
        about=payment,
        extra={
            "payment": {
                "provider": payment.provider,
                "amount": as_text(payment.amount, payment.currency),
                "status": payment.status,
            }
        },
    )


def _payment_status(order: Order) -> PaymentStatus:
    if order.refunded_amount:
        all_of_it = order.refunded_amount >= order.paid_amount
        return PaymentStatus.REFUNDED if all_of_it else PaymentStatus.PART_REFUNDED
    if order.paid_amount >= order.total:
        return PaymentStatus.PAID
    statuses = list(order.payments.order_by("id").values_list("status", flat=True))
    if Payment.Status.AUTHORISED in statuses:
        return PaymentStatus.AUTHORISED
    is_waiting = any(status in Payment.OPEN for status in statuses)
    if statuses and not is_waiting and statuses[-1] in (Payment.Status.FAILED, Payment.Status.CANCELLED):
        return PaymentStatus.FAILED
    return PaymentStatus.UNPAID


def _queue_refunds(order: Order, amount: Decimal | None, *, reason: str, by: Any, notify: bool) -> list[Refund]:
    """Rows for the refund, over as many payments as it takes. The order is locked."""
    on_the_way = Q(refunds__status__in=(Refund.Status.QUEUED, Refund.Status.PENDING))
    payments = order.payments.filter(status=Payment.Status.CAPTURED).annotate(
        on_the_way=Sum("refunds__amount", filter=on_the_way, default=Decimal(0))
    )
    rooms = [(row, row.refundable_amount - row.on_the_way) for row in payments.order_by("-id")]
    refundable = sum((room for _row, room in rooms), Decimal(0))
    wanted = refundable if amount is None else quantise(amount, order.currency)
    if not 0 < wanted <= refundable:
        raise RefundTooLarge(refundable=quantise(refundable, order.currency), currency=order.currency)
    refunds = []
    for payment, room in rooms:
        part = min(room, wanted)
        if part > 0:
            refunds.append(Refund(payment=payment, amount=part, reason=reason[:500], actor=by, notify=notify))
            wanted -= part
    return Refund.objects.bulk_create(refunds)


def _restock(order: Order, quantities: Mapping[str, int], *, reference: str) -> None:
    lines = {line.product_ref: line for line in order.lines.select_for_update(of=("self",)).order_by("pk")}
    for ref, quantity in quantities.items():
        line = lines.get(ref)
        if line is None or not 0 < quantity <= line.shipped_quantity - line.restocked_quantity:
            raise InvalidInput(_("Only what was shipped can be returned to stock."), extra={"product": ref})
        order.lines.filter(pk=line.pk).update(restocked_quantity=F("restocked_quantity") + quantity)
    product_source().restock(quantities, reference=reference)


def _claim_refund(refund_id: int) -> Refund | None:
    with transaction.atomic():
        refund = Refund.objects.select_for_update(of=("self",)).select_related("payment").get(pk=refund_id)
        is_leased = refund.attempts > 0 and refund.next_attempt_at > timezone.now()
        if refund.status != Refund.Status.QUEUED or is_leased:
            return None
        refund.attempts += 1
        refund.next_attempt_at = timezone.now() + LEASE
        refund.save(update_fields=["attempts", "next_attempt_at", "updated_at"])
        return refund


def _note_refund(refund_id: int, result: RefundResult) -> Refund:
    order_id = Refund.objects.values_list("payment__order_id", flat=True).get(pk=refund_id)
    order = lifecycle.lock(order_id)
    refund = Refund.objects.get(pk=refund_id)
    payment = Payment.objects.select_for_update().get(pk=refund.payment_id)
    if refund.status not in (Refund.Status.QUEUED, Refund.Status.PENDING):
        return refund  # its webhook was faster
    refund.provider_reference = result.reference
    if result.status == "succeeded":
        _refund_succeeded(order, payment, refund)
        return refund
    refund.status, refund.error = Refund.Status(result.status), result.error[:500]
    refund.save(update_fields=["status", "error", "provider_reference", "updated_at"])
    if result.status == "failed":
        message = _("A refund failed: %(error)s") % {"error": result.error}
        events.record(order, "refund_failed", is_public=False, message=message)
    return refund


def _refund_succeeded(order: Order, payment: Payment, refund: Refund) -> None:
    refund.status, refund.error = Refund.Status.SUCCEEDED, ""
    refund.save(update_fields=["status", "error", "provider_reference", "updated_at"])
    payment.refunded_amount += refund.amount
    payment.save(update_fields=["refunded_amount", "updated_at"])
    order.refunded_amount += refund.amount
    order.save(update_fields=["refunded_amount", "updated_at"])
    _update_payment_status(order, payment, by=refund.actor, notify=False)
    events.record(
        order,
        "refunded",
        signal="order_refunded",
        by=refund.actor,
        notify=refund.notify,
        message=refund.reason,
        about=refund,
        extra={"refund": {"amount": as_text(refund.amount, order.currency), "reason": refund.reason}},
    )


def _one_of_many(work: Callable[[], bool]) -> bool:
    """A provider that fails in a way of its own, or is no longer configured, stops nobody else's turn."""
    try:
        return work()
    except Exception:
        logger.exception("A periodic job leaves a row for the next time")
        return False


def _send_one(refund_id: int) -> bool:
    return send_refund(refund_id).status != Refund.Status.QUEUED


def _reconcile_one(payment: Payment) -> bool:
    provider = payment_provider(payment.provider)
    before = payment.status
    try:
        payment = ask(payment)
        if payment.is_open and payment.order.status == OrderStatus.CANCELLED:
            provider.cancel(payment.data, reference=payment.provider_reference)
            payment = note_state(payment.pk, PaymentState(status="cancelled"))
    except ProviderUnavailable:
        logger.warning("Payment provider %s does not answer", payment.provider)
    except PaymentDeclined as error:
        payment = note_state(payment.pk, PaymentState(status="failed", error=str(error)))
    if payment.status == before:
        Payment.objects.filter(pk=payment.pk).update(updated_at=timezone.now())
    return payment.status != before


def _expire_one(order_id: int) -> bool:
    try:
        for payment in Payment.objects.filter(order_id=order_id, status__in=Payment.OPEN):
            ask(payment)
    except ProviderUnavailable:
        logger.warning("An unpaid order is kept: its payment provider does not answer")
        return False
    return lifecycle.expire(order_id)
