"""The tax lines of a part of an order, as a credit needs them: of returned products, of shipping, or of an amount.

The functions read the order's lines and charges, nothing else, and write nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple, TypedDict

from shop_core.money import as_text, quantise

from shop_orders.models import Charge, Order, OrderLine
from shop_orders.pricing.amounts import ZERO, rate_text, spread


class TaxLine(TypedDict):
    """A tax line as JSON. ``position`` is that of the order's charge; ``rate`` and ``base`` are null if not known."""

    position: int
    label: str
    rate: str | None
    base: str | None
    amount: str
    is_included: bool


def amount_of_lines(order: Order, units: Mapping[str, int], *, before: Mapping[str, int] | None = None) -> Decimal:
    """What units of products cost after discounts, with tax: ``{product_ref: units}``.

    ``before`` are the units that were credited earlier. All units of a line cost what the line costs, whether they are
    credited at once or one by one; units beyond them cost nothing.
    """
    return _cost_of_lines(order, _counts(order, units, before))


def tax_lines_of(
    order: Order,
    amount: Decimal,
    *,
    units: Mapping[str, int] | None = None,
    before: Mapping[str, int] | None = None,
    is_shipping: bool = False,
    credited: Iterable[Iterable[TaxLine]] = (),
) -> list[TaxLine]:
    """The tax lines of an amount, tax included, that is credited for products, for shipping and fees, or in general.

    Call it before ``credited_amount`` is raised; ``credited`` are the tax lines of the earlier credits. The amount is
    that of ``amount_of_lines`` or another: a part of the products' price has a part of their tax, what exceeds it is
    spread over all rates, in proportion to what is left of them. No tax line exceeds what is left of the order's, and
    the credit that completes the order's total takes all that is left.
    """
    left = _left(order, credited)
    rest = order.total - order.credited_amount
    if amount >= rest:
        return _as_json(left, order.currency)
    if amount <= 0:
        return []
    if units:
        counts = _counts(order, units, before)
        whole = _cost_of_lines(order, counts)
        parts = [_of_lines(tax, order, counts, whole) for tax in _all(order)]
    elif is_shipping:
        charges = [charge for charge in order.charges.all() if charge.kind in ("shipping", "fee")]
        whole = sum((quantise(cost(charge, charge.amount, order), order.currency) for charge in charges), ZERO)
        parts = [_of_charges(tax, order, whole) for tax in _all(order)]
    else:
        whole, parts = rest, left
    if amount <= whole:
        return _as_json(_within(_scaled(parts, amount, whole, order), left), order.currency)
    parts = _within(parts, left)
    others = [tax.plus(part, -1) for tax, part in zip(left, parts, strict=True)]
    extra = _within(_scaled(others, amount - whole, rest - whole, order), others)
    return _as_json([part.plus(more) for part, more in zip(parts, extra, strict=True)], order.currency)


def negative(lines: Iterable[TaxLine]) -> list[TaxLine]:
    """The tax lines of an amount that is asked for again, given those of its credit."""

    def negated(text: str) -> str:
        return f"-{text}" if Decimal(text) else text

    return [
        {**line, "base": None if line["base"] is None else negated(line["base"]), "amount": negated(line["amount"])}
        for line in lines
    ]


def cost(row: OrderLine | Charge, amount: Decimal, order: Order) -> Decimal:
    """What a line, shipping or a fee costs after discounts, with tax. Not rounded.

    A tax that is added without being known for the lines costs each in proportion.
    """
    known = amount + row.discount if row.net is None or row.tax is None else row.net + row.tax
    unknown = sum((tax.amount for tax in order.tax_lines if tax.lines is None and not tax.is_included), ZERO)
    return known * order.total / (order.total - unknown) if unknown and known else known


class _Tax(NamedTuple):
    """A tax of the order, or a part of it."""

    charge: Charge
    base: Decimal
    amount: Decimal

    def plus(self, other: _Tax, factor: int = 1) -> _Tax:
        return _Tax(self.charge, self.base + factor * other.base, self.amount + factor * other.amount)

    def times(self, part: Decimal, whole: Decimal, currency: str) -> _Tax:
        if not whole:
            return _Tax(self.charge, ZERO, ZERO)
        base, amount = (quantise(value * part / whole, currency) for value in (self.base, self.amount))
        return _Tax(self.charge, base, amount)


class _Count(NamedTuple):
    """Units of a line: from ``start``, counted from zero, to before ``end``."""

    line: OrderLine
    start: int
    end: int

    def share(self, amount: Decimal, currency: str) -> Decimal:
        """The part of an amount of the line. The parts of all units add up to the amount."""
        quantity = self.line.quantity
        return quantise(amount * self.end / quantity, currency) - quantise(amount * self.start / quantity, currency)


def _counts(order: Order, units: Mapping[str, int], before: Mapping[str, int] | None) -> dict[str, _Count]:
    counts = {}
    for line in order.lines.all():
        start = min((before or {}).get(line.product_ref, 0), line.quantity)
        end = min(start + units.get(line.product_ref, 0), line.quantity)
        counts[line.product_ref] = _Count(line, start, end)
    return counts


def _cost_of_lines(order: Order, counts: Mapping[str, _Count]) -> Decimal:
    costs = (count.share(cost(count.line, count.line.line_total, order), order.currency) for count in counts.values())
    return sum(costs, ZERO)


def _within(taxes: Iterable[_Tax], most: Iterable[_Tax]) -> list[_Tax]:
    return [
        _Tax(tax.charge, min(tax.base, limit.base), min(tax.amount, limit.amount))
        for tax, limit in zip(taxes, most, strict=True)
    ]


def _all(order: Order) -> list[_Tax]:
    return [_Tax(charge, charge.base or ZERO, charge.amount) for charge in order.tax_lines]


def _left(order: Order, credited: Iterable[Iterable[TaxLine]]) -> list[_Tax]:
    """The taxes of the order less what was credited of them."""
    left = {tax.charge.position: tax for tax in _all(order)}
    for lines in credited:
        for line in lines:
            tax = left[line["position"]]
            left[line["position"]] = tax.plus(
                _Tax(tax.charge, Decimal(line["base"] or 0), Decimal(line["amount"])), -1
            )
    return list(left.values())


def _of_lines(tax: _Tax, order: Order, counts: Mapping[str, _Count], whole: Decimal) -> _Tax:
    """The part of a tax that lies on units of lines; in proportion if it is not known."""
    if tax.charge.lines is None:
        return tax.times(whole, order.total, order.currency)
    base = amount = ZERO
    for ref, part in tax.charge.lines.items():
        amount += counts[ref].share(Decimal(part), order.currency)
        base += counts[ref].share(counts[ref].line.net or ZERO, order.currency)
    return _Tax(tax.charge, base, amount)


def _of_charges(tax: _Tax, order: Order, whole: Decimal) -> _Tax:
    """The part of a tax that lies on shipping and fees; in proportion if it is not known."""
    if tax.charge.lines is None:
        return tax.times(whole, order.total, order.currency)
    lines = {line.product_ref: line for line in order.lines.all()}
    on_lines = sum(map(Decimal, tax.charge.lines.values()), ZERO)
    net_of_lines = sum((lines[ref].net or ZERO for ref in tax.charge.lines), ZERO)
    return _Tax(tax.charge, max(tax.base - net_of_lines, ZERO), tax.amount - on_lines)


def _scaled(parts: Sequence[_Tax], amount: Decimal, whole: Decimal, order: Order) -> list[_Tax]:
    """The taxes of an amount, given those of the whole. Where each thing has one tax, bases and taxes add up to it."""
    taxes = _all(order)
    if sum((tax.base + tax.amount for tax in taxes), ZERO) != order.total:
        return [part.times(amount, whole, order.currency) for part in parts]
    weights = [part.base + part.amount for part in parts]
    if not any(weights):
        return list(parts)
    scaled = []
    for part, weight, gross in zip(parts, weights, spread(amount, weights, order.currency), strict=True):
        tax = part.amount if amount == whole or not weight else quantise(gross * part.amount / weight, order.currency)
        scaled.append(_Tax(part.charge, gross - tax, tax))
    return scaled


def _as_json(taxes: Iterable[_Tax], currency: str) -> list[TaxLine]:
    return [
        TaxLine(
            position=tax.charge.position,
            label=tax.charge.label,
            rate=None if tax.charge.tax_rate is None else rate_text(tax.charge.tax_rate),
            base=None if tax.charge.base is None else as_text(tax.base, currency),
            amount=as_text(tax.amount, currency),
            is_included=tax.charge.is_included,
        )
        for tax in taxes
        if tax.base or tax.amount
    ]
