"""``manage.py export_products FILE``: products and their stock as CSV or XLSX."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from shop_catalog.exceptions import ShopCatalogError
from shop_catalog.exports import CSV, FORMATS, MAPS, XLSX, export_products


class Command(BaseCommand):
    help = (
        "Write all products and their stock to a file. In the own columns, importing the file again changes nothing; "
        "Shopify's columns are for a shop there."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="the file; an existing one is replaced when the new one is whole")
        parser.add_argument("--map", choices=MAPS, default="own", help="the columns; default: own")
        parser.add_argument("--format", choices=FORMATS, help="default: by the name of the file, otherwise CSV")
        parser.add_argument(
            "--base-url",
            default="",
            metavar="URL",
            help="the address of the shop, such as https://shop.example, to name pictures in Shopify's columns",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        path: Path = options["file"]
        by_name = XLSX if path.suffix.lower() == ".xlsx" else CSV
        try:
            count = export_products(
                path,
                column_map=options["map"],
                file_format=options["format"] or by_name,
                base_url=options["base_url"],
            )
        except OSError as error:
            raise CommandError(f"The file cannot be written: {error}")
        except ShopCatalogError as error:
            raise CommandError(str(error))
        self.stdout.write(f"{count} rows written.")
