"""``manage.py check_stock``."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from shop_catalog import inventory


class Command(BaseCommand):
    help = "Compare every product's stock with the sum of its movements and list those that differ."

    def handle(self, *args: Any, **options: Any) -> None:
        differences = inventory.differences()
        for difference in differences:
            self.stdout.write(
                f"{difference.sku}: on hand {difference.stock_quantity}, movements {difference.stock_moved};"
                f" reserved {difference.reserved_quantity}, movements {difference.reserved_moved}"
            )
        if differences:
            raise CommandError(f"{len(differences)} products differ from their ledger.")
        self.stdout.write(self.style.SUCCESS("Stock equals the ledger for every product."))
