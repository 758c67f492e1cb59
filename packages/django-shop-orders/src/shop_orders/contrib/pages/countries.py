"""Countries that the address forms offer, by ISO 3166-1."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext_lazy as _

from shop_orders.conf import app_settings

NAMES = {
    "AT": _("Austria"),
    "BE": _("Belgium"),
    "BI": _("Burundi"),
    "BR": _("Brazil"),
    "BW": _("Botswana"),
    "CA": _("Canada"),
    "CD": _("Congo (DR)"),
    "CH": _("Switzerland"),
    "CN": _("China"),
    "DE": _("Germany"),
    "DK": _("Denmark"),
    "EG": _("Egypt"),
    "ES": _("Spain"),
    "ET": _("Ethiopia"),
    "FI": _("Finland"),
    "FR": _("France"),
    "GB": _("United Kingdom"),
    "GH": _("Ghana"),
    "IE": _("Ireland"),
    "IN": _("India"),
    "IT": _("Italy"),
    "JP": _("Japan"),
    "KE": _("Kenya"),
    "MU": _("Mauritius"),
    "MW": _("Malawi"),
    "MZ": _("Mozambique"),
    "NA": _("Namibia"),
    "NG": _("Nigeria"),
    "NL": _("Netherlands"),
    "NO": _("Norway"),
    "PL": _("Poland"),
    "PT": _("Portugal"),
    "RW": _("Rwanda"),
    "SE": _("Sweden"),
    "SN": _("Senegal"),
    "SO": _("Somalia"),
    "SS": _("South Sudan"),
    "TZ": _("Tanzania"),
    "UG": _("Uganda"),
    "US": _("United States"),
    "ZA": _("South Africa"),
    "ZM": _("Zambia"),
    "ZW": _("Zimbabwe"),
}


def choices(first: Iterable[str] | None = None) -> list[tuple[str, Any]]:
    """The countries of ``first``, by default PHONE_REGIONS, then the others by name."""
    top = list(dict.fromkeys(app_settings.PHONE_REGIONS if first is None else first))
    others = sorted(((code, name) for code, name in NAMES.items() if code not in top), key=lambda row: str(row[1]))
    return [*((code, name_of(code)) for code in top), *others]


def name_of(code: str) -> Any:
    """The name of a country, or the code if it is not in the list."""
    return NAMES.get(code, code)
