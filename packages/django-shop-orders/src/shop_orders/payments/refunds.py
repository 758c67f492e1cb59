"""Makes refunds, up to the captured amount. Each is stored before the provider is called, so a crash cannot lose it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db.models import F, Q, QuerySet, Sum
from django.utils import timezone
from django.utils.translation import gettext as _
from shop_core.money import as_text, quantise

from shop_orders import events, lifecycle
from shop_orders.exceptions import (
    InvalidInput,
    PaymentDeclined,
    ProviderUnavailable,
    RefundTooLarge,
    UnknownPaymentProvider,
)
from shop_orders.models import Order, Payment, ProviderEvent, Refund
from shop_orders.payment_providers import RefundRequest, RefundResult, payment_provider
from shop_orders.payments import order_status
from shop_orders.product_sources import product_source
from shop_orders.transactions import in_transaction

Outcome = ProviderEvent.Outcome
LEASE = timedelta(minutes=2)
"""While a process calls the provider, no other process sends the same refund for this long."""
CHECK_EVERY = timedelta(hours=1)
"""The interval at which the state of a pending refund is fetched. It can be pending for days."""
LONGEST_WAIT = timedelta(hours=6)


def refund(
    order_id: int,
    *,
    amount: Decimal | None = None,
    reason: str = "",
    restock: Mapping[str, int] | None = None,
    by: Any = None,
    notify: bool = True,
) -> list[Refund]:
    """Refund an amount, starting with the newest payment. The default is everything that can be refunded.

    Calls ``queue_refund`` and then the provider. If the provider is unavailable, the periodic job calls it again.
    """
    queued = queue_refund(order_id, amount=amount, reason=reason, restock=restock, by=by, notify=notify)
    return [send_refund(row.pk) for row in queued]


@in_transaction(Refund)
def queue_refund(
    order_id: int,
    *,
    amount: Decimal | None = None,
    reason: str = "",
    restock: Mapping[str, int] | None = None,
    by: Any = None,
    notify: bool = True,
) -> list[Refund]:
    """Store refunds, which ``send_refund`` or the periodic job later sends to the provider.

    ``restock`` is ``{product_ref: units}`` of shipped goods that came back and can be sold again.

    Raises:
        RefundTooLarge: the amount exceeds the captured money that is not yet refunded or about to be.
        InvalidInput: ``restock`` has more units of a product than were shipped.
    """
    order = lifecycle.lock(order_id)
    refunds = queue(order, amount, reason=reason, by=by, notify=notify)
    if restock:
        _restock(order, restock, reference=str(refunds[0].public_id))
    return refunds


def send_refund(refund_id: int) -> Refund:
    """Send a queued refund to the provider, unless it was sent before or another process is sending it.

    It stays queued if the provider is unavailable, is not configured, or raises an unexpected error.
    """
    refund = _claim(refund_id)
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
    except (ProviderUnavailable, UnknownPaymentProvider) as error:
        return _try_later(refund, str(error))
    except Exception as error:
        _try_later(refund, type(error).__name__)  # the error's text may contain a secret
        raise
    return _record_result(refund_id, result)


def check_refund(refund_id: int) -> Refund:
    """Fetch the state of a pending refund from the provider, unless it was fetched less than ``CHECK_EVERY`` ago.

    If the provider returns no final state, the refund remains pending. An error is stored with it.
    """
    now = timezone.now()
    waiting = Refund.objects.filter(pk=refund_id, status=Refund.Status.PENDING)
    is_claimed = waiting.filter(next_attempt_at__lte=now).update(next_attempt_at=now + CHECK_EVERY)
    refund = Refund.objects.select_related("payment").get(pk=refund_id)
    if not is_claimed:
        return refund
    payment, result, problem = refund.payment, None, ""
    try:
        result = payment_provider(payment.provider).fetch_refund(
            payment.data, reference=payment.provider_reference, refund_reference=refund.provider_reference
        )
    except (PaymentDeclined, ProviderUnavailable, UnknownPaymentProvider) as error:
        problem = str(error)[:500]
    if result is not None and result.status != "pending":
        return _record_result(refund_id, result)
    waiting.exclude(error=problem).update(error=problem)
    return refund


def queue(order: Order, amount: Decimal | None, *, reason: str, by: Any, notify: bool) -> list[Refund]:
    """Store refunds of one or more payments that add up to the amount. The caller has locked the order."""
    is_waiting = Q(refunds__status__in=(Refund.Status.QUEUED, Refund.Status.PENDING))
    payments = order.payments.filter(status=Payment.Status.CAPTURED).annotate(
        waiting=Sum("refunds__amount", filter=is_waiting, default=Decimal(0))
    )
    available = [(row, row.refundable_amount - row.waiting) for row in payments.order_by("-id")]
    refundable = sum((part for _row, part in available), Decimal(0))
    wanted = refundable if amount is None else quantise(amount, order.currency)
    if not 0 < wanted <= refundable:
        raise RefundTooLarge(refundable=quantise(refundable, order.currency), currency=order.currency)
    refunds = []
    for payment, maximum in available:
        part = min(maximum, wanted)
        if part > 0:
            refunds.append(Refund(payment=payment, amount=part, reason=reason[:500], actor=by, notify=notify))
            wanted -= part
    return Refund.objects.bulk_create(refunds)


def refund_excess(order: Order, payment: Payment, amount: Decimal) -> None:
    """Refund money that exceeds the total. If staff send refunds by hand, record a private event instead.

    The caller has locked the order.
    """
    reason = _("Paid after the order was cancelled, or paid twice.")
    if not payment_provider(payment.provider).refunds_by_hand:
        queue(order, amount, reason=reason, by=None, notify=True)
        return
    text = _("%(reason)s Send %(amount)s %(currency)s back by %(provider)s, then record the refund here.")
    message = text % {
        "reason": reason,
        "amount": as_text(amount, payment.currency),
        "currency": payment.currency,
        "provider": payment.provider,
    }
    events.record(order, "refund_due", is_public=False, message=message)


def apply_total(order: Order, payment: Payment, *, amount: Decimal | None, currency: str) -> ProviderEvent.Outcome:
    """Apply the total of refunds that the provider reports. The caller has locked the order and the payment."""
    if payment.status != Payment.Status.CAPTURED:
        return Outcome.WAITING
    total = payment.captured_amount if amount is None else amount
    if total > payment.captured_amount or (currency and currency != payment.currency):
        events.record(order, "payment_held", is_public=False, message=_("A refund is larger than the payment."))
        return Outcome.HELD
    added = total - payment.refunded_amount
    if added <= 0:
        return Outcome.IGNORED
    for refund in payment.refunds.filter(status__in=(Refund.Status.QUEUED, Refund.Status.PENDING)).order_by("id"):
        if refund.amount <= added:
            added -= refund.amount
            _succeed(order, payment, refund)
    if added:
        made_at_provider = Refund.objects.create(payment=payment, amount=added, reason=_("Refunded at the provider."))
        _succeed(order, payment, made_at_provider)
    return Outcome.APPLIED


def failed(payment: Payment) -> QuerySet[Refund]:
    return payment.refunds.filter(status=Refund.Status.FAILED)


def may_include_failed(payment: Payment, total: Decimal | None) -> bool:
    """Whether a reported total may include a failed refund: events may arrive in any order."""
    total = payment.captured_amount if total is None else total
    is_new = payment.status == Payment.Status.CAPTURED and total > payment.refunded_amount
    return is_new and failed(payment).exists()


def record_doubtful_total(order: Order, payment: Payment, total: Decimal | None) -> None:
    """Record that a reported total may include a failed refund, so that staff look at the provider's page."""
    text = _("%(provider)s reports %(amount)s %(currency)s as refunded in total. This may include a failed refund.")
    message = text % {
        "provider": payment.provider,
        "amount": as_text(payment.captured_amount if total is None else total, payment.currency),
        "currency": payment.currency,
    }
    events.record(order, "payment_held", is_public=False, message=message)


def apply_failure(
    order: Order, payment: Payment, refund_id: str, *, reference: str = "", amount: Decimal | None = None, error: str
) -> ProviderEvent.Outcome:
    """Mark a refund as failed and stop counting it, perhaps days after it succeeded. Order and payment are locked."""
    matching = (row for row in payment.refunds.all() if str(row.public_id) == refund_id)
    refund = next(matching, None) or _refund_made_at_provider(payment, reference=reference, amount=amount)
    if refund is None or refund.status == Refund.Status.FAILED:
        return Outcome.IGNORED
    if refund.status == Refund.Status.SUCCEEDED:
        payment.refunded_amount -= refund.amount
        payment.save(update_fields=["refunded_amount", "updated_at"])
        order.refunded_amount -= refund.amount
        order.save(update_fields=["refunded_amount", "updated_at"])
        order_status.update(order, payment, notify=False)
    refund.status = Refund.Status.FAILED
    _record_failure(order, refund, error)
    return Outcome.APPLIED


def _refund_made_at_provider(payment: Payment, *, reference: str, amount: Decimal | None) -> Refund | None:
    """The refund that was made on the provider's page. It is created if no reported total has included it yet."""
    if not reference or amount is None or not 0 < amount <= payment.captured_amount:
        return None
    known = payment.refunds.filter(provider_reference=reference).first()
    if known is not None:
        return known
    counted = payment.refunds.filter(status=Refund.Status.SUCCEEDED, attempts=0, provider_reference="", amount=amount)
    refund = counted.order_by("id").last() or Refund.objects.create(
        payment=payment, amount=amount, status=Refund.Status.PENDING, reason=_("Refunded at the provider.")
    )
    refund.provider_reference = reference
    return refund


def _record_failure(order: Order, refund: Refund, error: str) -> None:
    refund.error = error[:500]
    refund.save(update_fields=["status", "error", "provider_reference", "updated_at"])
    message = _("A refund failed: %(error)s") % {"error": error}
    events.record(order, "refund_failed", is_public=False, message=message)


@in_transaction(Refund)
def _claim(refund_id: int) -> Refund | None:
    refund = Refund.objects.select_for_update(of=("self",)).select_related("payment").get(pk=refund_id)
    is_claimed = refund.attempts > 0 and refund.next_attempt_at > timezone.now()
    if refund.status != Refund.Status.QUEUED or is_claimed:
        return None
    refund.attempts += 1
    refund.next_attempt_at = timezone.now() + LEASE
    refund.save(update_fields=["attempts", "next_attempt_at", "updated_at"])
    return refund


def _try_later(refund: Refund, error: str) -> Refund:
    wait = min(LONGEST_WAIT, timedelta(minutes=1) * 4 ** min(refund.attempts, 8))
    Refund.objects.filter(pk=refund.pk).update(next_attempt_at=timezone.now() + wait, error=error[:500])
    return Refund.objects.get(pk=refund.pk)


@in_transaction(Refund)
def _record_result(refund_id: int, result: RefundResult) -> Refund:
    order_id = Refund.objects.values_list("payment__order_id", flat=True).get(pk=refund_id)
    order = lifecycle.lock(order_id)
    refund = Refund.objects.get(pk=refund_id)
    payment = Payment.objects.select_for_update().get(pk=refund.payment_id)
    if refund.status not in (Refund.Status.QUEUED, Refund.Status.PENDING):
        return refund  # its webhook arrived first
    refund.provider_reference = result.reference or refund.provider_reference
    if result.status == "succeeded":
        _succeed(order, payment, refund)
        return refund
    refund.status = Refund.Status(result.status)
    if result.status == "failed":
        _record_failure(order, refund, result.error)
    else:
        refund.next_attempt_at = timezone.now() + CHECK_EVERY
        refund.save(update_fields=["status", "provider_reference", "next_attempt_at", "updated_at"])
    return refund


def _succeed(order: Order, payment: Payment, refund: Refund) -> None:
    refund.status, refund.error = Refund.Status.SUCCEEDED, ""
    refund.save(update_fields=["status", "error", "provider_reference", "updated_at"])
    payment.refunded_amount += refund.amount
    payment.save(update_fields=["refunded_amount", "updated_at"])
    order.refunded_amount += refund.amount
    order.save(update_fields=["refunded_amount", "updated_at"])
    order_status.update(order, payment, by=refund.actor, notify=False)
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


def _restock(order: Order, quantities: Mapping[str, int], *, reference: str) -> None:
    lines = {line.product_ref: line for line in order.lines.select_for_update(of=("self",)).order_by("pk")}
    for ref, quantity in quantities.items():
        line = lines.get(ref)
        if line is None or not 0 < quantity <= line.shipped_quantity - line.restocked_quantity:
            raise InvalidInput(_("Only units that were shipped can be returned to stock."), extra={"product": ref})
        order.lines.filter(pk=line.pk).update(restocked_quantity=F("restocked_quantity") + quantity)
    product_source().restock(quantities, reference=reference)
