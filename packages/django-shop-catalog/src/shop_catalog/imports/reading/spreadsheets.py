"""Rows of XLSX and ODS files, by openpyxl and python-calamine, which the extra ``[spreadsheets]`` installs.

openpyxl reads one row at a time and knows the number format of a cell. python-calamine holds a whole
sheet in memory, so the cells of an ODS sheet are counted before it is opened: a file of 10 kB can state a billion.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from xml.parsers import expat

from django.utils.translation import gettext as _

from shop_catalog.exceptions import FileTooLarge, UnreadableFile
from shop_catalog.imports.reading.delimited import Line
from shop_catalog.imports.reading.source import XLSX

MAX_UNPACKED = 1024 * 1024 * 1024
"""The most bytes that a spreadsheet may unpack to. A sheet is read as a stream."""

MAX_IN_MEMORY = 128 * 1024 * 1024
"""The most bytes of a part that is read at once, such as the texts of all cells."""

MOST_TIMES = 60
"""How many times its own size a spreadsheet may unpack to. A usual one unpacks to 5 to 20 times."""

SMALL = 16 * 1024 * 1024
MAX_FILES = 5_000
MAX_ROWS = 1_048_576
"""The rows of a sheet in Excel and LibreOffice."""

MAX_ODS_CELLS = 5_000_000

ESCAPED = re.compile("_x((?!D[89A-F])[0-9A-F]{4})_", re.IGNORECASE)
"""A character that XML cannot hold, as Excel writes it: ``_x000D_``."""


def sheets(stream: Any, file_format: str) -> list[str]:
    """The names of the visible sheets, in their order; of all if none is visible."""
    _check_size(stream, file_format)
    if file_format == XLSX:
        book = _open_xlsx(stream)
        names = [(sheet.title, sheet.sheet_state == "visible") for sheet in book.worksheets]
        book.close()
    else:
        names = [(info.name, "Visible" in str(info.visible)) for info in _open_ods(stream).sheets_metadata]
    visible = [name for name, is_visible in names if is_visible]
    if not names:
        raise UnreadableFile(_("The spreadsheet has no sheet."))
    return visible or [name for name, _is_visible in names]


def read(stream: Any, *, file_format: str, sheet: str) -> Iterator[Line]:
    """All rows of a sheet, without empty rows at its end. Formulas give their last result.

    Cells are ``str``, ``Decimal``, ``bool``, ``datetime`` or ``None``. A percentage is text: ``50%``.

    Raises:
        UnreadableFile: there is no such sheet, or the file is damaged.
    """
    reader = _read_xlsx if file_format == XLSX else _read_ods
    try:
        yield from reader(stream, sheet)
    except UnreadableFile:
        raise
    except Exception as error:
        raise UnreadableFile(_("The spreadsheet cannot be read. Save it again, or as CSV.")) from error


def _check_size(stream: Any, file_format: str) -> None:
    """Refuse a file that unpacks to too much. ``zipfile`` never reads more than a part's stated size."""
    try:
        stream.seek(0)
        with zipfile.ZipFile(stream) as archive:
            parts = archive.infolist()
            unpacked = sum(part.file_size for part in parts)
            most = min(MAX_UNPACKED, SMALL + MOST_TIMES * stream.seek(0, 2))
            if len(parts) > MAX_FILES or unpacked > most:
                raise FileTooLarge(_("The spreadsheet is too large when it is unpacked. Save it as CSV, or split it."))
            for part in parts:
                if not part.filename.startswith(("xl/worksheets/", "xl/media/")) and part.file_size > MAX_IN_MEMORY:
                    raise FileTooLarge(_("The spreadsheet holds too much text. Save it as CSV, or split it."))
            if file_format != XLSX:
                _count_ods_cells(archive)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, expat.ExpatError, KeyError):
        raise UnreadableFile(_("The spreadsheet cannot be read. Save it again, or as CSV."))


def _load(module: str) -> Any:
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError:
        message = _(
            "This shop cannot read spreadsheets yet. Save the file as CSV, or install "
            "`pip install django-shop-catalogue[spreadsheets]`."
        )
        raise UnreadableFile(message) from None


def _open_xlsx(stream: Any) -> Any:
    openpyxl = _load("openpyxl")
    try:
        stream.seek(0)
        return openpyxl.load_workbook(stream, read_only=True, data_only=True, keep_links=False)
    except Exception as error:
        raise UnreadableFile(_("The spreadsheet cannot be read. Save it again, or as CSV.")) from error


def _read_xlsx(stream: Any, sheet: str) -> Iterator[Line]:
    book = _open_xlsx(stream)
    try:
        if sheet not in [found.title for found in book.worksheets]:
            raise UnreadableFile(_("There is no sheet %(name)s.") % {"name": sheet})
        page = book[sheet]
        page.reset_dimensions()  # programs state wrong ones
        yield from _without_empty_end([_xlsx_value(cell) for cell in row] for row in page.iter_rows())
    finally:
        book.close()


def _xlsx_value(cell: Any) -> Any:
    value = cell.value
    if isinstance(value, int | float) and not isinstance(value, bool):
        shown_as = cell.number_format or ""
        if "%" in shown_as:
            return f"{_number(value * 100):f}%"
        if len(shown_as) > 1 and not shown_as.strip("0") and value == int(value) >= 0:
            return str(int(value)).zfill(len(shown_as))
    return _plain(value)


def _open_ods(stream: Any) -> Any:
    calamine = _load("python_calamine")
    try:
        stream.seek(0)
        return calamine.CalamineWorkbook.from_filelike(stream)
    except Exception as error:
        raise UnreadableFile(_("The spreadsheet cannot be read. Save it again, or as CSV.")) from error


def _read_ods(stream: Any, sheet: str) -> Iterator[Line]:
    book = _open_ods(stream)
    if sheet not in book.sheet_names:
        raise UnreadableFile(_("There is no sheet %(name)s.") % {"name": sheet})
    page = book.get_sheet_by_name(sheet)
    first = (page.start or (0, 0))[0]
    rows = page.to_python(skip_empty_area=False) if first else page.to_python()
    yield from _without_empty_end([_plain(value) for value in row] for row in rows)


def _count_ods_cells(archive: zipfile.ZipFile) -> None:
    """Refuse a sheet whose repeated rows and columns make more cells than fit into memory."""
    counter = _OdsCells()
    parser = expat.ParserCreate()
    parser.StartElementHandler = counter.start
    parser.EndElementHandler = counter.end
    parser.CharacterDataHandler = counter.text
    with archive.open("content.xml") as content:
        parser.ParseFile(content)


class _OdsCells:
    """Counts the cells of the area in use, from the first cell of each sheet to its last one that is not empty."""

    def __init__(self) -> None:
        self.row = self.width = self.column = self.repeated = 0
        self.is_filled = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "table:table":
            self.row = self.width = 0
        elif name == "table:table-row":
            self.column, self.is_filled = 0, False
            self.repeated = _count(attributes.get("table:number-rows-repeated"))
        elif name in ("table:table-cell", "table:covered-table-cell"):
            self.column += _count(attributes.get("table:number-columns-repeated"))
            if any(key.startswith(("office:value", "office:date", "office:boolean")) for key in attributes):
                self._fill()

    def text(self, content: str) -> None:
        if self.column and content.strip():
            self._fill()

    def end(self, name: str) -> None:
        if name == "table:table-row":
            self.row += self.repeated
            if self.is_filled and self.row * self.width > MAX_ODS_CELLS:
                raise FileTooLarge(_("The spreadsheet has too many cells. Save it as CSV, or split it."))

    def _fill(self) -> None:
        self.is_filled = True
        self.width = max(self.width, self.column)


def _count(stated: str | None) -> int:
    return int(stated) if stated is not None and stated.isascii() and stated.isdigit() else 1


def _without_empty_end(rows: Any) -> Iterator[Line]:
    """Rows with their numbers. Empty ones are held back until a row with content follows."""
    held: list[int] = []
    for number, cells in enumerate(rows, start=1):
        if number > MAX_ROWS:
            raise UnreadableFile(_("The sheet has more rows than a spreadsheet can have."))
        if all(cell is None for cell in cells):
            held.append(number)
            continue
        yield from (Line(empty, ()) for empty in held)
        held.clear()
        yield Line(number, cells)


def _plain(value: Any) -> Any:
    """A cell's value as text, a number, true or false, a time, or nothing."""
    if isinstance(value, str):
        return ESCAPED.sub(lambda found: chr(int(found[1], 16)), value) or None
    if value is None or isinstance(value, bool | datetime):
        return value
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - the site's time zone is added later
    if isinstance(value, time | timedelta):
        return str(value)
    return str(value)


def _number(value: float) -> Decimal:
    """As a spreadsheet shows it: 15 digits, without the error of binary fractions."""
    number = Decimal(format(value, ".15g")) if isinstance(value, float) else Decimal(value)
    return number.quantize(Decimal(1)) if number == number.to_integral_value() and abs(number) < 10**15 else number


def is_empty(cells: Sequence[Any]) -> bool:
    """Whether a row has no content."""
    return all(cell is None or (isinstance(cell, str) and not cell.strip()) for cell in cells)
