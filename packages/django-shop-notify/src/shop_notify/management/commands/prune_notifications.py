from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from shop_notify import pruning


class Command(BaseCommand):
    help = "Delete notifications that were finished long ago, and the personal data in them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=int, help='Keep this many days (default: SHOP_NOTIFY["KEEP_DAYS"], 90).')

    def handle(self, *args: Any, days: int | None, **options: Any) -> None:
        self.stdout.write(f"{pruning.prune(days=days)} deleted.")
