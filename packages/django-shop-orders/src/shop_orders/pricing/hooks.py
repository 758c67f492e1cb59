"""The pricing hooks that the package ships, and the part of them that a site's own tax hooks can use."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from django.utils.translation import gettext as _
from shop_core.money import quantise

from shop_orders.pricing.amounts import ZERO, spread
from shop_orders.pricing.discounts import after_discounts
from shop_orders.pricing.drafts import Charge, Draft


def flat_rate_shipping(
    draft: Draft,
    *,
    amount: str,
    free_from: str = "",
    label: str = "",
    countries: Mapping[str, str] | None = None,
    tax_class: str | None = None,
) -> Iterable[Charge]:
    """One price per order: ``amount``, or the country's price in ``countries``. Free from a subtotal of ``free_from``,
    and for orders that need no delivery. Taxed like products of ``tax_class``, else like the products of the order."""
    if not draft.needs_delivery:
        return
    if free_from and draft.subtotal >= Decimal(free_from):
        return
    country = str(draft.shipping_address.get("country", ""))
    price = Decimal((countries or {}).get(country, amount))
    yield Charge(kind="shipping", label=label or _("Shipping"), amount=price, tax_class=tax_class)


def flat_rate_tax(
    draft: Draft, *, rate: str, rates: Mapping[str, str] | None = None, label: str = ""
) -> Iterable[Charge]:
    """Tax at ``rate`` (``"0.16"``), or at the rate of the tax class in ``rates``, as ``tax_at`` computes it."""
    known = {tax_class: Decimal(value) for tax_class, value in (rates or {}).items()}
    standard = Decimal(rate)
    return tax_at(draft, lambda tax_class: known.get(tax_class, standard), label=label)


def tax_at(draft: Draft, rate_of: Callable[[str], Decimal], *, label: str = "") -> Iterator[Charge]:
    """Tax at the rate of each tax class, as one charge for each rate. Call it after all other hooks.

    Each line is taxed after its share of the discounts and rounded half up. ``price_includes_tax`` of the line says
    whether its tax is included or added. Shipping and fees are taxed by their tax class, else in proportion to the
    products at each rate; they include tax if all lines do. Earlier taxes are not taxed.
    """
    goods, others = after_discounts(draft)
    sums: defaultdict[tuple[bool, Decimal], _Sum] = defaultdict(_Sum)
    at_rate: defaultdict[Decimal, Decimal] = defaultdict(lambda: ZERO)
    rates = {tax_class: rate_of(tax_class) for tax_class in {line.tax_class for line in draft.lines}}
    for line, amount in zip(draft.lines, goods, strict=True):
        rate = rates[line.tax_class]
        at_rate[rate] += amount
        found = sums[line.price_includes_tax, rate]
        found.lines[line.key] = found.add(amount, rate, draft.currency, is_included=line.price_includes_tax)
    is_included = draft.prices_include_tax
    for position, charge in enumerate(draft.charges):
        if not others[position]:
            continue
        for rate, amount in _rates_of(charge, others[position], draft, rates, at_rate, rate_of):
            if amount:
                found = sums[is_included, rate]
                found.charges[position] = found.add(amount, rate, draft.currency, is_included=is_included)
    for (is_inside, rate), found in sorted(sums.items(), reverse=True):
        if found.base:
            text = label or (_("Tax, included") if is_inside else _("Tax"))
            yield Charge(
                kind="tax",
                label=text,
                amount=found.tax,
                is_included=is_inside,
                rate=rate,
                base=found.base,
                lines=found.lines,
                charges=found.charges,
            )


def _rates_of(
    charge: Charge,
    amount: Decimal,
    draft: Draft,
    rates: Mapping[str, Decimal],
    at_rate: Mapping[Decimal, Decimal],
    rate_of: Callable[[str], Decimal],
) -> Iterable[tuple[Decimal, Decimal]]:
    """The rates at which shipping or a fee is taxed, each with its part of the amount."""
    if charge.tax_class is not None:
        return [(rate_of(charge.tax_class), amount)]
    if charge.lines:
        at_rate = _sums(draft, rates, lambda line: charge.lines.get(line.key, ZERO))
    elif not any(at_rate.values()):
        at_rate = _sums(draft, rates, lambda line: line.line_total)
    if len(at_rate) == 1:
        return [(rate, amount) for rate in at_rate]
    return list(zip(at_rate, spread(amount, list(at_rate.values()), draft.currency), strict=True))


def _sums(draft: Draft, rates: Mapping[str, Decimal], value: Callable[..., Decimal]) -> dict[Decimal, Decimal]:
    """The sum of a value of the lines for each rate."""
    sums: dict[Decimal, Decimal] = {}
    for line in draft.lines:
        rate = rates[line.tax_class]
        sums[rate] = sums.get(rate, ZERO) + value(line)
    return sums


@dataclass(slots=True)
class _Sum:
    """The sums at one rate so far."""

    base: Decimal = ZERO
    tax: Decimal = ZERO
    lines: dict[str, Decimal] = field(default_factory=dict)
    charges: dict[int, Decimal] = field(default_factory=dict)

    def add(self, amount: Decimal, rate: Decimal, currency: str, *, is_included: bool) -> Decimal:
        """Tax an amount. Returns the tax."""
        tax = quantise(amount * rate / (1 + rate) if is_included else amount * rate, currency)
        self.tax += tax
        self.base += amount - tax if is_included else amount
        return tax
