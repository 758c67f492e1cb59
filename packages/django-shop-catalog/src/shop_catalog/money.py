"""Amounts in the one currency of the catalogue."""

from __future__ import annotations

from decimal import Decimal

from django.utils.translation import gettext as _
from shop_core import money
from shop_core.money import MAX_AMOUNT

from shop_catalog.conf import app_settings
from shop_catalog.exceptions import InvalidPrice


def quantise(amount: Decimal) -> Decimal:
    """An amount with the currency's number of decimals, rounded half up."""
    return money.quantise(amount, app_settings.CURRENCY)


def as_text(amount: Decimal | None) -> str | None:
    """An amount as text, as the API and signals send it."""
    return None if amount is None else money.as_text(amount, app_settings.CURRENCY)


def check(amount: Decimal, *, field: str = "price") -> Decimal:
    """Refuse an amount that the currency or the database cannot hold exactly.

    Raises:
        InvalidPrice: it is negative, too large, not a number, or has more decimals than the currency.
    """
    if not amount.is_finite() or not 0 <= amount <= MAX_AMOUNT:
        raise InvalidPrice(_("The amount must be between 0 and 9,999,999,999.9999."), field=field)
    exact = quantise(amount)
    if exact != amount:
        message = _("%(amount)s has more decimals than %(currency)s.")
        raise InvalidPrice(message % {"amount": amount, "currency": app_settings.CURRENCY}, field=field)
    return exact
