"""Bulk writes compared with COPY: ``python -m bench.writes [products] [categories] [prices]``.

Results are ratios within one run on PostgreSQL.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from bench import data, databases, run

ROWS = 10_000
ROUNDS = 3
SINGLE = 300
"""The number of rows for ways that write one at a time; all results are rows per second."""


def main() -> int:
    chosen = sys.argv[1:] or ["products", "categories", "prices"]
    with databases.server() as server, run.database(server, scale=1) as url:
        os.environ |= {
            "DATABASE_URL": url,
            "DJANGO_SETTINGS_MODULE": "bench.peers.ours.catalog_settings",
            "BENCH_DATABASE": "default",
        }
        import django

        django.setup()
        for title, ways in (("products", products), ("categories", categories)):
            if title in chosen:
                print(f"\n{title}")
                compare(ways())
        if "prices" in chosen:
            price_changes()
        databases.close_pool()
    return 0


def compare(ways: dict[str, Callable[[], float]]) -> None:
    """Run each way in turn; a way returns the rows per second that it wrote."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _round in range(ROUNDS):
        for name, way in ways.items():
            rates[name].append(way())
    floor = median(next(iter(rates.values())))
    for name, found in rates.items():
        print(f"{name:40} {median(found):12,.0f} rows/s   {median(found) / floor:6.3f} of the floor")


def products() -> dict[str, Callable[[], float]]:
    from shop_catalog.imports import RawRow, import_products
    from shop_catalog.models import Product

    def fresh() -> None:
        _execute("TRUNCATE shop_catalog_product RESTART IDENTITY CASCADE")

    def rows(count: int) -> list[dict[str, Any]]:
        return [
            {
                "sku": f"B-{number}",
                "name": f"Product {number}",
                "price": "12.50",
                "stock_quantity": "7",
                "categories": f"category-{number % 400 + 1}",
            }
            for number in range(count)
        ]

    def floor() -> float:
        fresh()
        made = list(data._products(random.Random(1), ROWS))  # noqa: SLF001
        return _timed(ROWS, lambda: _copy("shop_catalog_product", data.PRODUCT_COLUMNS, made))

    def ours() -> float:
        fresh()
        raw = [RawRow(number, row) for number, row in enumerate(rows(ROWS), start=1)]
        return _timed(ROWS, lambda: _expect(import_products(raw), ROWS))

    def again() -> float:
        raw = [RawRow(number, row) for number, row in enumerate(rows(ROWS), start=1)]
        return _timed(ROWS, lambda: _expect(import_products(raw), ROWS))

    def bulk_create() -> float:
        fresh()
        made = [Product(sku=row["sku"], slug=row["sku"].lower(), name=row["name"], price=12) for row in rows(ROWS)]
        return _timed(ROWS, lambda: Product.objects.bulk_create(made, batch_size=1000))

    def clean_and_save() -> float:
        fresh()

        def work() -> None:
            for row in rows(SINGLE):
                product = Product(sku=row["sku"], slug=row["sku"].lower(), name=row["name"], price=12)
                product.full_clean()
                product.save()

        return _timed(SINGLE, work)

    return {
        "COPY of finished rows, nothing checked": floor,
        "ours: import_products, new": ours,
        "ours: the same file again": again,
        "bulk_create, nothing checked": bulk_create,
        "full_clean and save": clean_and_save,
    }


def categories() -> dict[str, Callable[[], float]]:
    from shop_catalog.imports import import_categories
    from shop_catalog.models import Category

    paths = [
        " > ".join(f"N{part}" for part in (a, b, c, d)[: depth + 1])
        for a in range(10)
        for b in range(10)
        for c in range(10)
        for d in range(10)
        for depth in range(4)
    ]

    def fresh() -> None:
        _execute("TRUNCATE shop_catalog_category RESTART IDENTITY CASCADE")

    def ours() -> float:
        fresh()
        return _timed(11_110, lambda: import_categories(paths))

    def rebuild() -> float:
        fresh()
        import_categories(paths)
        return _timed(11_110, Category.objects.rebuild)

    def delayed() -> float:
        from django.db import transaction
        from mptt.models import MPTTModel

        fresh()

        def work() -> None:
            made: dict[str, Category] = {}
            with transaction.atomic(), Category.objects.delay_mptt_updates():
                for path in dict.fromkeys(paths):
                    above, _separator, name = path.rpartition(" > ")
                    made[path] = Category(name=name, slug=f"n{len(made)}", parent=made.get(above))
                    MPTTModel.save(made[path])

        return _timed(11_110, work)

    return {
        "ours: import_categories": ours,
        "mptt's rebuild() alone": rebuild,
        "save under delay_mptt_updates()": delayed,
    }


def price_changes() -> None:
    """Price changes per second: the statement alone, with the row for the statistics, and the whole action."""
    from decimal import Decimal

    from shop_catalog import products as actions
    from shop_catalog.models import Product

    keys = list(Product.objects.order_by("pk").values_list("pk", flat=True)[:2000])
    plain = "UPDATE shop_catalog_product SET price = price + 1 WHERE id = %s"
    statistics = "INSERT INTO shop_catalog_statisticschange (product_id, count_change, sum_change) VALUES (%s, 0, 1)"

    def bare(key: int) -> None:
        _execute(plain, key)

    def with_statistics(key: int) -> None:
        from django.db import transaction

        with transaction.atomic():
            _execute(plain, key)
            _execute(statistics, key)

    def bare_in_transaction(key: int) -> None:
        from django.db import transaction

        with transaction.atomic():
            _execute(plain, key)

    def action(key: int) -> None:
        product: Any = Product.objects.get(pk=key)
        actions.set_price(product, price=product.price + Decimal(1))

    for writers in (1, 8):
        print(f"\nprice changes, {writers} writers")
        ways = {
            "plain update in a transaction": bare_in_transaction,
            "plain update": bare,
            "with the statistics row": with_statistics,
        }
        ways["ours: set_price, whole"] = action
        compare({name: _writer(way, keys, writers) for name, way in ways.items()})


def _writer(way: Callable[[int], None], keys: list[int], writers: int) -> Callable[[], float]:
    def run_all() -> float:
        threads = [threading.Thread(target=work, args=(keys[number::writers],)) for number in range(writers)]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return len(keys) / (time.perf_counter() - started)

    def work(mine: list[int]) -> None:
        from django.db import connection

        for key in mine:
            way(key)
        connection.close()

    return run_all


def _expect(report: Any, count: int) -> None:
    if report.rows != count or report.errors:
        raise AssertionError(f"{report.rows} rows, {len(report.errors)} errors: {report.errors[:3]}")


def _timed(count: int, work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return count / (time.perf_counter() - started)


def _execute(statement: str, *parameters: Any) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def _copy(table: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    from django.db import connection

    with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


if __name__ == "__main__":
    raise SystemExit(main())
