"""What a provider reports about refunds: that one succeeded or failed, or the total that it has refunded so far."""

from __future__ import annotations

from decimal import Decimal

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from shop_core.money import as_text

from shop_orders import crediting, events
from shop_orders.models import Credit, Order, Payment, ProviderEvent, Refund
from shop_orders.payments import order_status

Outcome = ProviderEvent.Outcome


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
            succeed(order, payment, refund)
    if added:
        above = added - min(added, order.refund_due)
        reason = _("Refunded at the provider.")
        made_at_provider = Refund.objects.create(payment=payment, amount=added, reason=reason)
        crediting.give(order, above, kind=Credit.Kind.GOODWILL, reason=reason, refund=made_at_provider)
        succeed(order, payment, made_at_provider)
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
    refund.status = Refund.Status.FAILED
    record_failure(order, payment, refund, error)
    return Outcome.APPLIED


def succeed(order: Order, payment: Payment, refund: Refund) -> None:
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


def record_failure(order: Order, payment: Payment, refund: Refund, error: str) -> None:
    """Record that a refund failed. Its credit stays, so the money shows as ``refund_due`` again."""
    refund.error = error[:500]
    refund.save(update_fields=["status", "error", "provider_reference", "updated_at"])
    order_status.update(order, payment, notify=False)
    message = _("A refund failed: %(error)s") % {"error": error}
    events.record(order, "refund_failed", is_public=False, message=message)


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
