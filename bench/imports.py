"""``python -m bench.imports [--rows 10000] [--memory]``: an import compared with COPY and with the usual ways.

All ways write the same data: products, three links to categories each, and the stock's movements. Ratios within one
run.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import resource
import time
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from statistics import median
from typing import Any

from shop_catalog.wording import search_text

from bench import data, databases, run, texts

SINGLE = 200
"""The number of rows for the way that writes one at a time; all results are rows per second."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.imports", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", action="store_true", help="import the rows once and print the memory that it used")
    options = parser.parse_args()
    with databases.server() as server, run.database(server, scale=1) as url:
        os.environ |= {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "bench.peers.ours.catalog_settings"}
        import django

        django.setup()
        if options.memory:
            memory(options.rows)
        else:
            compare(options.rows, options.rounds)
        databases.close_pool()
    return 0


def compare(count: int, rounds: int) -> None:
    """Run each way in turn: rows per second, and the ratio to COPY."""
    ways = {
        "COPY of finished rows, nothing checked": floor,
        "ours, new": new,
        "ours, the same file again": again,
        "ours, all prices changed": dearer,
        "bulk_create, nothing checked": bulk_create,
        "full_clean and save": clean_and_save,
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _round in range(rounds):
        for name, way in ways.items():
            rates[name].append(way(count))
    base = median(next(iter(rates.values())))
    for name, found in rates.items():
        print(f"{name:40} {median(found):10,.0f} rows/s {median(found) / base:7.3f} of the floor")


def floor(count: int) -> float:
    _empty()
    products = list(data._products(random.Random(1), count))  # noqa: SLF001
    links = [
        (number, category, place, data.START)
        for number in range(1, count + 1)
        for place, category in enumerate(_ids(number))
    ]
    columns = "product_id, kind, stock_change, reserved_change, reference, reason, created_at, event_id, crossing"
    moves = [(n, "receive", 7, 0, "import", "Import", data.START, uuid.uuid4(), "") for n in range(1, count + 1)]

    def work() -> None:
        _copy("shop_catalog_product", ", ".join(data.PRODUCT_COLUMNS), products)
        _copy("shop_catalog_productcategory", ", ".join(data.LINK_COLUMNS), links)
        _copy("shop_catalog_stockmovement", columns, moves)

    return _rate(count, work)


def new(count: int) -> float:
    _empty()
    return _rate(count, lambda: _import(lines(count), count))


def again(count: int) -> float:
    return _rate(count, lambda: _import(lines(count), count))


def dearer(count: int) -> float:
    return _rate(count, lambda: _import(lines(count, price="13.50"), count))


def bulk_create(count: int) -> float:
    from shop_catalog.models import Product, ProductCategory, StockMovement

    _empty()
    made = [Product(**_values(number)) for number in range(1, count + 1)]

    def work() -> None:
        Product.objects.bulk_create(made, batch_size=1000)
        ProductCategory.objects.bulk_create(
            (
                ProductCategory(product=product, category_id=category, position=place)
                for number, product in enumerate(made, start=1)
                for place, category in enumerate(_ids(number))
            ),
            batch_size=1000,
        )
        StockMovement.objects.bulk_create(
            (StockMovement(product=product, kind="receive", stock_change=7, reference="x") for product in made),
            batch_size=1000,
        )

    return _rate(count, work)


def clean_and_save(_count: int) -> float:
    from shop_catalog.models import Product, ProductCategory, StockMovement

    _empty()

    def work() -> None:
        for number in range(1, SINGLE + 1):
            product = Product(**_values(number))
            _save(product)
            for place, category in enumerate(_ids(number)):
                _save(ProductCategory(product=product, category_id=category, position=place))
            _save(StockMovement(product=product, kind="receive", stock_change=7, reference="x"))

    return _rate(SINGLE, work)


def memory(count: int) -> None:
    """The maximum resident size before and after an import from a stream."""
    _empty()
    new(1000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rate = new(count)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{count:,} rows at {rate:,.0f} rows/s: {before / 1024:.0f} MB before, {after / 1024:.0f} MB at most")


class Lines(io.RawIOBase):
    """JSON lines that are generated while they are read."""

    def __init__(self, made: Iterator[bytes]) -> None:
        super().__init__()
        self.made = made
        self.rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while len(self.rest) < len(buffer):
            line = next(self.made, b"")
            if not line:
                break
            self.rest += line
        found, self.rest = self.rest[: len(buffer)], self.rest[len(buffer) :]
        buffer[: len(found)] = found
        return len(found)


def lines(count: int, *, price: str = "12.50") -> Lines:
    rng = random.Random(2)
    words = [" ".join(rng.choices((*texts.COLOURS, *texts.MATERIALS, *texts.THINGS), k=60)) for _turn in range(500)]

    def made() -> Iterator[bytes]:
        for number in range(1, count + 1):
            row = {
                "sku": f"B-{number}",
                "name": f"Product {number}",
                "description": words[number % len(words)],
                "price": price,
                "attributes": {"colour": "red", "material": "oak"},
                "stock_quantity": 7,
                "categories": [f"category-{key}" for key in _ids(number)],
            }
            yield json.dumps(row).encode() + b"\n"

    return Lines(made())


def _ids(number: int) -> list[int]:
    return [number % 400 + 1, number % 97 + 401, (number + 200) % 400 + 1]


def _values(number: int) -> dict[str, Any]:
    name = f"Product {number}"
    words = " ".join(random.Random(number).choices((*texts.COLOURS, *texts.MATERIALS, *texts.THINGS), k=60))
    return {
        "sku": f"B-{number}",
        "slug": f"product-{number}",
        "name": name,
        "description": words,
        "price": Decimal("12.50"),
        "attributes": {"colour": "red", "material": "oak"},
        "stock_quantity": 7,
        "search_text": search_text(names=[name], skus=[f"B-{number}"], others=["red", "oak"], description=words),
    }


def _save(row: Any) -> None:
    row.full_clean()
    row.save()


def _import(stream: Lines, count: int) -> None:
    from shop_catalog.imports import JSON_LINES, import_products, read_rows

    report = import_products(read_rows(stream, file_format=JSON_LINES))
    if report.rows != count or report.errors:
        raise AssertionError(f"{report.rows} rows, {len(report.errors)} errors: {report.errors[:3]}")


def _empty() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        tables = "shop_catalog_product, shop_catalog_statisticschange, shop_catalog_facetchange"
        cursor.execute(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")


def _copy(table: str, columns: str, rows: list[tuple[Any, ...]]) -> None:
    from django.db import connection

    with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def _rate(count: int, work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return count / (time.perf_counter() - started)


if __name__ == "__main__":
    raise SystemExit(main())
