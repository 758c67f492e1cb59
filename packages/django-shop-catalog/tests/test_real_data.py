"""A real taxonomy and a real shop's products are loaded, searched, filtered, paginated and averaged.

The results are compared with a plain Python computation over the files. ``SHOP_TEST_FULL=1`` uses all of the data.
"""

import csv
import io
import itertools
import json
import lzma
import os
import zlib
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

import pytest
from django.db import connection
from shop_catalog import categories, inventory, statistics
from shop_catalog.imports import import_categories, import_products, read_rows
from shop_catalog.models import Category, Product

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
IS_FULL = bool(os.environ.get("SHOP_TEST_FULL"))
LINES = None if IS_FULL else 8000
"""Invoice lines that are read."""

PATHS = None if IS_FULL else 400
"""Lines of the taxonomy that are read."""

CENT = Decimal("0.01")


@dataclass(frozen=True)
class Item:
    sku: str
    name: str
    price: Decimal
    stock: int
    paths: tuple[str, ...]

    def is_below(self, path):
        return any(own == path or own.startswith(f"{path} > ") for own in self.paths)


def read_paths(folder):
    lines = (folder / "google-product-taxonomy.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines[:PATHS] if line.strip()]


def read_items(folder, paths):
    """One product per stock code, with its latest name and price, in one or two categories chosen by its code."""
    known = {}
    with lzma.open(folder / "online-retail.csv.xz", "rt", encoding="utf-8") as text:
        for line in itertools.islice(csv.DictReader(text), LINES):
            price = Decimal(line["UnitPrice"]).quantize(CENT)
            name = " ".join(line["Description"].split())
            if name and price > 0:
                known[line["StockCode"].strip()] = (name, price)
    items = {}
    for sku, (name, price) in sorted(known.items()):
        chance = zlib.crc32(sku.encode())
        places = (paths[chance % len(paths)], *((paths[chance // 7 % len(paths)],) if chance % 5 == 0 else ()))
        items[sku] = Item(sku, name, price, chance % 3, tuple(dict.fromkeys(places)))
    return items


@pytest.fixture
def items(shared_data, settings):
    settings.SHOP_CATALOG = {"CURRENCY": "GBP"}
    paths = read_paths(shared_data)
    report = import_categories(paths)
    assert (report.created, report.errors) == (len(paths), [])
    assert categories.check() == []
    items = read_items(shared_data, paths)
    rows = [
        {
            "sku": item.sku,
            "name": item.name,
            "price": str(item.price),
            "stock_quantity": item.stock,
            "categories": list(item.paths),
        }
        for item in items.values()
    ]
    report = import_products(read_rows(io.BytesIO("\n".join(map(json.dumps, rows)).encode()), file_format="ndjson"))
    assert (report.created, report.errors) == (len(items), [])
    assert inventory.differences() == []
    return items


def read_to_the_end(api, **query):
    found, cursor = [], ""
    while cursor is not None:
        response = api.get("/products/", limit=100, cursor=cursor, **query)
        assert response.status_code == 200, response.content
        page = response.json()
        assert len(page["items"]) == 100 or page["next"] is None
        found += page["items"]
        cursor = page["next"]
    skus = [item["sku"] for item in found]
    assert len(skus) == len(set(skus)), "a product came twice"
    return found


def some(values, number):
    return sorted(values, key=lambda value: zlib.crc32(value.encode()))[:number]


def average(prices):
    return (sum(prices) / len(prices)).quantize(CENT, ROUND_HALF_UP) if prices else None


def test_real_data_gives_the_results_of_a_plain_computation(items, anyone):
    assert_lists_are_complete(items, anyone)
    assert_filters_are_exact(items, anyone)
    assert_products_are_found(items, anyone)
    assert_averages_are_exact(items, anyone)
    assert statistics.fold() > 0
    assert_averages_are_exact(items, anyone)


def assert_lists_are_complete(items, api):
    for order, key in (
        ("newest", None),
        ("price", lambda row: Decimal(row["price"])),
        ("-price", lambda row: -Decimal(row["price"])),
        ("name", None),
        ("rating", None),
    ):
        found = read_to_the_end(api, order=order)
        assert {row["sku"]: (row["name"], row["price"]) for row in found} == {
            item.sku: (item.name, str(item.price)) for item in items.values()
        }
        if key is not None:
            assert found == sorted(found, key=key)


def assert_filters_are_exact(items, api):
    roots = sorted({path.split(" > ")[0] for item in items.values() for path in item.paths})
    for root in roots[:: 4 if IS_FULL else 1]:
        slug = Category.objects.get(name=root, parent=None).slug
        found = read_to_the_end(api, category=slug, min_price="2.00", max_price="10.00", in_stock="true")
        assert {row["sku"] for row in found} == {
            item.sku for item in items.values() if item.is_below(root) and 2 <= item.price <= 10 and item.stock
        }, root


def assert_products_are_found(items, api):
    for sku in some(items, 60 if IS_FULL else 15):
        name = items[sku].name
        assert sku in {row["sku"] for row in read_to_the_end(api, q=name[:100])}, name
        assert [row["sku"] for row in read_to_the_end(api, q=sku) if row["sku"] == sku] == [sku]
    if connection.vendor == "postgresql":
        missed = [name for name in misspelt(items) if not api.get("/products/", q=name).json()["items"]]
        assert missed == []


def misspelt(items):
    """Long names without one letter in the middle of their longest word."""
    names = [item.name for item in items.values() if max(map(len, item.name.split())) >= 8 and item.name.isascii()]
    for name in some(names, 30 if IS_FULL else 10):
        longest = max(name.split(), key=len)
        yield name.replace(longest, longest[: len(longest) // 2] + longest[len(longest) // 2 + 1 :])[:100]


def assert_averages_are_exact(items, api):
    paths = {
        " > ".join(path.split(" > ")[:depth]) for item in items.values() for path in item.paths for depth in (1, 2)
    }
    chosen = some(paths, 60 if IS_FULL else 15) + [path for path in paths if ">" not in path]
    slugs = slugs_by_path()
    for path in chosen:
        prices = [item.price for item in items.values() if item.is_below(path)]
        body = api.get(f"/categories/{slugs[path]}/average_price/").json()
        expected = (len(prices), average(prices), min(prices), max(prices))
        assert (body["count"], *(Decimal(body[name]) for name in ("average", "min", "max"))) == expected, path


def slugs_by_path():
    names = {
        pk: (name, parent, slug)
        for pk, name, parent, slug in Category.objects.values_list("pk", "name", "parent", "slug")
    }

    def path_of(pk):
        name, parent, _slug = names[pk]
        return name if parent is None else f"{path_of(parent)} > {name}"

    return {path_of(pk): slug for pk, (_name, _parent, slug) in names.items()}


def test_category_without_products_has_no_prices(anyone):
    categories.create("Empty")
    body = anyone.get("/categories/empty/average_price/").json()
    assert (body["count"], body["average"], body["min"], body["max"]) == (0, None, None, None)
    assert Product.objects.count() == 0
