"""Amounts: decimals, rounded half up to the number of decimals that ISO 4217 gives the currency."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from functools import cache, lru_cache

_CURRENCIES = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
EXPONENTS = {currency: places for places, codes in _CURRENCIES.items() for currency in codes.split()}
"""ISO 4217 minor units of the currencies that do not have two."""

MAX_AMOUNT = Decimal("9999999999.9999")
"""The largest amount that the columns of the packages hold: 14 digits, 4 of them decimals."""


def exponent(currency: str) -> int:
    """The number of decimals of a currency."""
    return EXPONENTS.get(currency, 2)


@cache
def unit(currency: str) -> Decimal:
    """The smallest amount of a currency: ``Decimal("0.01")`` for KES, ``Decimal("1")`` for UGX."""
    return Decimal(1).scaleb(-exponent(currency))


def quantise(amount: Decimal, currency: str) -> Decimal:
    """The amount with the currency's decimals, rounded half up."""
    return amount.quantize(unit(currency), ROUND_HALF_UP)


def as_text(amount: Decimal, currency: str) -> str:
    """The amount as APIs send it: plain digits with the currency's decimals, no sign for zero."""
    return _as_text(str(amount), currency)


@lru_cache(maxsize=4096)  # by the digits: to hash a Decimal takes longer than to write it
def _as_text(digits: str, currency: str) -> str:
    return f"{quantise(Decimal(digits), currency) + 0:f}"
