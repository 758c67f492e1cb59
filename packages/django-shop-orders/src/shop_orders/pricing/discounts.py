"""Spreads discounts over the lines and charges that they lower."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from shop_orders.pricing.amounts import ZERO, spread
from shop_orders.pricing.drafts import Charge, Draft


def after_discounts(draft: Draft) -> tuple[list[Decimal], list[Decimal]]:
    """The amounts of the lines and of the charges after the discounts. Taxes and discounts themselves are zero.

    A discount lowers the products that its ``lines`` or its ``tax_class`` name, else all products, in proportion to
    what is left of them. What exceeds them lowers the other products, then shipping and fees; any remainder is
    ignored.
    """
    goods = [line.line_total for line in draft.lines]
    others = [charge.amount if charge.kind in ("shipping", "fee") else ZERO for charge in draft.charges]
    for charge in draft.charges:
        if charge.kind == "discount":
            left = _lower_named(draft, charge, goods)
            left = _lower(goods, range(len(goods)), left, draft.currency)
            _lower(others, range(len(others)), left, draft.currency)
    return goods, others


def _lower_named(draft: Draft, charge: Charge, goods: list[Decimal]) -> Decimal:
    """Lower the products that a discount names. Returns what is left of it."""
    left = -charge.amount
    if charge.lines:
        for place, line in enumerate(draft.lines):
            taken = min(-charge.lines.get(line.key, ZERO), goods[place])
            goods[place] -= taken
            left -= taken
    elif charge.tax_class is not None:
        named = [place for place, line in enumerate(draft.lines) if line.tax_class == charge.tax_class]
        left = _lower(goods, named, left, draft.currency)
    return left


def _lower(amounts: list[Decimal], places: Sequence[int], discount: Decimal, currency: str) -> Decimal:
    """Lower the amounts at these places by a discount, not below zero. Returns what is left of the discount."""
    weights = [amounts[place] for place in places]
    whole = sum(weights, ZERO)
    if not discount or not whole:
        return discount
    shares = weights if discount >= whole else spread(discount, weights, currency)
    for place, share in zip(places, shares, strict=True):
        amounts[place] -= share
    return max(discount - whole, ZERO)
