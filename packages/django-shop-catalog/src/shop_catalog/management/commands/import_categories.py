"""``manage.py import_categories FILE [--dry-run]``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from shop_catalog.imports import import_categories


class Command(BaseCommand):
    help = "Add categories from a list of indented lines or of `A > B > C` lines; existing ones are not changed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="a text file in UTF-8, or - for standard input")
        parser.add_argument("--dry-run", action="store_true", help="report what would be added, but write nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            text = sys.stdin.read() if options["file"] == "-" else Path(options["file"]).read_text("utf-8-sig")
        except OSError as error:
            raise CommandError(f"The file cannot be read: {error}")
        except UnicodeDecodeError:
            raise CommandError("The file is not text in UTF-8.")
        report = import_categories(text.splitlines(), dry_run=options["dry_run"])
        for number, problem in report.errors:
            self.stderr.write(f"line {number}: {problem}")
        verb = "would be added" if options["dry_run"] else "added"
        self.stdout.write(f"{report.lines} lines, {report.created} categories {verb}, {len(report.errors)} errors.")
        if report.errors:
            raise CommandError("Some lines were skipped.")
