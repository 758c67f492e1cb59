"""A cell becomes a value of its column's kind: text, amount, whole number, weight, yes or no, time."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from shop_catalog.imports.understanding import numbers, times
from shop_catalog.imports.understanding.guards import without_guard

TEXT, CODE, AMOUNT, WHOLE, WEIGHT, FLAG, TIME = "text", "code", "amount", "whole", "weight", "flag", "time"
NUMERIC = frozenset({AMOUNT, WHOLE, WEIGHT})

GRAM = Decimal("0.001")
UNITS = {
    "kg": Decimal(1),
    "g": GRAM,
    "lb": Decimal("0.45359237"),
    "lbs": Decimal("0.45359237"),
    "oz": Decimal("0.028349523125"),
}
"""Kilograms of a unit."""

ERROR = re.compile(
    r"#(?:N/[AD]|NV|[¡¿]?(?:REF|BEZUG|VALUE|WERT|VALEUR|VALORE?|WAARDE|DIV/0|NULL?|NULO|NUM|ZAHL|GETAL|SPILL|CALC"
    r"|NAME|NOM|NOMBRE|NOME|NAAM) ?[!?])"
)
"""An error in any language: ``#N/A``, ``#BEZUG!``, ``#¡VALOR!``."""

SHORTENED = re.compile(r"^\d(?:[.,]\d+)?E\+\d{2,}$")
"""A long number as a spreadsheet shows and saves it: its last digits are lost."""

APOSTROPHE = re.compile(r"^'(?=\d+$)")
INVISIBLE = "".join(
    chr(code) for code in (0xA0, 0xAD, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF)
)
YES = "true yes 1 y x on active wahr ja j vrai oui vero verdadero verdadeiro sí sì si sim waar prawda tak ndiyo ✓ ✔"
NO = "false no 0 n off inactive falsch nein faux non falso não onwaar nee fałsz nie hapana"
FLAGS = {**dict.fromkeys(YES.split(), True), **dict.fromkeys(NO.split(), False)}
"""Yes and no, as people and the spreadsheets of several languages write them."""


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


def bare(text: str) -> str:
    """The text without the blanks and invisible characters around it."""
    return text.strip().strip(INVISIBLE).strip()


def read(cell: Any, reading: Reading) -> Any:
    """The value of a cell as the catalogue's fields accept it; ``None`` if the cell is empty.

    Raises:
        UnreadableCell: it holds an error of the spreadsheet, or no value of this kind.
    """
    text, is_guarded = without_guard(bare(as_text(cell)))
    if is_guarded and reading.target.kind in (TEXT, CODE):
        return text
    if not text:
        return None
    if text.startswith("#") and ERROR.fullmatch(text):
        raise UnreadableCell("spreadsheet_error", _("The spreadsheet has an error in this cell. Enter the value."))
    kind = reading.target.kind
    if kind == TEXT:
        return text
    if kind == CODE:
        return _code(text)
    if kind == FLAG:
        return FLAGS.get(text.casefold(), text)
    if kind == TIME:
        try:
            return times.read(cell if isinstance(cell, datetime) else text, order=reading.date_order)
        except times.NotATime as error:
            raise UnreadableCell(error.code, error.reason) from None
    return _number(cell if isinstance(cell, Decimal) else text, reading)


def _code(text: str) -> str:
    """An SKU or a similar number, with its zeros. An apostrophe in front of digits only keeps the zeros."""
    if SHORTENED.match(text):
        reason = _("The spreadsheet has shortened this number. Format the column as text, and enter it again.")
        raise UnreadableCell("shortened_number", reason)
    return APOSTROPHE.sub("", text)


def _number(cell: Decimal | str, reading: Reading) -> str:
    target, unit = reading.target, reading.target.unit
    try:
        if isinstance(cell, Decimal):
            value = _checked(cell, target)
        else:
            number = _split(cell)
            value = _checked(numbers.read(number, decimal=reading.decimal, is_certain=reading.is_certain), target)
            unit = _unit(number, target)
    except numbers.NotANumber as error:
        raise UnreadableCell(error.code, error.reason) from None
    if target.kind == WHOLE:
        return str(max(int(value), 0))
    if target.kind == WEIGHT and unit != 1:
        value = (value * unit).quantize(GRAM)
    return format(value, "f")


def _checked(value: Decimal, target: Target) -> Decimal:
    if value < 0 and not target.may_be_negative:
        raise numbers.NotANumber("negative")
    if target.kind == WHOLE and value != value.to_integral_value():
        raise numbers.NotANumber("not_whole")
    return value


def _split(text: str) -> numbers.Number:
    number = numbers.split(text)
    if number is None or len(number.digits) > 40:
        raise numbers.NotANumber("not_a_number")
    if number.unit == "%":
        raise numbers.NotANumber("percentage")
    return number


def _unit(number: numbers.Number, target: Target) -> Decimal:
    """The kilograms of one unit: the one in the cell, or the column's."""
    if target.kind != WEIGHT or not number.unit:
        return target.unit
    if number.unit.strip(".") not in UNITS:
        raise numbers.NotANumber("unknown_unit")
    return UNITS[number.unit.strip(".")]
