"""The account of an order: its credits, which are amounts that the customer no longer owes, and its payment status.

The functions that write are called with the order locked, in the transaction that makes the credit necessary.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from shop_core.money import as_text

from shop_orders.exceptions import InvalidInput
from shop_orders.models import Credit, Order, OrderLine, OrderStatus, Payment, PaymentStatus, Refund
from shop_orders.models.lines import by_key
from shop_orders.pricing import parts as tax_parts

OPEN = frozenset(map(str, Payment.OPEN))


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of an order that can be credited: units of some lines, or the shipping."""

    kind: Credit.Kind
    amount: Decimal
    lines: Mapping[str, int] = field(default_factory=dict)
    is_unsent: bool = False
    """Whether these are units that will not be sent."""


def parts(
    order: Order, lines: Mapping[str, int], *, shipping: bool, unsent: Mapping[str, int] | None = None
) -> list[Part]:
    """The price that the customer paid for ``{key: units}`` of lines and, if wanted, for shipping, less earlier
    credits. ``unsent`` are the units among them that will not be sent. They become a separate part, which comes first.

    Raises:
        InvalidInput: more units of a line than were ordered and not credited yet.
    """
    found = []
    if lines:
        credited = credited_units(order)
        ordered = {key: line.quantity for key, line in by_key(order.lines.all()).items()}
        for key, units in lines.items():
            if not 0 < units <= ordered.get(key, 0) - credited[key]:
                text = _("Only units that were ordered and not credited yet can be refunded.")
                raise InvalidInput(text, extra={"product": key})
        unsent = unsent or {}
        rest = {key: units - unsent.get(key, 0) for key, units in lines.items() if units > unsent.get(key, 0)}
        for share, is_unsent in ((unsent, True), (rest, False)):
            if share:
                cost = tax_parts.amount_of_lines(order, share, before=credited)
                found.append(Part(kind=Credit.Kind.LINES, amount=cost, lines=share, is_unsent=is_unsent))
                credited = credited + Counter(share)
    if shipping:
        rows = order.credits.filter(kind=Credit.Kind.SHIPPING).values_list("amount", flat=True)
        left = max(shipping_cost(order) - sum(rows, Decimal(0)), Decimal(0))
        found.append(Part(kind=Credit.Kind.SHIPPING, amount=left))
    return found


def credited_units(order: Order) -> Counter[str]:
    """The units of each line that were credited, by key."""
    units: Counter[str] = Counter()
    for lines in order.credits.filter(kind=Credit.Kind.LINES).values_list("lines", flat=True):
        units.update(lines)
    return units


def shipping_cost(order: Order) -> Decimal:
    """What the shipping cost the customer, after discounts and with tax."""
    return tax_parts.amount_of_shipping(order)


def add_credit(
    order: Order,
    amount: Decimal,
    *,
    kind: Credit.Kind,
    lines: Mapping[str, int] | None = None,
    reason: str = "",
    by: Any = None,
    refund: Refund | None = None,
) -> Decimal:
    """Credit an amount, at most what is left of the order's total. Returns the amount; 0 writes nothing."""
    amount = min(amount, order.total - order.credited_amount)
    if amount <= 0:
        return Decimal(0)
    tax_lines = tax_parts.tax_lines_of(
        order,
        amount,
        units=lines,
        before=credited_units(order) if lines else None,
        is_shipping=kind == Credit.Kind.SHIPPING,
        credited=order.credits.order_by("id").values_list("tax_lines", flat=True),
    )
    Credit.objects.create(
        order=order,
        amount=amount,
        kind=kind,
        lines=dict(lines or {}),
        tax_lines=tax_lines,
        reason=reason[:500],
        actor=by,
        refund=refund,
    )
    order.credited_amount += amount
    order.save(update_fields=["credited_amount", "updated_at"])
    return amount


def credit_parts(
    order: Order, amount: Decimal, wanted: Sequence[Part], *, reason: str, by: Any, refund: Refund | None = None
) -> None:
    """Credit an amount to the given parts of an order; any remainder is credited as goodwill."""
    for part in (*wanted, Part(kind=Credit.Kind.GOODWILL, amount=amount)):
        share = min(part.amount, amount)
        amount -= add_credit(order, share, kind=part.kind, lines=part.lines, reason=reason, by=by, refund=refund)


def credit_remainder(order: Order, *, kind: Credit.Kind, reason: str = "", by: Any = None) -> None:
    """Credit what is left of the order's total, as when it is cancelled."""
    add_credit(order, order.total - order.credited_amount, kind=kind, reason=reason, by=by)


def reverse_cancellation(order: Order, *, by: Any = None) -> None:
    """Reverse the credit of the cancellation or expiry, as when the order is reinstated."""
    credit = _cancellation_credit(order)
    if credit is None:
        return
    tax_lines = tax_parts.negative(credit.tax_lines)
    Credit.objects.create(
        order=order, amount=-credit.amount, kind=Credit.Kind.REINSTATEMENT, tax_lines=tax_lines, actor=by
    )
    order.credited_amount -= credit.amount
    order.save(update_fields=["credited_amount", "updated_at"])


def take_back(order: Order, refund: Refund, amount: Decimal, *, reason: str) -> None:
    """Take back a part of the goodwill that was credited with a refund: the customer owes it again."""
    given = list(order.credits.filter(refund=refund, kind=Credit.Kind.GOODWILL))
    whole = sum((credit.amount for credit in given), Decimal(0))
    tax_lines = tax_parts.share_of((credit.tax_lines for credit in given), amount, whole, order.currency)
    Credit.objects.create(
        order=order,
        amount=-amount,
        kind=Credit.Kind.GOODWILL,
        tax_lines=tax_parts.negative(tax_lines),
        reason=reason,
        refund=refund,
    )
    order.credited_amount -= amount
    order.save(update_fields=["credited_amount", "updated_at"])


def due_if_reinstated(order: Order) -> Decimal:
    """The amount that would be due if a cancelled order was reinstated: the whole total if its money was refunded.

    Refunds under way count as made.
    """
    if order.total and not order.refundable_amount:
        return order.total
    credit = _cancellation_credit(order)
    return max(order.balance + order.refunds_under_way + (credit.amount if credit else 0), Decimal(0))


def is_expired(order: Order) -> bool:
    """Whether an order was cancelled because it was not paid in time."""
    credit = _cancellation_credit(order)
    return order.status == OrderStatus.CANCELLED and credit is not None and credit.kind == Credit.Kind.EXPIRY


def _cancellation_credit(order: Order) -> Credit | None:
    """The credit of the order's cancellation or expiry; none if nothing was left of the total."""
    kinds = (Credit.Kind.CANCELLATION, Credit.Kind.EXPIRY, Credit.Kind.REINSTATEMENT)
    last = order.credits.filter(kind__in=kinds).order_by("id").last()
    return None if last is None or last.kind == Credit.Kind.REINSTATEMENT else last


def refund_payload(order: Order, refunds: Sequence[Refund]) -> dict[str, Any]:
    """The refunds of one request in the payload of their signal, with the goods that were refunded."""
    units: Counter[str] = Counter()
    for credited in order.credits.filter(refund__in=refunds, kind=Credit.Kind.LINES).values_list("lines", flat=True):
        units.update(credited)
    lines_by_key = by_key(order.lines.all()) if units else {}
    goods = [unit_payload(line, units[key]) for key, line in lines_by_key.items() if units[key]]
    amount = sum((row.amount for row in refunds), Decimal(0))
    return {"amount": as_text(amount, order.currency), "reason": refunds[0].reason, "lines": goods}


def unit_payload(line: OrderLine, quantity: int) -> dict[str, Any]:
    """Units of a line in the payload of a signal."""
    return {
        "line": line.line,
        "product_ref": line.product_ref,
        "name": line.name,
        "options": line.options,
        "options_text": line.options_text,
        "quantity": quantity,
    }


def payment_status_of(order: Order) -> PaymentStatus:
    """The payment status that follows from an order's amounts and its payments."""
    return payment_status(
        total=order.total,
        credited=order.credited_amount,
        captured=order.paid_amount,
        refunded=order.refunded_amount,
        attempts=list(order.payments.order_by("id").values_list("status", flat=True)),
    )


def payment_status(
    *, total: Decimal, credited: Decimal, captured: Decimal, refunded: Decimal, attempts: Sequence[str]
) -> PaymentStatus:
    """The payment status by the table of ``docs/reference/orders-states.md``.

    ``attempts`` are the statuses of the payments, the oldest first.
    """
    asked_for = total - credited
    if refunded > 0:
        if refunded >= captured:
            return PaymentStatus.REFUNDED
        return PaymentStatus.PAID if captured - refunded >= total else PaymentStatus.PART_REFUNDED
    if captured >= asked_for and (captured > 0 or total == 0):
        return PaymentStatus.PAID
    if Payment.Status.AUTHORISED in attempts:
        return PaymentStatus.AUTHORISED
    is_ended = bool(attempts) and attempts[-1] in (Payment.Status.FAILED, Payment.Status.CANCELLED)
    if captured < asked_for and is_ended and OPEN.isdisjoint(attempts):
        return PaymentStatus.FAILED
    return PaymentStatus.UNPAID
