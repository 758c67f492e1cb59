"""Countries that the shop offers in its address forms, by ISO 3166-1."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _

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


def choices() -> list[tuple[str, Any]]:
    """The shop's own country first, the others by name."""
    own = settings.SHOP_COUNTRY
    others = sorted(((code, name) for code, name in NAMES.items() if code != own), key=lambda item: str(item[1]))
    return [(own, NAMES.get(own, own)), *others]


def name_of(code: str) -> Any:
    """The name of a country, or the code if it is not in the list."""
    return NAMES.get(code, code)
