"""Rows of text with a delimiter: CSV as programs and spreadsheets write it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from shop_catalog.exceptions import UnreadableFile
from shop_catalog.imports.reading.encodings import label

DELIMITERS = (",", ";", "\t", "|")
MAX_CELL = 4 * 1024 * 1024
"""The most characters of one cell, and of one line of the file."""

SAMPLE_ROWS = 30


class Line(NamedTuple):
    """A row with its number in a spreadsheet: from 1, counting the header and empty rows."""

    number: int
    cells: Sequence[Any]


def samples(stream: Any, encoding: str) -> dict[str, list[list[str]]]:
    """The first rows, read with each delimiter. A first line ``sep=;`` leaves only that one."""
    found = {}
    for delimiter in _stated(stream, encoding) or DELIMITERS:
        stream.seek(0)
        with _Opened(stream, encoding) as text:
            _skip_statement(text)
            try:
                found[delimiter] = list(islice(csv.reader(_lines(text), delimiter=delimiter), SAMPLE_ROWS))
            except csv.Error:
                found[delimiter] = []
    return found


def read(stream: Any, *, encoding: str, delimiter: str) -> Iterator[Line]:
    """All rows.

    Raises:
        UnreadableFile: the encoding is wrong, a quotation mark is not closed, or a cell is too long.
    """
    csv.field_size_limit(max(csv.field_size_limit(), MAX_CELL))  # one limit for the whole process: only raised
    number = 0
    with _Opened(stream, encoding) as text:
        try:
            _skip_statement(text)
            for number, cells in enumerate(csv.reader(_lines(text), delimiter=delimiter, strict=True), start=1):
                yield Line(number, cells)
        except UnicodeError:
            message = _("The file is not text in %(encoding)s. Choose another encoding.")
            raise UnreadableFile(message % {"encoding": label(encoding)})
        except csv.Error as error:
            message = _("Row %(row)d is not CSV: %(error)s. Check its quotation marks.")
            raise UnreadableFile(message % {"row": number + 1, "error": error})


class _Opened:
    """The stream as text. The caller closes the stream."""

    def __init__(self, stream: Any, encoding: str) -> None:
        self.text = io.TextIOWrapper(stream, encoding, newline="")

    def __enter__(self) -> io.TextIOWrapper:
        return self.text

    def __exit__(self, *_error: object) -> None:
        self.text.detach()


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    while line := text.readline(MAX_CELL):
        if "\0" in line:
            raise UnreadableFile(_("The file has NUL characters: it is not text, or has another encoding."))
        if len(line) >= MAX_CELL:
            raise UnreadableFile(_("A line of the file is longer than 4 MB."))
        yield line


def _stated(stream: Any, encoding: str) -> str:
    stream.seek(0)
    with _Opened(stream, encoding) as text:
        first = text.readline(20).strip().strip('"')
    name, _equals, delimiter = first.partition("=")
    if name.lower() == "sep" and (first.lower() == "sep=" or delimiter in DELIMITERS):
        return delimiter or "\t"  # a tab was stripped
    return ""


def _skip_statement(text: io.TextIOWrapper) -> None:
    """Skip a first line ``sep=;``, which spreadsheets neither show nor count."""
    start = text.tell()
    first = text.readline(20)
    if not first.strip().strip('"').lower().startswith("sep=") or len(first.strip().strip('"')) > len("sep=;"):
        text.seek(start)
