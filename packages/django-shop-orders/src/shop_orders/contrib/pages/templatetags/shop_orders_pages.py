"""Money, tax rates and addresses in templates."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django import template
from django.utils.formats import number_format
from shop_core.money import exponent

from shop_orders.conf import app_settings
from shop_orders.contrib.pages import countries

register = template.Library()

SYMBOLS = {
    "KES": "KSh",
    "USD": "$",
    "EUR": "€",
    "GBP": "£",
    "UGX": "USh",
    "TZS": "TSh",
    "ZAR": "R",
    "NGN": "₦",
    "INR": "₹",
}


@register.filter
def money(amount: Decimal | None, currency: str = "") -> str:
    """An amount with all decimals of its currency: ``KSh 1,150.00``."""
    return _written(amount, currency, trim=False)


@register.filter
def price(amount: Decimal | None, currency: str = "") -> str:
    """An amount as on a price tag, without decimals if they are zero: ``KSh 1,150``."""
    return _written(amount, currency, trim=True)


def _written(amount: Decimal | None, currency: str, *, trim: bool) -> str:
    if amount is None:
        return ""
    code = currency or app_settings.CURRENCY
    decimals = exponent(code)
    if trim and amount == amount.to_integral_value():
        decimals = 0
    number = number_format(abs(amount), decimal_pos=decimals, use_l10n=True, force_grouping=True)
    return f"{'−' if amount < 0 else ''}{SYMBOLS.get(code, code)}\u00a0{number}"


@register.filter
def percent(rate: Decimal) -> str:
    """A tax rate: ``16 %`` for 0.16."""
    return f"{number_format((rate * 100).normalize(), use_l10n=True)}\u00a0%"


@register.filter
def plain(amount: Decimal | None) -> str:
    """A number in machine-readable form, in every language."""
    return "" if amount is None else f"{amount:f}"


@register.filter
def by_code(values: Mapping[str, Any], code: object) -> Any:
    """What a mapping has for a code, such as that of a delivery option; None if it has nothing."""
    return values.get(str(code))


@register.filter
def address_lines(address: Mapping[str, str]) -> list[str]:
    """The lines of a postal address, without empty ones."""
    place = " ".join(part for part in (address.get("postal_code"), address.get("city")) if part)
    country = str(countries.name_of(address.get("country", "")))
    lines = [address.get(name, "") for name in ("name", "company", "line1", "line2")]
    return [line for line in (*lines, place, address.get("region", ""), country) if line]
