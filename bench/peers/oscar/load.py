"""``python -m bench.peers.oscar.load`` fills a migrated database: 10,000 products in stock, 1,000 users."""

import random
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import django
from django.apps import apps
from django.db import connection

from bench import data, databases

IN_STOCK = 1_000_000


def main() -> None:
    django.setup()
    addresses = [f"customer{number}@example.org" for number in range(1, data.CUSTOMERS + 1)]
    fill("auth.User", ({"username": address, "email": address, "password": "!"} for address in addresses))
    fill("address.Country", [{"iso_3166_1_a2": "KE", "printable_name": "Kenya", "is_shipping_country": True}])
    fill("catalogue.ProductClass", [{"id": 1, "name": "Goods"}])
    fill("partner.Partner", [{"id": 1, "name": "The shop", "code": "shop"}])
    numbers = range(1, data.BASE_PRODUCTS + 1)
    fill("catalogue.Product", map(product, numbers))
    rng = random.Random(data.SEED)
    fill("partner.StockRecord", (stock(number, Decimal(rng.randint(100, 99_999)) / 100) for number in numbers))
    # Otherwise they are created on demand, and two concurrent first adds fail with 500.
    fill("analytics.ProductRecord", ({"product_id": number} for number in numbers))
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    databases.close_pool()


def fill(name: str, rows: Iterable[dict[str, Any]]) -> None:
    model = apps.get_model(name)
    model._default_manager.bulk_create(model(**row) for row in rows)


def product(number: int) -> dict[str, Any]:
    own = {"upc": f"SKU-{number:07}", "title": f"Product {number}", "slug": f"product-{number}"}
    return {"id": number, "product_class_id": 1, **own}


def stock(number: int, price: Decimal) -> dict[str, Any]:
    own = {"product_id": number, "partner_id": 1, "partner_sku": f"SKU-{number:07}"}
    return {**own, "price": price, "num_in_stock": IN_STOCK}


if __name__ == "__main__":
    main()
