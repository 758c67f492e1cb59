"""Amounts that are spread over parts, and rates as text."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache

from shop_core.money import unit

ZERO = Decimal(0)


def spread(amount: Decimal, weights: Sequence[Decimal], currency: str) -> list[Decimal]:
    """Divide an amount in proportion to the weights, in whole units of the currency, without losing one.

    By the largest remainder: each share is rounded down, and the units that are left go to the shares that lost most.
    If all weights are zero, all shares are equal. No share is larger than its weight if the amount is not larger than
    their sum. A fraction of a unit goes to the largest share.
    """
    smallest = unit(currency)
    parts = [int(weight.scaleb(10)) for weight in weights]
    whole = sum(parts)
    if not whole:
        parts, whole = [1] * len(weights), len(weights)
    units = int(amount / smallest)
    divided = [divmod(units * part, whole) for part in parts]
    left = units - sum(share for share, _remainder in divided)
    shares = [share * smallest for share, _remainder in divided]
    for place in sorted(range(len(shares)), key=lambda place: -divided[place][1])[:left]:
        shares[place] += smallest
    if fraction := amount - units * smallest:
        shares[max(range(len(shares)), key=shares.__getitem__)] += fraction
    return shares


@lru_cache(maxsize=256)
def rate_text(rate: Decimal) -> str:
    """A rate as APIs send it: ``0.16``."""
    return f"{rate.normalize():f}"


@lru_cache(maxsize=256)
def percent_text(rate: Decimal) -> str:
    """A rate in percent, without the sign: ``16`` or ``7.5``."""
    return f"{(rate * 100).normalize():f}"
