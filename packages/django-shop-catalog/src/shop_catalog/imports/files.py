"""Imports of products from a file: its rows are read, checked and written; those with errors can be returned."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import IO, Any, TextIO

from django.contrib.auth.base_user import AbstractBaseUser
from django.utils.translation import gettext as _

from shop_catalog.imports.products import ImportRun, OnError, Progress
from shop_catalog.imports.queries import Store
from shop_catalog.imports.reading import JSON_ARRAY, JSON_LINES, ImportFile
from shop_catalog.imports.reading.json_rows import read_json_array, read_json_lines
from shop_catalog.imports.reports import Report
from shop_catalog.imports.rows import RawRow
from shop_catalog.imports.tables import Choices, Table, check_rows, understand
from shop_catalog.imports.understanding import cells, headers
from shop_catalog.imports.understanding.guards import kept_as_text

JSON_READERS = {JSON_LINES: read_json_lines, JSON_ARRAY: read_json_array}


def read_rows(
    stream: IO[bytes] | io.RawIOBase, *, file_format: str = "", choices: Choices | None = None
) -> Iterator[RawRow]:
    """The rows of a file. Its format, encoding, delimiter and columns are found, unless they are given.

    Raises:
        UnreadableFile: the file cannot be read. A single bad row has its error in ``problem`` or ``faults``.
    """
    with ImportFile(stream, file_format=file_format) as file:
        yield from rows_of(file, table_of(file, choices))


def table_of(
    file: ImportFile, choices: Choices | None = None, *, max_rows: int = 0, is_preview: bool = False
) -> Table | None:
    """The result of ``understand``; ``None`` for JSON, whose rows are products already.

    Raises:
        UnreadableFile, FileTooLarge: as in ``understand``.
    """
    if file.file_format in JSON_READERS:
        return None
    return understand(file, choices, max_rows=max_rows, is_preview=is_preview)


def rows_of(file: ImportFile, table: Table | None) -> Iterator[RawRow]:
    """The rows of a file; ``table`` is the result of ``table_of``."""
    if table is not None:
        return table.rows()
    return JSON_READERS[file.file_format](file.open())


def import_file(
    file: ImportFile,
    *,
    choices: Choices | None = None,
    table: Table | None = None,
    on_error: OnError = "stop",
    dry_run: bool = False,
    by: AbstractBaseUser | None = None,
    progress: Progress | None = None,
    max_rows: int = 0,
    corrections: TextIO | None = None,
) -> Report:
    """Import the products of a file as ``import_products`` does. ``table``: the result of ``table_of``.

    The rows with errors are written to ``corrections``: as CSV, with the file's header, and with their errors in a
    last column, which the next import ignores. Rows of JSON are returned as JSON lines.

    Raises:
        UnreadableFile: the file cannot be read, or has more than ``max_rows`` rows.
    """
    table = table or table_of(file, choices, max_rows=max_rows)
    creates = table is not None and table.column_map.creates_categories
    with Store() as store:
        headers_by_name = {} if table is None else {column.target: column.header for column in reversed(table.used)}
        run = ImportRun(store, creates_categories=creates, by=by, progress=progress, headers=headers_by_name)
        run.read(_limited(rows_of(file, table), max_rows if table is None else 0))
        if table is not None:
            run.report.rows = table.row_count
        report = run.finish(on_error=on_error, dry_run=dry_run)
        if corrections is not None and report.failed:
            failed = store.failed_rows()
            if table is not None:
                _write_corrections(table, failed, corrections)
            else:
                _write_json_corrections(rows_of(file, None), failed, corrections)
    return report


def _limited(rows: Iterable[RawRow], max_rows: int) -> Iterator[RawRow]:
    for count, row in enumerate(rows, start=1):
        check_rows(count, max_rows)
        yield row


def _write_corrections(table: Table, failed: dict[int, str], out: TextIO) -> None:
    """Write the failed rows with the values of the file. Where several rows make a product, all of its rows."""
    title = _("errors")
    header = [column.header for column in table.columns]
    if header and headers.plain(header[-1]) == headers.plain(title):
        header.pop()
    key = next((column.place for column in table.used if column.target == table.column_map.gathers), None)
    keys = set() if key is None else {_cell(line.cells, key) for line in table.lines() if line.number in failed}
    writer = csv.writer(out, delimiter=table.delimiter or ",")
    writer.writerow([*header, title])
    for line in table.lines():
        if line.number in failed or (key is not None and _cell(line.cells, key) in keys):
            texts = [_cell(line.cells, index) for index in range(len(header))]
            writer.writerow(map(kept_as_text, [*texts, failed.get(line.number, "")]))


def _write_json_corrections(rows: Iterable[RawRow], failed: dict[int, str], out: TextIO) -> None:
    for row in rows:
        if row.number in failed and not row.problem:
            out.write(json.dumps(row.values, ensure_ascii=False) + "\n")


def _cell(line: Any, index: int) -> str:
    return cells.as_text(line[index]) if index < len(line) else ""
