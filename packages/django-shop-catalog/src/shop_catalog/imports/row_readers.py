"""Rows of an import file, one at a time: CSV, JSON lines, a JSON array. All in UTF-8."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any, NamedTuple

from django.utils.translation import gettext as _
from shop_core.api.bodies import refuse_constant, unique_keys

from shop_catalog.exceptions import FileTooLarge, UnreadableFile

CSV = "csv"
JSON_LINES = "ndjson"
JSON_ARRAY = "json"
FORMATS = (CSV, JSON_LINES, JSON_ARRAY)
FORMAT_BY_SUFFIX = {"csv": CSV, "json": JSON_ARRAY, "jsonl": JSON_LINES, "ndjson": JSON_LINES}
MAX_LINE = 1024 * 1024


class RawRow(NamedTuple):
    """A row of the file. ``number`` counts from 1, without the header of a CSV file. ``problem``: its error."""

    number: int
    values: Mapping[str, Any]
    problem: str = ""


class LimitedReader(io.RawIOBase):
    """A binary stream with a size limit.

    Raises:
        FileTooLarge: while reading, once the limit is passed.
    """

    def __init__(self, stream: IO[bytes], *, max_bytes: int) -> None:
        super().__init__()
        self.stream = stream
        self.remaining = max_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self.stream.read(len(buffer))
        self.remaining -= len(content)
        if self.remaining < 0:
            raise FileTooLarge(_("The upload is larger than this shop accepts. Split it."))
        buffer[: len(content)] = content
        return len(content)


def read_rows(stream: IO[bytes] | io.RawIOBase, *, file_format: str) -> Iterator[RawRow]:
    """The rows of a file in one of ``FORMATS``.

    Raises:
        UnreadableFile: the file does not have this format. A single bad row has its error in ``problem``.
    """
    binary = io.BufferedReader(stream) if isinstance(stream, io.RawIOBase) else stream
    text = io.TextIOWrapper(binary, "utf-8-sig", newline="")
    readers = {CSV: _read_csv, JSON_LINES: _read_json_lines, JSON_ARRAY: _read_json_array}
    try:
        yield from readers[file_format](text)
    except UnicodeDecodeError:
        raise UnreadableFile(_("The file is not text in UTF-8."))
    finally:
        text.detach()  # the caller closes the stream


def _read_csv(text: io.TextIOWrapper) -> Iterator[RawRow]:
    reader = csv.DictReader(_without_nul(text), strict=True)
    try:
        if not reader.fieldnames or "sku" not in reader.fieldnames:
            raise UnreadableFile(_("The first line must name the columns, including sku."))
        if len(set(reader.fieldnames)) != len(reader.fieldnames):
            raise UnreadableFile(_("Two columns have the same name."))
        for number, cells in enumerate(reader, start=1):
            problem = _("The row has more cells than there are columns.") if None in cells else ""
            yield RawRow(number, {} if problem else _from_cells(cells), problem)
    except csv.Error as error:
        raise UnreadableFile(_("The file is not CSV: %(error)s.") % {"error": error})


def _without_nul(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        if "\0" in line or len(line) > MAX_LINE:
            raise UnreadableFile(_("The file has NUL characters, or a line longer than 1 MB."))
        yield line


def _from_cells(cells: Mapping[str, str | None]) -> dict[str, Any]:
    """Cells are text. An empty cell is left out. ``attributes.color`` is one entry of ``attributes``."""
    values: dict[str, Any] = {}
    for column, cell in cells.items():
        if not cell:
            continue
        name, dot, key = column.partition(".")
        if dot:
            values.setdefault(name, {})[key] = cell
        else:
            values[column] = cell
    return values


def _read_json_lines(text: io.TextIOWrapper) -> Iterator[RawRow]:
    number = 0
    for line in _without_nul(text):
        if line.strip():
            number += 1
            yield _from_json(number, line)


def _read_json_array(text: io.TextIOWrapper) -> Iterator[RawRow]:
    try:
        rows = json.loads(text.read(), parse_constant=refuse_constant, object_pairs_hook=unique_keys)
    except (ValueError, RecursionError):
        raise UnreadableFile(_("The file is not a JSON array."))
    if not isinstance(rows, list):
        raise UnreadableFile(_("The file is not a JSON array."))
    for number, row in enumerate(rows, start=1):
        yield _require_object(number, row)


def _from_json(number: int, line: str) -> RawRow:
    try:
        row = json.loads(line, parse_constant=refuse_constant, object_pairs_hook=unique_keys)
    except (ValueError, RecursionError):
        return RawRow(number, {}, _("The line is not a JSON object."))
    return _require_object(number, row)


def _require_object(number: int, row: Any) -> RawRow:
    if not isinstance(row, dict):
        return RawRow(number, {}, _("The row is not a JSON object."))
    return RawRow(number, row)
