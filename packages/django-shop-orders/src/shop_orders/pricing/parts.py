"""The tax lines of a part of an order, as a credit needs them: of returned products, of shipping, or of an amount.

The functions read the order's lines and charges, nothing else, and write nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple, TypedDict

from shop_core.money import as_text, quantise

from shop_orders.models import Charge, Order, OrderLine
from shop_orders.models.lines import by_key
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
    """What units of lines cost after discounts, with tax: ``{key: units}``.

    ``before`` are the units that were credited earlier. All units of a line cost what the line costs, whether they are
    credited at once or one by one; units beyond them cost nothing.
    """
    sold = _sold(order)
    return sold.cost_of_units(_counts(sold, units, before))


def amount_of_shipping(order: Order) -> Decimal:
    """What the shipping costs after discounts, with tax."""
    return _sold(order).cost_of_shipping()


def tax_lines_of(
    order: Order,
    amount: Decimal,
    *,
    units: Mapping[str, int] | None = None,
    before: Mapping[str, int] | None = None,
    is_shipping: bool = False,
    credited: Iterable[Iterable[TaxLine]] = (),
) -> list[TaxLine]:
    """The tax lines of an amount, tax included, that is credited for products, for shipping, or in general.

    Call it before ``credited_amount`` is raised; ``credited`` are the tax lines of the earlier credits. An amount up
    to the price of the products or the shipping has a proportional part of their tax. What exceeds the price is spread
    over all rates, in proportion to the tax that was not credited yet. The tax is never more than the amount, and the
    credits of a tax line are never more than the tax line. The credit that completes the total has all the tax that
    was not credited yet.
    """
    sold = _sold(order)
    left = _left(sold, credited)
    rest = order.total - order.credited_amount
    if amount >= rest:
        return _as_json(left, order.currency)
    if amount <= 0:
        return []
    if units:
        counts = _counts(sold, units, before)
        whole = sold.cost_of_units(counts)
        parts = [_of_units(tax, sold, counts, whole) for tax in sold.taxes]
    elif is_shipping:
        whole = sold.cost_of_shipping()
        parts = [_of_shipping(tax, sold, whole) for tax in sold.taxes]
    else:
        whole, parts = rest, left
    part = min(amount, whole)
    parts = _within(_scaled(parts, part, whole, sold), left)
    given = _gross(parts) if _is_divided(sold) else part  # less if a part of its tax was credited before
    others = [tax.plus(one, -1) for tax, one in zip(left, parts, strict=True)]
    extra = _within(_scaled(others, amount - given, rest - given, sold), others)
    found = [one.plus(more) for one, more in zip(parts, extra, strict=True)]
    return _as_json(_fitting(found, left, amount, rest, order.currency), order.currency)


def negative(lines: Iterable[TaxLine]) -> list[TaxLine]:
    """The tax lines of the reversal of a credit, given those of the credit."""

    def negated(text: str) -> str:
        return f"-{text}" if Decimal(text) else text

    return [
        {**line, "base": None if line["base"] is None else negated(line["base"]), "amount": negated(line["amount"])}
        for line in lines
    ]


def share_of(credited: Iterable[Iterable[TaxLine]], amount: Decimal, whole: Decimal, currency: str) -> list[TaxLine]:
    """The part of some credits' tax lines that belongs to ``amount``. The credits add up to ``whole``."""
    sums: dict[int, TaxLine] = {}
    for line in (line for lines in credited for line in lines):
        sums[line["position"]] = _plus(sums[line["position"]], line) if line["position"] in sums else line

    def part(text: str) -> str:
        return as_text(quantise(Decimal(text) * amount / whole, currency), currency)

    return [
        {**line, "base": None if line["base"] is None else part(line["base"]), "amount": part(line["amount"])}
        for line in sums.values()
    ]


def _plus(line: TaxLine, other: TaxLine) -> TaxLine:
    base = None if line["base"] is None else str(Decimal(line["base"]) + Decimal(other["base"] or 0))
    return {**line, "base": base, "amount": str(Decimal(line["amount"]) + Decimal(other["amount"]))}


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
    """A range of the units of a line: from ``start``, counted from zero, up to but not including ``end``."""

    line: OrderLine
    start: int
    end: int

    def share(self, amount: Decimal, currency: str) -> Decimal:
        """The part of an amount of the line. The parts of all units add up to the amount."""
        quantity = self.line.quantity
        return quantise(amount * self.end / quantity, currency) - quantise(amount * self.start / quantity, currency)


class _Sold(NamedTuple):
    """An order with its lines, charges and taxes."""

    order: Order
    lines: Mapping[str, OrderLine]
    charges: Sequence[Charge]
    taxes: Sequence[_Tax]

    def cost(self, row: OrderLine | Charge, amount: Decimal) -> Decimal:
        """What a line or a charge costs after discounts, with tax. Not rounded.

        A tax that is added and not divided raises the cost of all lines and charges in proportion.
        """
        known = amount + row.discount if row.net is None or row.tax is None else row.net + row.tax
        added = [tax for tax in self.taxes if not tax.charge.is_included]
        unknown = sum((tax.amount for tax in added if tax.charge.lines is None), ZERO)
        return known * self.order.total / (self.order.total - unknown) if unknown and known else known

    def cost_of_units(self, counts: Mapping[str, _Count]) -> Decimal:
        currency = self.order.currency
        costs = (count.share(self.cost(count.line, count.line.line_total), currency) for count in counts.values())
        return sum(costs, ZERO)

    def cost_of_shipping(self) -> Decimal:
        rows = [charge for charge in self.charges if charge.kind == Charge.Kind.SHIPPING]
        return sum((quantise(self.cost(row, row.amount), self.order.currency) for row in rows), ZERO)


def _sold(order: Order) -> _Sold:
    charges = list(order.charges.all())
    taxes = [_Tax(row, row.base or ZERO, row.amount) for row in charges if row.kind == Charge.Kind.TAX]
    return _Sold(order, by_key(order.lines.all()), charges, taxes)


def _counts(sold: _Sold, units: Mapping[str, int], before: Mapping[str, int] | None) -> dict[str, _Count]:
    counts = {}
    for key, line in sold.lines.items():
        start = min((before or {}).get(key, 0), line.quantity)
        counts[key] = _Count(line, start, min(start + units.get(key, 0), line.quantity))
    return counts


def _within(taxes: Iterable[_Tax], most: Iterable[_Tax]) -> list[_Tax]:
    return [
        _Tax(tax.charge, min(tax.base, limit.base), min(tax.amount, limit.amount))
        for tax, limit in zip(taxes, most, strict=True)
    ]


def _left(sold: _Sold, credited: Iterable[Iterable[TaxLine]]) -> list[_Tax]:
    """The taxes of the order less what was credited of them."""
    left = {tax.charge.position: tax for tax in sold.taxes}
    for lines in credited:
        for line in lines:
            tax = left[line["position"]]
            given = _Tax(tax.charge, Decimal(line["base"] or 0), Decimal(line["amount"]))
            left[line["position"]] = tax.plus(given, -1)
    return list(left.values())


def _of_units(tax: _Tax, sold: _Sold, counts: Mapping[str, _Count], whole: Decimal) -> _Tax:
    """The part of a tax on units of lines; in proportion if the tax is not divided."""
    currency = sold.order.currency
    if tax.charge.lines is None:
        return tax.times(whole, sold.order.total, currency)
    base = amount = ZERO
    for key, part in tax.charge.lines.items():
        amount += counts[key].share(Decimal(part), currency)
        base += counts[key].share(counts[key].line.net or ZERO, currency)
    return _Tax(tax.charge, base, amount)


def _of_shipping(tax: _Tax, sold: _Sold, whole: Decimal) -> _Tax:
    """The part of a tax on shipping; in proportion if the tax is not divided.

    First, the part on lines is subtracted. The rest belongs to shipping and fees: each charge at the rate of this tax
    has its stored tax, and the charges at several rates share what is left after these.
    """
    currency = sold.order.currency
    if tax.charge.lines is None:
        return tax.times(whole, sold.order.total, currency)
    left = _Tax(
        tax.charge,
        max(tax.base - sum((sold.lines[key].net or ZERO for key in tax.charge.lines), ZERO), ZERO),
        tax.amount - sum(map(Decimal, tax.charge.lines.values()), ZERO),
    )
    own, shared = _Tax(tax.charge, ZERO, ZERO), {False: ZERO, True: ZERO}
    for row in sold.charges:
        if row.net is None or row.tax is None or row.kind == Charge.Kind.TAX:
            continue
        is_shipping = row.kind == Charge.Kind.SHIPPING
        if row.tax_rate is None:
            shared[is_shipping] += row.net + row.tax
        elif row.tax_rate == tax.charge.tax_rate:
            part = _Tax(tax.charge, row.net, row.tax)
            left = left.plus(part, -1)
            own = own.plus(part) if is_shipping else own
    return own.plus(left.times(shared[True], sum(shared.values(), ZERO), currency))


def _scaled(parts: Sequence[_Tax], amount: Decimal, whole: Decimal, sold: _Sold) -> list[_Tax]:
    """The taxes of an amount, given those of the whole. If each line and charge has one tax, the bases and taxes add
    up to the amount.

    Elsewhere their sum is rounded once and spread, so that many small taxes do not all round up.
    """
    currency = sold.order.currency
    if not amount or not whole:
        return [_Tax(part.charge, ZERO, ZERO) for part in parts]
    if not _is_divided(sold):
        amounts = [part.amount for part in parts]
        sum_of_taxes = min(quantise(sum(amounts, ZERO) * amount / whole, currency), sum(amounts, ZERO))
        taxes = spread(sum_of_taxes, amounts, currency)
        bases = [part.times(amount, whole, currency) for part in parts]
        return [part._replace(amount=tax) for part, tax in zip(bases, taxes, strict=True)]
    weights = [part.base + part.amount for part in parts]
    if not any(weights):
        return list(parts)
    scaled = []
    for part, weight, gross in zip(parts, weights, spread(amount, weights, currency), strict=True):
        tax = part.amount if amount == whole or not weight else quantise(gross * part.amount / weight, currency)
        scaled.append(_Tax(part.charge, gross - tax, tax))
    return scaled


def _is_divided(sold: _Sold) -> bool:
    """Whether each line and charge has exactly one tax, so that the bases and taxes add up to the total."""
    return _gross(sold.taxes) == sold.order.total


def _gross(taxes: Iterable[_Tax]) -> Decimal:
    return sum((tax.base + tax.amount for tax in taxes), ZERO)


def _fitting(found: Sequence[_Tax], left: Sequence[_Tax], amount: Decimal, rest: Decimal, currency: str) -> list[_Tax]:
    """Adjust the taxes of a credit, so that their sum is not above the amount, and the tax that remains uncredited is
    not above the rest of the total."""
    taxes, most = [tax.amount for tax in found], [tax.amount for tax in left]
    sum_of_taxes, sum_left = sum(taxes, ZERO), sum(most, ZERO)
    if sum_of_taxes > amount:
        taxes = spread(amount, taxes, currency)
    elif sum_left - sum_of_taxes > rest - amount:
        missing = sum_left - sum_of_taxes - (rest - amount)
        free = [limit - tax for limit, tax in zip(most, taxes, strict=True)]
        taxes = [tax + more for tax, more in zip(taxes, spread(missing, free, currency), strict=True)]
    return [tax._replace(amount=fitting) for tax, fitting in zip(found, taxes, strict=True)]


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
