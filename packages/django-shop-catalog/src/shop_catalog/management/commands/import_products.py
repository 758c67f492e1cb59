"""``manage.py import_products FILE``: products from CSV, Excel, OpenDocument or JSON."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from shop_catalog.exceptions import UnreadableFile
from shop_catalog.imports import FORMATS, Choices, ImportFile, Report, Table, describe, import_file, maps
from shop_catalog.imports import warnings as warnings_of
from shop_catalog.imports.files import table_of

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}
SHOWN = 40


class Command(BaseCommand):
    help = (
        "Create and update products by SKU from CSV, Excel, OpenDocument, JSON lines or a JSON array. The delimiter, "
        "the encoding, the columns, and how numbers and dates are written are found out, or given by options."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="the file")
        parser.add_argument("--format", choices=FORMATS, help="default: by the name and the content of the file")
        parser.add_argument(
            "--preview", action="store_true", help="show how the file is understood, and write nothing"
        )
        parser.add_argument("--dry-run", action="store_true", help="check all rows and report, but write nothing")
        parser.add_argument(
            "--on-error",
            choices=["stop", "report"],
            default="stop",
            help="stop: write all rows or none (default); report: the rows without errors",
        )
        parser.add_argument("--corrections", type=Path, metavar="FILE", help="write the rows with errors to this file")
        parser.add_argument(
            "--map", metavar="MAP", help="shopify, woocommerce, own, a name of IMPORT_MAPS, or a JSON file"
        )
        parser.add_argument("--encoding", help="such as utf-8 or windows-1252")
        parser.add_argument("--delimiter", choices=DELIMITERS)
        parser.add_argument("--sheet", help="the name of the sheet; default: the first visible one with products")
        parser.add_argument("--header-row", type=int, default=0, metavar="ROW", help="the row that names the columns")
        parser.add_argument("--decimal", choices=["comma", "point"], help="the decimal sign of all numbers")
        parser.add_argument("--dates", choices=["day", "month"], help="which comes first in dates such as 01/02/2026")
        parser.add_argument(
            "--column",
            action="append",
            default=[],
            metavar="HEADER=NAME",
            help="what a column holds, by its header or letter; HEADER= leaves it out; may be repeated",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        corrections: Path | None = options["corrections"]
        if corrections is not None and corrections.exists() and path.exists() and corrections.samefile(path):
            raise CommandError("--corrections would overwrite the file that is imported. Name another file.")
        try:
            with path.open("rb") as stream:
                self._run(ImportFile(stream, name=path.name, file_format=options["format"] or ""), options)
        except OSError as error:
            raise CommandError(f"The file cannot be read: {error}")
        except UnreadableFile as error:
            raise CommandError(str(error))

    def _run(self, file: ImportFile, options: dict[str, Any]) -> None:
        table = table_of(file, _choices(options), is_preview=options["preview"])
        if table is not None:
            self._show_table(table, is_preview=options["preview"])
        if options["preview"]:
            return
        with ExitStack() as stack:
            corrections = None
            if options["corrections"]:
                corrections = stack.enter_context(options["corrections"].open("w", encoding="utf-8-sig", newline=""))
            report = import_file(
                file,
                table=table,
                on_error=options["on_error"],
                dry_run=options["dry_run"],
                progress=self._show_progress,
                corrections=corrections,
            )
        self._write_report(report)

    def _show_table(self, table: Table, *, is_preview: bool) -> None:
        self.stdout.write(f"{table.column_map.name}: {describe(table)}")
        for text in warnings_of(table):
            self.stderr.write(text)
        if not is_preview:
            return
        for column in table.named_columns:
            holds = column.target or "not used"
            self.stdout.write(f"{column.letter:>3}  {column.header[:SHOWN]} -> {holds}  ({column.example[:SHOWN]})")
        for row in table.preview():
            values = ", ".join(f"{name}={str(value)[:SHOWN]}" for name, value in row.values.items())
            self.stdout.write(f"row {row.number}: {row.problem or values}")
        self.stdout.write(f"{table.row_count} rows; nothing was written.")

    def _show_progress(self, step: str, count: int) -> None:
        """Show the progress on a terminal."""
        if self.stdout.isatty():
            self.stdout.write(f"\r{count:>10} {step:<10}", ending="")
            self.stdout.flush()

    def _write_report(self, report: Report) -> None:
        if self.stdout.isatty():
            self.stdout.write("")
        for error in report.errors:
            where = f"row {error.row} ({error.sku})" if error.sku else f"row {error.row}"
            column = error.column or error.field
            value = f" “{error.value}”" if error.value else ""
            self.stderr.write(f"{where}: {column}{value}: {error.reason}" if column else f"{where}: {error.reason}")
        self.stdout.write(
            f"{report.rows} rows: {report.created} created, {report.updated} updated, {report.failed} failed"
            + ("." if report.is_written else "; nothing was written.")
        )
        if report.failed:
            raise CommandError("Some rows have errors.")


def _choices(options: dict[str, Any]) -> Choices:
    chosen = options["map"] or ""
    for text in options["column"]:
        if "=" not in text:
            raise CommandError(f"Write --column as HEADER=NAME, not {text}.")
    return Choices(
        encoding=options["encoding"] or "",
        delimiter=DELIMITERS.get(options["delimiter"], ""),
        sheet=options["sheet"] or "",
        header_row=options["header_row"],
        column_map=maps.load(chosen) if chosen.endswith(".json") else chosen,
        decimal={"comma": ",", "point": "."}.get(options["decimal"], ""),
        date_order=options["dates"] or "",
        columns=dict(text.rsplit("=", 1) for text in options["column"]),
    )
