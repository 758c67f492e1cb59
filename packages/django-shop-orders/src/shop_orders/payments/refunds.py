"""Makes refunds, up to the captured amount. A refund is stored before the provider is called, so no crash loses it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.db.models import F, Q, Sum
from django.utils.translation import gettext as _
from shop_core.money import as_text, quantise

from shop_orders import crediting, events, lifecycle
from shop_orders.exceptions import InvalidInput, RefundTooLarge
from shop_orders.models import Credit, Order, Payment, Refund
from shop_orders.payment_providers import payment_provider
from shop_orders.payments.sending import send_refund
from shop_orders.product_sources import product_source
from shop_orders.transactions import in_transaction, outside_transaction


@outside_transaction(Refund)
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


def queue(order: Order, amount: Decimal | None, *, reason: str, by: Any, notify: bool) -> list[Refund]:
    """Store refunds of one or more payments that add up to the amount. The caller has locked the order.

    The part of the amount that exceeds ``refund_due`` is credited now, whatever becomes of the refunds.
    """
    is_waiting = Q(refunds__status__in=(Refund.Status.QUEUED, Refund.Status.PENDING))
    payments = order.payments.filter(status=Payment.Status.CAPTURED).annotate(
        waiting=Sum("refunds__amount", filter=is_waiting, default=Decimal(0))
    )
    available = [(row, row.refundable_amount - row.waiting) for row in payments.order_by("-id")]
    refundable = sum((part for _row, part in available), Decimal(0))
    wanted = refundable if amount is None else quantise(amount, order.currency)
    if not 0 < wanted <= refundable:
        raise RefundTooLarge(refundable=quantise(refundable, order.currency), currency=order.currency)
    above = wanted - min(wanted, order.refund_due)
    refunds = []
    for payment, maximum in available:
        part = min(maximum, wanted)
        if part > 0:
            refunds.append(Refund(payment=payment, amount=part, reason=reason[:500], actor=by, notify=notify))
            wanted -= part
    refunds = Refund.objects.bulk_create(refunds)
    crediting.give(order, above, kind=Credit.Kind.GOODWILL, reason=reason, by=by, refund=refunds[0])
    return refunds


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


def _restock(order: Order, quantities: Mapping[str, int], *, reference: str) -> None:
    lines = {line.product_ref: line for line in order.lines.select_for_update(of=("self",)).order_by("pk")}
    for ref, quantity in quantities.items():
        line = lines.get(ref)
        if line is None or not 0 < quantity <= line.shipped_quantity - line.restocked_quantity:
            raise InvalidInput(_("Only units that were shipped can be returned to stock."), extra={"product": ref})
        order.lines.filter(pk=line.pk).update(restocked_quantity=F("restocked_quantity") + quantity)
    product_source().restock(quantities, reference=reference)
