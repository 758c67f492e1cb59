"""Numbers as people and spreadsheets write them: ``1.234,56 €``, ``1,234.50``, ``(5)``.

One separator with three digits after it can be either: ``1.250``. The other cells of the column decide.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from typing import Any, NamedTuple

from django.utils.translation import gettext_lazy as _

POINT, COMMA = ".", ","
OTHER = {POINT: COMMA, COMMA: POINT}

SIGNS = {
    "€": {"EUR"},
    "£": {"GBP"},
    "¥": {"JPY", "CNY"},
    "₹": {"INR"},
    "₦": {"NGN"},
    "₽": {"RUB"},
    "₺": {"TRY"},
    "₩": {"KRW"},
    "₵": {"GHS"},
    "ksh": {"KES"},
    "kshs": {"KES"},
    "tsh": {"TZS"},
    "ush": {"UGX"},
    "sh": {"KES", "TZS", "UGX", "SOS"},
    "/=": {"KES", "TZS", "UGX", "SOS"},
    "/-": {"KES", "TZS", "UGX", "SOS", "INR"},
    "fr": {"CHF", "XAF", "XOF", "RWF"},
    "kr": {"SEK", "NOK", "DKK", "ISK"},
    "zł": {"PLN"},
    "zl": {"PLN"},
    "kč": {"CZK"},
    "kc": {"CZK"},
    "ft": {"HUF"},
    "r$": {"BRL"},
}
"""A sign beside an amount, and the currencies that it can mean. ``$`` means any dollar or peso."""

SPACES = re.compile(r"[\s\u00a0\u202f\u2009'’´`]+")
ABBREVIATED = r"(?<=[^\W\d_])\.|(?<=/)\."
"""A point that belongs to a word: ``Fr. 12``, ``Rs.500``, ``S/.12``."""

PARTS = re.compile(
    rf"^(?P<open>\()?(?P<minus>[-−–])?(?P<before>(?:[^\d(.,%+-]|{ABBREVIATED})*?)(?P<second>[-−–+])?"
    r"(?P<digits>(?:(?<![^\W\d_])(?<!/)[.,])?\d[\d.,]*)"
    rf"(?P<after>(?:[^\d.,]|{ABBREVIATED})*?)(?P<third>(?<!/)[-−–])?(?P<close>\))?$"
)
WHOLE_AMOUNT = re.compile(r"(?<=\d)([.,])[-−–—]{1,2}(?=\D*$)")
"""No cents, as amounts are written by hand: ``12,-`` and ``12.—``."""

ONLY_DECIMALS = re.compile(r"(?<=[^\W\d_])\s+(?=[.,]\d)")
GROUPED = {
    POINT: re.compile(r"^\d{1,3}(?:,\d{2,3})*,\d{3}(?:\.\d*)?$"),
    COMMA: re.compile(r"^\d{1,3}(?:\.\d{2,3})*\.\d{3}(?:,\d*)?$"),
}
PLAIN = {POINT: re.compile(r"^\d*(?:\.\d*)?$"), COMMA: re.compile(r"^\d*(?:,\d*)?$")}


class NotANumber(ValueError):
    """A cell that holds no number of this kind. ``code`` names the reason."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
        self.reason = str(REASONS[code])


REASONS = {
    "not_a_number": _("This is not a number."),
    "ambiguous_number": _("This can be read in two ways. Choose whether a comma or a point begins the decimals."),
    "negative": _("A negative number is not possible here."),
    "percentage": _("A percentage is not possible here."),
    "unknown_unit": _("This unit is not known. Write the weight in kg, g, lb or oz."),
    "not_whole": _("Only whole numbers are possible here."),
}


class Number(NamedTuple):
    """The digits and separators of a cell, and what stands around them."""

    digits: str
    is_negative: bool
    unit: str


def split(text: str) -> Number | None:
    """The parts of a cell with a number; ``None`` if it holds none."""
    plain = ONLY_DECIMALS.sub("0", WHOLE_AMOUNT.sub(r"\g<1>00", unicodedata.normalize("NFKC", text)))
    found = PARTS.match(SPACES.sub("", plain))
    if found is None or bool(found["open"]) != bool(found["close"]):
        return None
    minus = [sign for sign in (found["minus"], found["second"], found["third"]) if sign and sign != "+"]
    unit, after = found["before"] or found["after"], found["after"]
    if found["before"] and after and not after.startswith("/") and found["before"].lower() != after.lower():
        return None
    return Number(found["digits"], bool(minus) or bool(found["open"]), unit.strip(":").lower())


def decimal_sign(digits: str) -> str:
    """The decimal sign that a cell proves; "" if it has no separator, or one that can be read in two ways."""
    points, commas = digits.count(POINT), digits.count(COMMA)
    if points and commas:
        return POINT if digits.rindex(POINT) > digits.rindex(COMMA) else COMMA
    if not points and not commas:
        return ""
    sign = POINT if points else COMMA
    if points + commas > 1:
        return OTHER[sign]
    before, _sign, after = digits.partition(sign)
    could_group = len(after) == 3 and 1 <= len(before) <= 3 and not before.startswith("0")
    return "" if could_group else sign


def read(number: Number, *, decimal: str, is_certain: bool) -> Decimal:
    """The value of a cell in a column with this decimal sign.

    ``is_certain=False``: the column shows both signs, so that each cell must prove its own.

    Raises:
        NotANumber: the separators do not fit.
    """
    own = decimal_sign(number.digits)
    if not is_certain and (POINT in number.digits or COMMA in number.digits):
        if not own:
            raise NotANumber("ambiguous_number")
        decimal = own
    if not (GROUPED[decimal].match(number.digits) or PLAIN[decimal].match(number.digits)):
        raise NotANumber("not_a_number")
    plain = number.digits.replace(OTHER[decimal], "").replace(decimal, ".")
    value = Decimal(plain.rstrip(".") if plain.endswith(".") else plain)
    return -value if number.is_negative else value


def is_other_currency(unit: str, currency: str) -> bool:
    """Whether a sign beside an amount is known to mean another currency than the catalogue's."""
    name = unit.strip(".")
    if not name or name == currency.lower():
        return False
    if name.endswith("$") and name != "r$":
        return not currency.endswith("D") and currency not in ("MXN", "CLP", "COP", "ARS", "UYU")
    return currency not in SIGNS.get(name, {name.upper()} if re.fullmatch("[a-z]{3}", name) else {currency})


class Evidence:
    """What the cells of one column show about their decimal sign."""

    def __init__(self) -> None:
        self.proofs = {POINT: 0, COMMA: 0}
        self.ambiguous = {POINT: 0, COMMA: 0}
        self.units: set[str] = set()

    def add(self, text: Any) -> None:
        """Count what one cell shows."""
        if not isinstance(text, str) or (number := split(text)) is None:
            return
        if number.unit and len(self.units) < 20:
            self.units.add(number.unit)
        sign = decimal_sign(number.digits)
        if sign:
            self.proofs[sign] += 1
        elif POINT in number.digits or COMMA in number.digits:
            self.ambiguous[POINT if POINT in number.digits else COMMA] += 1

    @property
    def decimal(self) -> str:
        """The one sign that is proven, or "" if none or both are."""
        proven = [sign for sign, count in self.proofs.items() if count]
        return proven[0] if len(proven) == 1 else ""

    @property
    def undecided(self) -> str:
        """The one separator of the cells that can be read in two ways, or ""."""
        shown = [sign for sign, count in self.ambiguous.items() if count]
        return shown[0] if len(shown) == 1 else ""

    @property
    def is_mixed(self) -> bool:
        """Whether the cells prove both signs, or prove none and have both as separators."""
        return all(self.proofs.values()) or (not any(self.proofs.values()) and all(self.ambiguous.values()))
