"""``manage.py load_pictures``: add the pictures of the sample products."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection
from shop_catalog import images
from shop_catalog.models import Product

from demo.catalogue import PICTURES, PRODUCTS, Item


class Command(BaseCommand):
    help = "Add pictures to the sample products that have none. Safe to run twice."

    def handle(self, *args: Any, **options: Any) -> None:
        bare = Product.objects.filter(images=None).in_bulk(field_name="sku")
        wanted = [(item, bare[item.sku]) for item in PRODUCTS if item.sku in bare]
        with ThreadPoolExecutor(max_workers=4) as pool:
            added = sum(pool.map(_add_all, *zip(*wanted, strict=True))) if wanted else 0
        self.stdout.write(f"{added} pictures.")


def _add_all(item: Item, product: Product) -> int:
    """Pillow releases the GIL while it works, so that threads use all cores."""
    try:
        for name in item.pictures:
            with (PICTURES / name).open("rb") as file:
                images.add(product, file=file, alt=item.name)
    finally:
        connection.close()
    return len(item.pictures)
