"""Makes refunds, up to the captured amount. A refund is stored before the provider is called, so no crash loses it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django.db.models import Q, Sum
from django.utils.translation import gettext as _
from shop_core.money import as_text, quantise

from shop_orders import crediting, events, lifecycle
from shop_orders.exceptions import InvalidInput, RefundByHand, RefundTooLarge, UnknownPaymentProvider
from shop_orders.models import Order, Payment, Refund, texts
from shop_orders.payment_providers import aliases, label_of, payment_provider
from shop_orders.payments import amounts
from shop_orders.payments.sending import send_refund
from shop_orders.transactions import in_transaction, outside_transaction


@outside_transaction(Refund)
def refund(
    order_id: int,
    *,
    amount: Decimal | None = None,
    lines: Mapping[str, int] | None = None,
    shipping: bool = False,
    credit: bool = True,
    reason: str = "",
    restock: Mapping[str, int] | None = None,
    cancel: Mapping[str, int] | None = None,
    by: Any = None,
    notify: bool = True,
) -> list[Refund]:
    """Refund an amount, starting with the newest payment. The default is everything that can be refunded.

    Calls ``queue_refund`` and then the provider. If the provider is unavailable, the periodic job calls it again.
    """
    queued = queue_refund(
        order_id,
        amount=amount,
        lines=lines,
        shipping=shipping,
        credit=credit,
        reason=reason,
        restock=restock,
        cancel=cancel,
        by=by,
        notify=notify,
    )
    return [send_refund(row.pk) for row in queued]


@in_transaction(Refund)
def queue_refund(
    order_id: int,
    *,
    amount: Decimal | None = None,
    lines: Mapping[str, int] | None = None,
    shipping: bool = False,
    credit: bool = True,
    reason: str = "",
    restock: Mapping[str, int] | None = None,
    cancel: Mapping[str, int] | None = None,
    by: Any = None,
    notify: bool = True,
) -> list[Refund]:
    """Store refunds, which ``send_refund`` or the periodic job later sends to the provider.

    ``lines`` is ``{product_ref: units}`` of the goods that are refunded, or ``{line: units}`` as ``lifecycle.ship``
    takes them, and ``shipping`` refunds the shipping.
    Without an amount, what they cost the customer is refunded. A refund first uses up the order's ``refund_due``. What
    exceeds it is credited; with ``credit=False`` it is not, and the customer owes it again.
    ``restock`` is ``{product_ref: units}`` of shipped goods that came back and can be sold again. ``cancel`` is
    ``{product_ref: units}`` of ``lines`` that will not be sent: their stock is released, and their whole price is
    credited, so with a lower amount the rest shows as ``refund_due``. The default is all that are not shipped,
    without those in ``restock``; with ``credit=False``, none. An order of which nothing is left to send becomes
    shipped, or cancelled if no part of it was shipped.

    Raises:
        AmbiguousLine: several lines have a product; name the line.
        RefundByHand: part of the amount was paid through a provider that was removed from the settings. Staff send it
            back themselves and record it with ``record_provider_refund``.
        RefundTooLarge: the amount exceeds the captured money, less what was refunded and the refunds under way.
        InvalidInput: ``lines`` has more units of a product than were ordered and not credited yet, ``restock`` more
            than were shipped, or ``cancel`` more than are left to send. Or the reason is too long, or has a character
            that cannot be stored.
    """
    texts.check(Refund, reason=reason)
    order = lifecycle.lock(order_id)
    refunded, returned = lifecycle.units_of(order, lines or {}), lifecycle.units_of(order, restock or {})
    wanted = None if cancel is None else lifecycle.units_of(order, cancel)
    unsent = _units_to_cancel(order, refunded, returned, wanted, credit=credit)
    parts = crediting.parts(order, refunded, shipping=shipping, unsent=unsent)
    if amount is None and parts:
        amount = sum((part.amount for part in parts), Decimal(0))
    uncredited = order.total - order.credited_amount
    refunds = queue(order, amount, parts=parts, credit=credit, reason=reason, by=by, notify=notify)
    if returned:
        lifecycle.return_to_stock(order, returned, reference=str(refunds[0].public_id))
    if unsent:
        credited = min(parts[0].amount, uncredited)
        lifecycle.cancel_refunded_units(order, unsent, amount=credited, reason=reason, by=by, notify=notify)
    return refunds


def _units_to_cancel(
    order: Order,
    refunded: Mapping[str, int],
    returned: Mapping[str, int],
    wanted: Mapping[str, int] | None,
    *,
    credit: bool,
) -> dict[str, int]:
    """The units of a refund that will not be sent. Without a credit, they stay sold."""
    if credit:
        return lifecycle.units_to_cancel(order, refunded, returned=returned, wanted=wanted)
    if wanted:
        raise InvalidInput(_("Units that are not sent have to be credited."))
    return {}


def queue(
    order: Order,
    amount: Decimal | None,
    *,
    parts: Sequence[crediting.Part] = (),
    credit: bool = True,
    reason: str,
    by: Any,
    notify: bool,
    only: Payment | None = None,
) -> list[Refund]:
    """Store refunds that add up to the amount: of one or more payments, or of the payment ``only``. The caller has
    locked the order.

    The part of the amount that exceeds ``refund_due`` is credited now, even if the refunds fail later. Units that will
    not be sent are credited first and in full, which raises ``refund_due``.
    """
    available = _available(order, only)
    refundable = sum((part for _row, part in available), Decimal(0))
    wanted = refundable if amount is None else amounts.exact(amount, order.currency)
    if not 0 < wanted <= refundable:
        raise RefundTooLarge(refundable=quantise(refundable, order.currency), currency=order.currency)
    available = _of_known_providers(order, available, wanted)
    unsent = sum((part.amount for part in parts if part.is_unsent), Decimal(0))
    unsent = min(unsent, order.total - order.credited_amount)
    due = max(unsent - order.balance - order.refunds_under_way, Decimal(0))
    above = wanted - min(wanted, due)
    refunds, request_id = [], uuid4()
    for payment, maximum in available:
        part = min(maximum, wanted)
        if part > 0:
            values = {"payment": payment, "amount": part, "reason": reason, "actor": by, "notify": notify}
            refunds.append(Refund(request_id=request_id, **values))
            wanted -= part
    refunds = Refund.objects.bulk_create(refunds)
    if credit:
        crediting.credit_parts(order, unsent + above, parts, reason=reason, by=by, refund=refunds[0])
        lifecycle.update_after_credit(order, by=by)
    elif above:
        text = _("%(amount)s %(currency)s is refunded without a credit. The customer owes it again.")
        message = text % {"amount": as_text(above, order.currency), "currency": order.currency}
        events.record(order, "refund_without_credit", is_public=False, by=by, message=message)
    return refunds


def _available(order: Order, only: Payment | None) -> list[tuple[Payment, Decimal]]:
    """The captured payments, newest first, each with the amount that can still be refunded."""
    is_waiting = Q(refunds__status__in=(Refund.Status.QUEUED, Refund.Status.PENDING))
    payments = order.payments.filter(status=Payment.Status.CAPTURED).annotate(
        waiting=Sum("refunds__amount", filter=is_waiting, default=Decimal(0))
    )
    payments = payments if only is None else payments.filter(pk=only.pk)
    return [(row, row.refundable_amount - row.waiting) for row in payments.order_by("-id")]


def _of_known_providers(
    order: Order, available: Sequence[tuple[Payment, Decimal]], wanted: Decimal
) -> list[tuple[Payment, Decimal]]:
    """The payments that their providers can refund. Staff refund those of removed providers.

    Raises:
        RefundByHand: these payments have less than the wanted amount.
    """
    known = [(row, part) for row, part in available if row.provider in aliases()]
    refundable = sum((part for _row, part in known), Decimal(0))
    if wanted <= refundable:
        return known
    removed = next(row.provider for row, part in available if part and row.provider not in aliases())
    raise RefundByHand(provider=removed, refundable=as_text(refundable, order.currency), currency=order.currency)


def refund_excess(order: Order, payment: Payment, amount: Decimal) -> None:
    """Refund money that exceeds the amount due, or record a private event with what staff have to do.

    The payment that brought the excess is refunded: the money of other payments may have to be sent by hand. Staff
    decide in two cases: if they send the provider's refunds by hand, and if the order expired, since they may
    reinstate it. The caller has locked the order.
    """
    values = {
        "amount": as_text(amount, payment.currency),
        "currency": payment.currency,
        "provider": label_of(payment.provider),
    }
    if crediting.is_expired(order):
        text = _(
            "%(amount)s %(currency)s was paid after the order expired. Reinstate the order, if its goods are in "
            "stock, or refund the money."
        )
    elif _refunds_by_hand(payment):
        text = _(
            "Paid after the order was cancelled, or paid twice. Send %(amount)s %(currency)s back by %(provider)s,"
            " then record the refund here."
        )
    else:
        reason = _("Paid after the order was cancelled, or paid twice.")
        queue(order, amount, reason=reason, by=None, notify=True, only=payment)
        return
    events.record(order, "refund_due", is_public=False, message=text % values)


def _refunds_by_hand(payment: Payment) -> bool:
    """Whether staff send the refunds of a payment. True if its provider was removed from the settings."""
    try:
        return payment_provider(payment.provider).refunds_by_hand
    except UnknownPaymentProvider:
        return True
