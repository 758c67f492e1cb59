"""Amounts: Decimal, quantised half up to the number of decimals that ISO 4217 gives the currency."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from functools import cache

EXPONENTS = {
    **dict.fromkeys(
        (
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "UYI",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
"""ISO 4217 minor units of the currencies that do not have two."""

MAX_AMOUNT = Decimal("9999999999.9999")
"""What the columns can hold."""


def exponent(currency: str) -> int:
    """The number of decimals of a currency."""
    return EXPONENTS.get(currency, 2)


def quantise(amount: Decimal, currency: str) -> Decimal:
    """The amount with the currency's decimals, rounded half up."""
    return amount.quantize(_unit(currency), rounding=ROUND_HALF_UP)


@cache
def _unit(currency: str) -> Decimal:
    return Decimal(1).scaleb(-exponent(currency))


def as_text(amount: Decimal, currency: str) -> str:
    """The amount as the API writes it: plain digits with the currency's decimals."""
    return f"{quantise(amount, currency):f}"


def minor_units(amount: Decimal, currency: str) -> int:
    """The amount in cents, or whatever the currency's smallest unit is."""
    return int(quantise(amount, currency).scaleb(exponent(currency)))


def from_minor_units(amount: int, currency: str) -> Decimal:
    """The amount that a provider writes in the currency's smallest unit."""
    return quantise(Decimal(amount).scaleb(-exponent(currency)), currency)
