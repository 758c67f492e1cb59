"""``manage.py check_category_tree [--fix]``."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from shop_catalog import categories, facets, statistics


class Command(BaseCommand):
    help = "Find faults of the category tree: bounds, levels, orphans, parent cycles. --fix repairs them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--fix", action="store_true", help="repair the faults")

    def handle(self, *args: Any, **options: Any) -> None:
        faults = categories.check()
        for fault in faults:
            self.stdout.write(f"{fault.code}: {fault.message}")
        if not faults:
            self.stdout.write(self.style.SUCCESS("The category tree has no faults."))
            return
        if not options["fix"]:
            raise CommandError(f"{len(faults)} faults. Run it again with --fix.")
        changed = categories.repair()
        statistics.recount_all()
        facets.recount_all()
        self.stdout.write(self.style.SUCCESS(f"Repaired: {changed} categories changed."))
