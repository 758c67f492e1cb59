"""A cell becomes a value of its column's kind: text, amount, whole number, weight, yes or no, time."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from shop_catalog.imports.understanding import numbers, times

TEXT, AMOUNT, WHOLE, WEIGHT, FLAG, TIME = "text", "amount", "whole", "weight", "flag", "time"
NUMERIC = frozenset({AMOUNT, WHOLE, WEIGHT})

GRAM = Decimal("0.001")
ERROR = re.compile(r"#(?:N/A|REF!|VALUE!|DIV/0!|NAME\?|NULL!|NUM!|SPILL!|CALC!|NV|BEZUG!|WERT!|ZAHL!|WAARDE!|VALEUR!)")
GUARDED = re.compile("^'(?=[=+\\-@\t\r'])")
"""An apostrophe that keeps a spreadsheet from calculating a cell. It is not part of the value."""

FLAGS = {
    **dict.fromkeys(("true", "yes", "1", "y", "x", "on", "active", "wahr", "ja", "j", "✓"), True),
    **dict.fromkeys(("false", "no", "0", "n", "off", "inactive", "falsch", "nein"), False),
}


class Target(NamedTuple):
    """What a column holds: the name of the value, its kind, and for a weight the kilograms of one unit."""

    name: str
    kind: str = TEXT
    unit: Decimal = Decimal(1)
    may_be_negative: bool = False


class Reading(NamedTuple):
    """How the cells of a column are read."""

    target: Target
    decimal: str = numbers.POINT
    is_certain: bool = True
    date_order: str = ""


class UnreadableCell(ValueError):
    """A cell that cannot be read as its column's kind."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def as_text(cell: Any) -> str:
    """The cell as its spreadsheet would show it."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, Decimal):
        return format(cell, "f")
    if isinstance(cell, datetime):
        has_time = any((cell.hour, cell.minute, cell.second))
        return cell.isoformat(" ", "seconds") if has_time else cell.date().isoformat()
    return str(cell)


def read(cell: Any, reading: Reading) -> Any:
    """The value of a cell as the catalogue's fields accept it; ``None`` if the cell is empty.

    Raises:
        UnreadableCell: it holds an error of the spreadsheet, or nothing of this kind.
    """
    text = GUARDED.sub("", as_text(cell).strip().strip("\u00a0\u200b\ufeff").strip())
    if not text:
        return None
    if text.startswith("#") and ERROR.fullmatch(text):
        raise UnreadableCell("spreadsheet_error", _("The spreadsheet has an error in this cell. Enter the value."))
    kind = reading.target.kind
    if kind == TEXT:
        return text
    if kind == FLAG:
        return FLAGS.get(text.casefold(), text)
    if kind == TIME:
        try:
            return times.read(cell if isinstance(cell, datetime) else text, order=reading.date_order)
        except times.NotATime as error:
            raise UnreadableCell(error.code, error.reason) from None
    return _number(cell if isinstance(cell, Decimal) else text, reading)


def _number(cell: Decimal | str, reading: Reading) -> str:
    target = reading.target
    try:
        value = _checked(cell if isinstance(cell, Decimal) else _parse(cell, reading), target)
    except numbers.NotANumber as error:
        raise UnreadableCell(error.code, error.reason) from None
    if target.kind == WHOLE:
        return str(max(int(value), 0))
    if target.kind == WEIGHT and target.unit != 1:
        value = (value * target.unit).quantize(GRAM)
    return format(value, "f")


def _checked(value: Decimal, target: Target) -> Decimal:
    if value < 0 and not target.may_be_negative:
        raise numbers.NotANumber("negative")
    if target.kind == WHOLE and value != value.to_integral_value():
        raise numbers.NotANumber("not_whole")
    return value


def _parse(text: str, reading: Reading) -> Decimal:
    number = numbers.split(text)
    if number is None or len(number.digits) > 40:
        raise numbers.NotANumber("not_a_number")
    if number.unit == "%":
        raise numbers.NotANumber("percentage")
    return numbers.read(number, decimal=reading.decimal, is_certain=reading.is_certain)
