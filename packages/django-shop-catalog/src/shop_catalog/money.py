"""Amounts: decimals of the one currency of the catalogue, by ISO 4217."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from functools import cache

from django.utils.translation import gettext as _

from shop_catalog.conf import app_settings
from shop_catalog.exceptions import InvalidPrice

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
"""Decimals of the currencies that have not two."""

MAX_AMOUNT = Decimal("9999999999.9999")
"""What 14 digits with 4 decimals hold."""


@cache
def unit(currency: str) -> Decimal:
    """The smallest amount of a currency: ``Decimal("0.01")`` for KES, ``Decimal("1")`` for UGX."""
    return Decimal(1).scaleb(-EXPONENTS.get(currency, 2))


def quantise(amount: Decimal) -> Decimal:
    """An amount with the currency's number of decimals, rounded half up."""
    return amount.quantize(unit(app_settings.CURRENCY), rounding=ROUND_HALF_UP)


def to_text(amount: Decimal | None) -> str | None:
    """An amount as the API and signals show it."""
    return None if amount is None else str(quantise(amount))


def check(amount: Decimal, *, field: str = "price") -> Decimal:
    """Refuse an amount that the currency or the database cannot hold exactly.

    Raises:
        InvalidPrice: it is negative, too large, no number, or has more decimals than the currency.
    """
    if not amount.is_finite() or not 0 <= amount <= MAX_AMOUNT:
        raise InvalidPrice(_("The amount must be between 0 and 9,999,999,999.9999."), field=field)
    exact = quantise(amount)
    if exact != amount:
        message = _("%(amount)s has more decimals than %(currency)s.")
        raise InvalidPrice(message % {"amount": amount, "currency": app_settings.CURRENCY}, field=field)
    return exact
