"""How a file with a header is read: what each column holds, and how its numbers and dates are written.

``understand`` finds this out. It reads the whole file once and writes nothing. ``Choices`` replace what it finds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import Any, NamedTuple

from django.utils.translation import gettext as _
from shop_core.money import exponent

from shop_catalog.conf import app_settings
from shop_catalog.exceptions import FileTooLarge, UnreadableFile
from shop_catalog.imports import maps
from shop_catalog.imports.queries import Store
from shop_catalog.imports.reading import CSV, ImportFile, delimited, encodings, spreadsheets
from shop_catalog.imports.reading.delimited import Line
from shop_catalog.imports.rows import Fault, RawRow
from shop_catalog.imports.understanding import cells, headers, numbers
from shop_catalog.imports.understanding.cells import Reading, Target
from shop_catalog.imports.understanding.survey import MAX_SHOWN, Survey

PREVIEW_ROWS = 10
MAX_COLUMNS = 1000
MOST_ROWS = 5000
"""The most rows of one product. All of them are in memory at once."""


@dataclass(frozen=True)
class Choices:
    """How a file is to be read. Empty values are found out.

    ``decimal`` is ``"."`` or ``","``, ``date_order`` ``"day"`` or ``"month"``. ``columns`` gives columns, by header or
    letter, another meaning: ``{"VK": "price", "#F": ""}``; an empty one is not used.
    """

    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""
    header_row: int = 0
    column_map: str | maps.ColumnMap = ""
    decimal: str = ""
    date_order: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)


class Column(NamedTuple):
    """A column of the file. ``reading`` is ``None`` if it is not used."""

    place: int
    letter: str
    header: str
    reading: Reading | None
    example: str = ""

    @property
    def target(self) -> str:
        return "" if self.reading is None else self.reading.target.name


@dataclass
class Table:
    """The rows of a file below its header, and how they are read."""

    file: ImportFile
    column_map: maps.ColumnMap
    header_row: int
    columns: list[Column]
    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""
    sheets: Sequence[str] = ()
    row_count: int = 0
    units: Sequence[str] = ()

    @property
    def problem(self) -> str:
        """Why no product can be imported with these columns, or ""."""
        if self.column_map.names_product([column.target for column in self.used]):
            return ""
        return _("No column holds the SKU. Name one “sku”, or choose the kind of file and what the columns hold.")

    @property
    def used(self) -> list[Column]:
        return [column for column in self.columns if column.reading is not None]

    @property
    def named_columns(self) -> list[Column]:
        """The columns that have a header."""
        return [column for column in self.columns if column.header.strip()]

    @property
    def unused(self) -> list[Column]:
        """Columns with a header that are not used."""
        return [column for column in self.named_columns if column.reading is None]

    def lines(self) -> Iterator[Line]:
        """The rows below the header that are not empty."""
        for line in _lines(self.file, self.encoding, self.delimiter, self.sheet):
            if line.number > self.header_row and not spreadsheets.is_empty(line.cells):
                yield line

    def rows(self) -> Iterator[RawRow]:
        """The rows of the file. Rows of one product come together, wherever they are in the file."""
        return self._products(self.lines())

    def preview(self) -> list[RawRow]:
        """The products of the first rows."""
        return list(islice(self._products(islice(self.lines(), PREVIEW_ROWS)), PREVIEW_ROWS))

    def _products(self, lines: Iterator[Line]) -> Iterator[RawRow]:
        records = (self._record(line) for line in lines)
        name = self.column_map.gathers
        if not name:
            for record in records:
                yield from self.column_map.rows([record])
            return
        with Store() as store:
            for key, group in groupby(store.gathered(records, name), key=lambda record: record.text(name)):
                together = list(islice(group, MOST_ROWS))
                problem = "" if key else _("The row does not say which product it belongs to.")
                if len(together) == MOST_ROWS:
                    problem = _("The product has more than 5000 rows.")
                if problem:
                    yield from (RawRow(record.number, {}, problem) for record in together)
                    yield from (RawRow(record.number, {}, problem) for record in group)
                else:
                    yield from self.column_map.rows(together)

    def _record(self, line: Line) -> maps.Record:
        record = maps.Record(line.number)
        for column in self.used:
            if column.place < len(line.cells):
                _read_cell(record, column, line.cells[column.place])
        width = len(self.columns)
        if any(cell is not None and str(cell).strip() for cell in line.cells[width:]):
            reason = _("The row has more cells than there are columns. Check its quotation marks and delimiters.")
            record.faults.append(Fault("", "too_many_cells", reason))
        return record


def understand(
    file: ImportFile, choices: Choices | None = None, *, max_rows: int = 0, is_preview: bool = False
) -> Table:
    """Find out how a file with a header is to be read. Reads it once to the end, or up to ``max_rows``.

    Raises:
        UnreadableFile: it cannot be read, or no column says which product is meant. For a preview the table is
            returned in that case, with its ``problem``.
        FileTooLarge: it has more rows.
    """
    choices = choices or Choices()
    table = _with_text_format(file, choices) if file.file_format == CSV else _with_sheet(file, choices)
    if table.problem and not is_preview:
        raise UnreadableFile(table.problem)
    _decide_readings(table, choices, max_rows)
    return table


def _with_text_format(file: ImportFile, choices: Choices) -> Table:
    encoding = encodings.known(choices.encoding) if choices.encoding else encodings.find(file.open())
    try:
        samples = delimited.samples(file.open(), encoding)
    except UnicodeError:
        message = _("The file is not text in %(encoding)s. Choose another encoding.")
        raise UnreadableFile(message % {"encoding": encodings.label(encoding)})
    if choices.delimiter:
        if choices.delimiter not in delimited.DELIMITERS:
            raise UnreadableFile(_("The delimiter must be a comma, a semicolon, a tab or a vertical bar."))
        first = {choices.delimiter: next(iter(samples.values())) if len(samples) == 1 else samples[choices.delimiter]}
    else:
        first = samples
    known = _known_headers(choices)
    delimiter = max(first, key=lambda sign: _fit(first[sign], known))
    table = _with_header(file, first[delimiter], choices, known)
    table.encoding, table.delimiter = encoding, delimiter
    return table


def _with_sheet(file: ImportFile, choices: Choices) -> Table:
    names = spreadsheets.sheets(file.open(), file.file_format)
    known = _known_headers(choices)
    found: Table | None = None
    for name in [choices.sheet] if choices.sheet else names:
        lines = spreadsheets.read(file.open(), file_format=file.file_format, sheet=name)
        sample = [list(line.cells) for line in islice(lines, delimited.SAMPLE_ROWS)]
        lines.close()  # type: ignore[attr-defined]
        if not sample and name != names[-1] and not choices.sheet:
            continue
        table = _with_header(file, sample, choices, known)
        table.sheet, table.sheets = name, names
        if not table.problem:
            return table
        found = found or table
    if found is None:
        raise UnreadableFile(_("The spreadsheet is empty."))
    return found


def _chosen_map(choices: Choices) -> maps.ColumnMap | None:
    chosen = choices.column_map
    if isinstance(chosen, maps.ColumnMap):
        return chosen
    return maps.choose(chosen) if chosen else None


def _known_headers(choices: Choices) -> set[str]:
    chosen = _chosen_map(choices)
    known = {header for found in ([chosen] if chosen else maps.shipped()) for header in found.headers}
    return known | {headers.plain(name) for name in choices.columns}


def _fit(rows: Sequence[Sequence[str]], known: set[str]) -> tuple[int, int]:
    """How well a delimiter fits: the number of known headers in the best row, then that of its cells."""
    place = headers.find_row(rows, known)
    if place < 0:
        return 0, max((len(row) for row in rows), default=0)
    return len({headers.plain(cell) for cell in rows[place]} & known), len(rows[place])


def _with_header(file: ImportFile, sample: Sequence[Sequence[Any]], choices: Choices, known: set[str]) -> Table:
    place = choices.header_row - 1 if choices.header_row else headers.find_row(sample, known)
    if not 0 <= place < len(sample):
        raise UnreadableFile(_("The file has no row that names the columns, such as “sku”, “name” and “price”."))
    header = [cells.as_text(cell) for cell in sample[place]]
    while header and not header[-1].strip():
        header.pop()
    if len(header) > MAX_COLUMNS:
        raise UnreadableFile(_("The file has more than 1000 columns."))
    plain = [headers.plain(cell) for cell in header]
    column_map = _chosen_map(choices) or maps.guess(plain)
    targets = [column_map.target(name, text) if name else None for name, text in zip(plain, header, strict=True)]
    _apply_choices(targets, plain, column_map, choices)
    columns = [
        Column(index, headers.letter(index), text, None if target is None else Reading(target))
        for index, (text, target) in enumerate(zip(header, targets, strict=True))
    ]
    return Table(file, column_map, place + 1, columns)


def _apply_choices(
    targets: list[Target | None], plain: Sequence[str], column_map: maps.ColumnMap, choices: Choices
) -> None:
    known = column_map.targets()
    for name, wanted in choices.columns.items():
        letter = name.strip().upper().removeprefix("#")
        places = [index for index, header in enumerate(plain) if header == headers.plain(name)]
        if not places or name.startswith("#"):
            places = [index for index in range(len(plain)) if headers.letter(index) == letter]
        target = known.get(wanted) or column_map.target(headers.plain(wanted), wanted)
        if not places or (wanted and target is None):
            unknown = wanted if places else name
            raise UnreadableFile(_("There is no column %(name)s.") % {"name": unknown[:MAX_SHOWN]})
        for index in places:
            targets[index] = target if wanted else None


def check_rows(count: int, max_rows: int) -> None:
    """Refuse a file with more rows than one upload may have; 0 is no limit."""
    if max_rows and count > max_rows:
        raise FileTooLarge(_("One upload holds at most %(max_rows)d rows. Split it.") % {"max_rows": max_rows})


def _decide_readings(table: Table, choices: Choices, max_rows: int) -> None:
    """Read all rows, and decide for each column how its numbers and dates are written."""
    targets = [None if column.reading is None else column.reading.target for column in table.columns]
    survey = Survey(targets)
    for line in table.lines():
        table.row_count += 1
        check_rows(table.row_count, max_rows)
        survey.add(line.cells)
    currency = app_settings.CURRENCY
    known = {place: target for place, target in enumerate(targets) if target is not None}
    for place, column in enumerate(table.columns):
        reading = None
        if place in known:
            reading = survey.reading(
                place,
                known[place],
                delimiter=table.delimiter,
                decimal=choices.decimal,
                date_order=choices.date_order,
                decimals=exponent(currency),
            )
        table.columns[place] = column._replace(reading=reading, example=survey.examples.get(place, ""))
    signs = survey.signs_beside(known)
    table.units = sorted(sign for sign in signs if numbers.is_other_currency(sign, currency))


def _lines(file: ImportFile, encoding: str, delimiter: str, sheet: str) -> Iterator[Line]:
    if file.file_format == CSV:
        return delimited.read(file.open(), encoding=encoding, delimiter=delimiter)
    return spreadsheets.read(file.open(), file_format=file.file_format, sheet=sheet)


def _read_cell(record: maps.Record, column: Column, cell: Any) -> None:
    reading = column.reading
    if reading is None or cell is None or cell == "":
        return
    name, shown = reading.target.name, cells.as_text(cell)[:MAX_SHOWN]
    try:
        value = cells.read(cell, reading)
    except cells.UnreadableCell as error:
        record.faults.append(Fault(name, error.code, error.reason, column.header, shown))
        return
    if value is None:
        return
    if name in record.values and record.values[name] != value:
        other = record.sources[name][0]
        reason = _("The columns “%(first)s” and “%(second)s” both give this value, and they differ.")
        names = {"first": other, "second": column.header}
        record.faults.append(Fault(name, "conflict", reason % names, column.header, shown))
        return
    record.values[name] = value
    record.sources[name] = (column.header, shown)
