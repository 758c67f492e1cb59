"""``manage.py import_products FILE [--format csv|ndjson|json] [--dry-run] [--on-error stop|report]``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from shop_catalog.exceptions import UnreadableFile
from shop_catalog.imports import FORMAT_BY_SUFFIX, FORMATS, Report, import_products, read_rows


class Command(BaseCommand):
    help = "Create and update products by SKU from CSV, JSON lines or a JSON array."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="a file in UTF-8")
        parser.add_argument("--format", choices=FORMATS, help="default: by the suffix of the file's name")
        parser.add_argument("--dry-run", action="store_true", help="check all rows and report, but write nothing")
        parser.add_argument(
            "--on-error",
            choices=["stop", "report"],
            default="report",
            help="stop: write all rows or none; report: the valid rows (default)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        file_format = options["format"] or FORMAT_BY_SUFFIX.get(path.suffix.lower().removeprefix("."))
        if file_format is None:
            raise CommandError(f"{path.name} has no known suffix. Add --format csv, ndjson or json.")
        try:
            with path.open("rb") as stream:
                size = path.stat().st_size
                report = import_products(
                    read_rows(stream, file_format=file_format),
                    on_error=options["on_error"],
                    dry_run=options["dry_run"],
                    progress=lambda rows: self._show(rows, min(stream.tell(), size), size),
                )
        except OSError as error:
            raise CommandError(f"The file cannot be read: {error}")
        except UnreadableFile as error:
            raise CommandError(str(error))
        self._write_report(report)

    def _show(self, rows: int, done: int, size: int) -> None:
        """Show a progress bar on a terminal."""
        if self.stdout.isatty():
            width = 30 * done // max(size, 1)
            self.stdout.write(f"\r[{'#' * width}{' ' * (30 - width)}] {rows} rows", ending="")
            self.stdout.flush()

    def _write_report(self, report: Report) -> None:
        if self.stdout.isatty():
            self.stdout.write("")
        for error in report.errors:
            where = f"row {error.row} ({error.sku})" if error.sku else f"row {error.row}"
            self.stderr.write(f"{where}: {error.field}: {error.reason}" if error.field else f"{where}: {error.reason}")
        self.stdout.write(
            f"{report.rows} rows: {report.created} created, {report.updated} updated, {report.failed} failed"
            + ("." if report.is_written else "; nothing was written.")
        )
        if report.failed:
            raise CommandError("Some rows have errors.")
