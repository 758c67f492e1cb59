"""Compiled statements return the rows of their plain querysets, and hand-written SQL is correct and only in
``queries``."""

import ast
import importlib
import pkgutil
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import shop_catalog
from django.db import connection
from django.db.models import F
from django.utils import timezone
from shop_catalog import bulk, categories, facets, inventory, products, reviews
from shop_catalog.browsing import Filters, counting
from shop_catalog.browsing import queries as browsing_queries
from shop_catalog.browsing.matching import FROM_LINKS, Reading
from shop_catalog.bulk import queries as bulk_queries
from shop_catalog.categories import queries as category_queries
from shop_catalog.facets import queries as facet_queries
from shop_catalog.facets.terms import IN_STOCK, attribute_term
from shop_catalog.inventory import queries as stock_queries
from shop_catalog.models import Category, JobRun, Product, StockMovement
from shop_catalog.product_source import queries as source_queries
from shop_catalog.search import backend
from shop_catalog.statistics import queries as statistics_queries
from shop_core.db.compiled import CompiledQuery

SOURCE = Path(shop_catalog.__file__).parent
MAY_WRITE_SQL = {"queries.py", "search/postgres.py"}


def compiled_queries():
    """Every compiled query of the package by its dotted name."""
    for info in pkgutil.walk_packages(shop_catalog.__path__, "shop_catalog."):
        if ".migrations" in info.name:
            continue
        module = importlib.import_module(info.name)
        for name, value in vars(module).items():
            if isinstance(value, CompiledQuery):
                yield f"{info.name}.{name}", value


@pytest.mark.django_db
def test_insert_values_returns_a_field_of_the_written_rows():
    now, names = timezone.now(), ("name", "last_started_at", "last_error")
    values = [(name, now, "") for name in ("a", "b", "c")]
    bulk_queries.insert_values(JobRun, names, values[:1])
    skip = "ON CONFLICT (name) DO NOTHING"
    found = bulk_queries.insert_values(JobRun, names, values, on_conflict=skip, returning="name")
    assert sorted(found) == ["b", "c"]
    assert sorted(JobRun.objects.values_list(*names)) == values


@pytest.mark.django_db
def test_insert_values_writes_shared_values_into_every_row():
    moment = datetime(2026, 5, 1, 12, tzinfo=UTC)
    keys = [("d",), ("e",)]
    bulk_queries.insert_values(JobRun, ("name",), keys, shared={"last_started_at": moment, "last_error": "broken"})
    found = JobRun.objects.order_by("name").values_list("name", "last_started_at", "last_error")
    assert list(found) == [("d", moment, "broken"), ("e", moment, "broken")]


@pytest.fixture
def shop(make_user):
    food = categories.create("Food")
    fruit = categories.create("Fruit", parent=food)
    for number in range(4):
        products.create(f"P{number}", name=f"Apple {number}", price=Decimal(number + 1), categories=[food, fruit])
    facets.fold()
    group = products.create("G", kind="group", name="Shirt", categories=[food])
    products.create("G-L", kind="variant", parent=group, price=Decimal("2.50"), options={"size": "L"})
    products.create("OFF", name="Off", price=Decimal(1), categories=[food], is_active=False)
    products.create("DRAFT", name="Draft", categories=[food], is_active=False)
    products.create("EMPTY", kind="group", name="Empty", categories=[food])
    products.create("SOON", name="Soon", price=Decimal(3), categories=[food], publish_from=timezone.now())
    products.set_price(products.get("P1"), price=Decimal(9))
    inventory.receive({"P0": 5, "P1": 1, "G-L": 2})
    inventory.reserve({"P0": 2}, reference="order-1")
    reviews.moderate(reviews.submit(products.get("P0"), user=make_user("author"), rating=4), status="published")
    for sku in ("P0", "G"):
        products.get(sku).images.create(file=f"shop_catalog/products/{sku}.png", is_primary=True, width=1, height=1)
    return food


def samples():
    """Arguments for each compiled query, as (shape, parameters). At least one of them must find rows."""
    now = timezone.now()
    bounds = Category.objects.values("tree_id", "lft", "rght", category_id=F("pk")).get(slug="food")
    group = Product.objects.get(sku="G")
    skus = {"sku0": "P0", "sku1": "G-L", "sku2": "OFF", "sku3": "G"}
    ids = {f"id{index}": pk for index, pk in enumerate(Product.objects.values_list("pk", flat=True)[:5])}
    browsing, statistics = browsing_queries, statistics_queries
    pk = Category.objects.get(slug="food").pk
    return {
        browsing._PAGE: list(pages(now, bounds)),
        browsing._BOUNDS: [((), {"slug": "food"}), ((), {"slug": "none"})],
        browsing._NEWEST: [((), {})],
        browsing._LINKS: [((5,), ids)],
        browsing._PRODUCT: [
            ((shows_all,), {"slug": slug, "now": now, "since": now - timedelta(days=30)})
            for shows_all in (False, True)
            for slug in ("apple-1", "off", "shirt", "empty", "draft")
        ],
        browsing._IMAGES: [((), {"own": group.pk, "listed": group.pk})],
        browsing._VARIANTS: [((shows_all,), {"group": group.pk, "now": now}) for shows_all in (False, True)],
        browsing._PATHS: [((), {"product": group.pk})],
        counting._FACETS: [((filters.shape, how, 50), values) for filters, values, how in counted(now, bounds)],
        counting._CATEGORIES: [
            ((filters.shape, how), {**values, "members": [-pk, -pk - 1], "owners": [7, 7]})
            for filters, values, how in counted(now, bounds)
        ],
        category_queries._VERSION: [((), {})],
        facet_queries._VERSION: [((), {"now": now})],
        facet_queries._NUMBERS: [
            ((True,), {"category": 0, "below": [], "now": now + timedelta(days=2)}),
            ((False,), {"category": pk, "below": [-pk, -pk - 1], "now": now}),
        ],
        facet_queries._UNFOLDED: [((True,), {"below": []}), ((False,), {"below": [-pk]})],
        facet_queries._COUNTED: [((True,), {"below": []}), ((False,), {"below": [-pk]})],
        facet_queries._TOTALS: [((2,), {"id0": pk, "id1": pk + 1})],
        facet_queries._TOTAL_CHANGES: [((), {"now": now + timedelta(days=2)})],
        facet_queries._NAMES: [((), {})],
        stock_queries._STOCK_ROWS: [((4,), {"now": now, **skus})],
        source_queries._ON_SALE: [((4,), {"now": now, **skus})],
        statistics._FIGURES: [((large, 3), {"slug": "food", "now": now}) for large in (0, 500)],
        statistics._RANGE: [((with_variants,), {**bounds, "now": now}) for with_variants in (False, True)],
    }


def counted(now, bounds):
    """Filters whose products are counted, with values and how they are counted."""
    term = attribute_term("size", "L")
    values = {
        "now": now,
        "min_price": Decimal(2),
        "stock": IN_STOCK,
        "attribute0_0": term,
        "below": [-bounds["category_id"]],
        **bounds,
    }
    for filters in (Filters(min_price=Decimal(2)), Filters(attributes=(("size", "L"),)), Filters(category="x")):
        yield filters, values, counting.How()
    yield Filters(in_stock=True), values, counting.How(samples=256)
    yield Filters(in_stock=True, min_price=Decimal(2)), values, counting.How(samples=256)
    yield Filters(category="x"), values, counting.How(checks_links=True)


def pages(now, bounds):
    """Each filter by itself, on the first page and on a later one. Categories are read in both ways."""
    values = {
        "now": now,
        "min_price": Decimal(2),
        "max_price": Decimal(3),
        "rating": Decimal(4),
        "stock": IN_STOCK,
        "attribute0_0": attribute_term("size", "L"),
        "below": [-bounds["category_id"]],
        "related_to": "apple-0",
        "after_id": Product.objects.get(sku="P2").pk,
        **bounds,
    }
    after_values = {
        "newest": now,
        "price": Decimal(2),
        "-price": Decimal(3),
        "name": "Apple 1",
        "-name": "Apple 3",
        "rating": Decimal(5),
    }
    for ordering, after_value in after_values.items():
        for has_after in (False, True):
            arguments = {**values, "after_value": after_value}
            for shows_all in (False, True):
                filters = Filters(with_unpublished=shows_all)
                yield (filters.shape, None, Reading.FREELY, ordering, has_after, 50), arguments
    narrowed = [
        Filters(category="x"), Filters(min_price=Decimal(0)), Filters(max_price=Decimal(0)), Filters(in_stock=True),
        Filters(in_stock=False), Filters(featured=False), Filters(rating=Decimal(0)), Filters(related_to="x"),
        Filters(with_unpublished=True), Filters(attributes=(("size", "L"),)),
    ]  # fmt: skip
    for filters in narrowed:
        for reading in set(Reading) - FROM_LINKS:
            yield (filters.shape, None, reading, "price", False, 50), values
    by_links = {Reading.FROM_LEAF: Filters(category="x")}
    if connection.vendor == "postgresql":
        by_links |= {Reading.FROM_LEAVES: Filters(category="x"), Reading.FROM_RELATED: Filters(related_to="x")}
    for reading, filters in by_links.items():
        for has_after in (False, True):
            yield (filters.shape, None, reading, "newest", has_after, 50), {**values, "after_value": now}
    search = backend(Product).prepare("apple")
    if search is not None:
        shape = (Filters(q="x").shape, search.shape, Reading.FREELY, "relevance", False, 50)
        yield shape, {**values, **search.values}


@pytest.mark.django_db
def test_every_compiled_query_returns_the_rows_of_its_plain_queryset(shop, monkeypatch):
    monkeypatch.setattr("shop_core.db.compiled.IS_PLAIN", False)
    sampled = samples()
    found = dict(compiled_queries())
    assert {name for name, query in found.items() if query not in sampled} == set()
    for name, query in found.items():
        assert query.row is not None, name
        rows = []
        for shape, values in sampled[query]:
            plain = query.plain_rows(*shape, **values)
            assert in_order(query, query.rows(*shape, **values)) == in_order(query, plain), (name, shape)
            rows += plain
        assert rows != [], name


def in_order(query, rows):
    """The rows of facets come in any order, since they are added up."""
    return sorted(rows, key=repr) if query.build.__module__ == facet_queries.__name__ else rows


@pytest.mark.django_db
def test_plain_querysets_replace_compiled_statements(shop, monkeypatch):
    monkeypatch.setattr("shop_core.db.compiled.IS_PLAIN", True)
    before = browsing_queries._PAGE._statement.cache_info()
    assert browsing_queries.subtree_bounds("food").product_count is None
    assert browsing_queries._PAGE._statement.cache_info() == before


@pytest.mark.django_db
def test_hand_written_update_moves_counters_only_where_the_stock_allows_it(shop):
    """This is the only hand-written write of the package."""
    keys = dict(Product.objects.values_list("sku", "pk"))
    changes = {keys["P0"]: stock_queries.Change(stock=1, reserved=3), keys["P1"]: stock_queries.Change(reserved=2)}
    assert stock_queries.update_counters(changes) == 1
    counters = Product.objects.in_bulk(["P0", "P1"], field_name="sku")
    assert (counters["P0"].stock_quantity, counters["P0"].reserved_quantity) == (6, 5)
    assert (counters["P1"].stock_quantity, counters["P1"].reserved_quantity) == (1, 0)


@pytest.mark.django_db
def test_movements_are_inserted_once(shop):
    keys = dict(Product.objects.values_list("sku", "pk"))
    movements = [stock_queries.Movement(keys[sku], 1, 0, "", uuid.uuid4()) for sku in ("P0", "P1")]
    shared = {"kind": "receive", "reference": "delivery", "reason": "", "by_id": None}
    assert stock_queries.insert_movements(movements[:1], **shared) == {keys["P0"]}
    assert stock_queries.insert_movements(movements, **shared) == {keys["P1"]}
    assert StockMovement.objects.filter(reference="delivery").count() == 2


@pytest.mark.django_db
def test_bulk_insert_and_update_store_awkward_values():
    awkward = ["tab\there", "line\nbreak", "back\\slash", "\\N", "quote'\"", "ünï", "%s"]
    like = products.create("T", name="T", price=Decimal(1), weight=Decimal("1.5"))
    names = [field.attname for field in Product._meta.concrete_fields if not field.primary_key]
    common = {name: getattr(like, name) for name in names}
    rows = [
        {**common, "sku": f"A{place}", "slug": f"a{place}", "name": name, "weight": None, "attributes": {"text": name}}
        for place, name in enumerate(awkward)
    ]
    bulk.insert(Product, names, (row.values() for row in rows))
    stored = {row.name: row for row in Product.objects.exclude(sku="T")}
    assert {name: row.attributes["text"] for name, row in stored.items()} == {name: name for name in awkward}
    assert {row.weight for row in stored.values()} == {None}
    changes = [(stored[name].pk, Decimal("2.25"), {"new": name}) for name in awkward]
    bulk.update(Product, ("id", "price", "attributes"), changes)
    changed = Product.objects.filter(price=Decimal("2.25"))
    assert {row.name: row.attributes["new"] for row in changed} == {name: name for name in awkward}


@pytest.mark.pg
@pytest.mark.django_db
def test_keys_can_be_reserved_before_rows_are_inserted():
    first, second = bulk.take_keys(Product, 2)
    assert first != second
    assert products.create("T", name="T", price=Decimal(1)).pk not in {first, second}


def test_only_queries_and_the_search_backend_have_sql():
    """The SQL of rows and transactions is in core."""
    strays = []
    for path in sorted(SOURCE.rglob("*.py")):
        place = path.relative_to(SOURCE)
        if "migrations" in place.parts or path.name in MAY_WRITE_SQL or str(place) in MAY_WRITE_SQL:
            continue
        strays += [
            f"{place}:{node.lineno}"
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Attribute)
            and node.attr in {"execute", "executemany", "cursor", "raw"}
            and not (isinstance(node.value, ast.Name) and node.value.id in {"paging", "filters"})
        ]
    assert strays == []
