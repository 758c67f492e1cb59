"""``manage.py check_search``."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from shop_catalog import search


class Command(BaseCommand):
    help = "Compare the stored words of the search with the products, and write them again with --fix."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--fix", action="store_true", help="Write search texts, words and full-text rows again.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["fix"]:
            search.fix()
        faults = search.check()
        if any(faults):
            raise CommandError(
                f"Products with an outdated search text: {faults.texts}. Words with a wrong count: {faults.words},"
                f" without spellings: {faults.spellings}. Wrong full-text rows: {faults.rows}."
                " Run `manage.py check_search --fix`."
            )
        self.stdout.write(self.style.SUCCESS("The stored words of the search fit the products."))
