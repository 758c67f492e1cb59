"""Sentences about how a file was understood."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from shop_catalog.imports.reading import ODS, XLSX
from shop_catalog.imports.reading.encodings import label
from shop_catalog.imports.tables import Table
from shop_catalog.imports.understanding.cells import NUMERIC, TIME
from shop_catalog.imports.understanding.numbers import COMMA
from shop_catalog.imports.understanding.times import DAY_FIRST

DELIMITERS: dict[str, str | Promise] = {
    ",": gettext_lazy("commas"),
    ";": gettext_lazy("semicolons"),
    "\t": gettext_lazy("tabs"),
    "|": gettext_lazy("vertical bars"),
}
SPREADSHEETS = {XLSX: "Excel", ODS: "OpenDocument"}


def describe(table: Table) -> str:
    """For example: "semicolons, Windows-1252, decimal comma; 14 columns known, 3 not used"."""
    parts = [str(DELIMITERS[table.delimiter]), label(table.encoding)] if table.delimiter else []
    if table.file.file_format in SPREADSHEETS:
        parts = [SPREADSHEETS[table.file.file_format], _("sheet “%(name)s”") % {"name": table.sheet}]
    parts += _numbers(table)
    if table.header_row > 1:
        parts.append(_("header in row %(row)d") % {"row": table.header_row})
    used, unused = len(table.used), len(table.unused)
    known = ngettext("%(count)d column known", "%(count)d columns known", used) % {"count": used}
    not_used = _("%(count)d not used") % {"count": unused}
    return f"{', '.join(parts)}; {known}, {not_used}"


def warnings(table: Table) -> list[str]:
    """What staff should check before the file is imported."""
    found = [table.problem] if table.problem else []
    if table.units:
        message = _("Amounts are marked with %(signs)s, and are read as amounts in the currency of the catalogue.")
        found.append(message % {"signs": ", ".join(table.units)})
    if any(column.reading is not None and not column.reading.is_certain for column in table.columns):
        found.append(_("A column has both decimal commas and decimal points."))
    return found


def _numbers(table: Table) -> list[str]:
    readings = [column.reading for column in table.used if column.reading is not None]
    numeric = [reading for reading in readings if reading.target.kind in NUMERIC]
    found = []
    if any(not reading.is_certain for reading in numeric):
        found.append(_("decimal comma and decimal point"))
    elif any(reading.decimal == COMMA for reading in numeric):
        found.append(_("decimal comma"))
    elif numeric:
        found.append(_("decimal point"))
    orders = {reading.date_order for reading in readings if reading.target.kind == TIME} - {""}
    found += [_("day before month") if order == DAY_FIRST else _("month before day") for order in sorted(orders)]
    return found
