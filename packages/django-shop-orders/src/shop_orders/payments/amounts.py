"""Amounts that people enter."""

from __future__ import annotations

from decimal import Decimal

from django.utils.translation import gettext as _
from shop_core.money import MAX_AMOUNT, exponent, quantise

from shop_orders.exceptions import InvalidAmount


def exact(amount: Decimal, currency: str) -> Decimal:
    """The amount in the currency's decimals. Nothing is rounded: 10.005 KES is a typing error.

    Raises:
        InvalidAmount: it is not a number, too large, or has more decimals than the currency.
    """
    if not amount.is_finite() or abs(amount) > MAX_AMOUNT:
        raise InvalidAmount(_("This amount is larger than the shop can handle."))
    found = quantise(amount, currency)
    if found != amount:
        text = _("Amounts in %(currency)s have at most %(decimals)d decimals.")
        raise InvalidAmount(text % {"currency": currency, "decimals": exponent(currency)})
    return found
