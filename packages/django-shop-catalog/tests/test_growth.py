"""The database cost of the most frequent reads, measured without a clock: statements and pages read."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import urlencode

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from shop_catalog import browsing, bulk, categories, facets, search, statistics
from shop_catalog.models import Category, Product, ProductCategory
from shop_catalog.search import queries as search_queries
from shop_catalog.wording import search_text, terms_of

API = "/api/v1/products"
SMALL, LARGE = 2_000, 20_000
START = datetime(2024, 1, 1, tzinfo=UTC)
COLUMNS = (
    "sku",
    "slug",
    "kind",
    "name",
    "description",
    "price",
    "tax_class",
    "attributes",
    "options",
    "position",
    "is_active",
    "is_featured",
    "is_scheduled",
    "stock_quantity",
    "reserved_quantity",
    "rating_average",
    "rating_count",
    "search_text",
    "created_at",
    "updated_at",
)


def fill(first, last):
    """Products with the numbers from first to last, each in two of the twenty leaves, and forty in "few"."""
    numbers = range(first, last + 1)
    rows = (
        (
            f"P{n}",
            f"p{n}",
            "simple",
            f"Thing {n}",
            "",
            Decimal(n * 7919 % 99_991) / 100,
            "standard",
            {"colour": f"c{n % 40}", "size": n % 7, "serial": f"S{n}"},
            {},
            0,
            True,
            n % 100 == 0,
            False,
            n % 5,
            0,
            0,
            0,
            search_text(names=[f"Thing {n}"], skus=[f"P{n}"], others=[], description=""),
            START + timedelta(seconds=n),
            START,
        )
        for n in numbers
    )
    bulk.insert(Product, COLUMNS, rows)
    leaves = list(Category.objects.filter(level=2).order_by("pk").values_list("pk", flat=True))
    keys = dict(Product.objects.filter(sku__in=[f"P{n}" for n in numbers]).values_list("sku", "pk"))
    few = Category.objects.get(slug="few").pk
    links = [
        (keys[f"P{n}"], leaves[(n * 7 + turn * 3) % 20], turn, START + timedelta(seconds=n))
        for n in numbers
        for turn in (0, 1)
    ]
    links += [(keys[f"P{n}"], few, 2, START + timedelta(seconds=n)) for n in numbers if n <= SMALL and n % 50 == 0]
    bulk.insert(ProductCategory, ("product", "category", "position", "listed_at"), links)
    facets.rebuild()
    facets.fold()
    statistics.recount_all()
    statistics.fold()
    search.fix()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def requests():
    """The frequent reads, by name: the path, and the maximum number of statements."""
    newest = Product.objects.order_by("-created_at")
    middle = newest[newest.count() // 2]
    place = browsing.Place(middle.created_at, middle.pk)
    cursor = urlencode({"cursor": browsing.place_to_cursor(place, ordering="newest")})
    products = f"{API}/products/"
    return {
        "list": (products, 2),
        "list, deep": (f"{products}?{cursor}", 2),
        "list by price": (f"{products}?order=price", 2),
        "featured": (f"{products}featured/", 2),
        "subtree, root": (f"{products}?category=root", 3),
        "subtree, below": (f"{products}?category=shelf-1", 3),
        "leaf": (f"{products}?category=leaf-1-1", 3),
        "few by price": (f"{products}?category=few&order=price", 3),
        "related products": (f"{products}?related_to=p1234", 2),
        "attribute of one product": (f"{products}?attributes=serial:S1234", 2),
        "attribute of no product": (f"{products}?attributes=colour:none", 1),
        "attributes that no product has together": (f"{products}?attributes=colour:c1&attributes=serial:S2", 2),
        "detail": (f"{products}p1234/", 3),
        "tree": (f"{API}/categories/tree/", 1),
        "average": (f"{API}/categories/shelf-1/average_price/", 1),
        "search": (f"{products}?q=p1234", 3),
    }


def pages_read(statements):
    found = 0
    for statement in statements:
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + statement.replace("%", "%%"), [])
            plan = cursor.fetchone()[0][0]["Plan"]
        found += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    return found


def measure_reads():
    """The number of 8 kB pages read by each request, by name. Its number of statements is checked."""
    client, found = Client(), {}
    categories.current_tree()
    for name, (path, most) in requests().items():
        client.get(path)
        with CaptureQueriesContext(connection) as context:
            response = client.get(path)
        assert response.status_code == 200, name
        statements = [query["sql"] for query in context.captured_queries]
        assert len(statements) <= most, (name, statements)
        found[name] = pages_read(statements)
    return found


PLANS = {
    "category=leaf-1-1": "shop_catalog_links_listed",
    "category=shelf-1": "shop_catalog_list_newest",
    "category=few&order=price": "shop_catalog_links_listed",
    "related_to=p1234": "shop_catalog_links_listed",
    "attributes=serial:S1234": "shop_catalog_terms",
    "attributes=colour:none": "shop_catalog_terms",
    "attributes=colour:c1&attributes=serial:S2": "shop_catalog_terms",
    "order=price": "shop_catalog_list_price",
}


def assert_plans_use_the_indexes():
    """The last page statement of each list reads by this index, and sorts few rows."""
    for query, index in PLANS.items():
        with CaptureQueriesContext(connection) as context:
            Client().get(f"{API}/products/?{query}")
        [*_others, page] = [query["sql"] for query in context.captured_queries if "renditions" in query["sql"]]
        nodes = plan_nodes(page)
        assert index in {node.get("Index Name") for node in nodes}, (query, nodes[0])
        sorted_rows = [
            child["Actual Rows"] for node in nodes if node["Node Type"] == "Sort" for child in node["Plans"]
        ]
        assert max(sorted_rows, default=0) <= 5 * 21, (query, sorted_rows)


def assert_no_list_reads_all_products_to_know_whether_a_group_has_stock():
    with CaptureQueriesContext(connection) as context:
        browsing.list_products(browsing.Filters(attributes=(("size", "1"),)))
    [page] = [query["sql"] for query in context.captured_queries if "renditions" in query["sql"]]
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (VERBOSE) " + page.replace("%", "%%"), [])
        assert "hashed SubPlan" not in str(cursor.fetchall())


def assert_counts_read_only_the_terms_of_products():
    with CaptureQueriesContext(connection) as context:
        browsing.count_facets(browsing.Filters(attributes=(("colour", "c1"),), in_stock=True))
    counts = [query["sql"] for query in context.captured_queries if "unnest(found.numbers)" in query["sql"]]
    assert len(counts) > 1
    for count in counts:
        read = {node.get("Relation Name") for node in plan_nodes(count) if node["Actual Loops"]} - {None}
        assert read == {"shop_catalog_productterms"}, count


def assert_reads_skip_new_drafts():
    """After an import of drafts, the newest products are not listed. Returns the pages read by each request."""
    drafts = list(Product.objects.order_by("-pk").values_list("pk", flat=True)[:2_000])
    with transaction.atomic():
        Product.objects.filter(pk__in=drafts).update(is_active=False)
        facets.refresh(drafts)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE shop_catalog_product")
    assert_counts_read_only_the_terms_of_products()
    with CaptureQueriesContext(connection) as context:
        search_queries.sample((terms_of("thing"), ""), size=500)
        browsing.list_products(browsing.Filters(q="thing"), ordering="relevance")
    wanted = [query["sql"] for query in context.captured_queries if "search_text" in query["sql"]]
    nodes = [node for statement in wanted for node in plan_nodes(statement)]
    read = [node["Actual Rows"] + node.get("Rows Removed by Filter", 0) for node in nodes if "Relation Name" in node]
    assert len(wanted) > 1
    assert max(read) <= 500, read
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return measure_reads()


def assert_a_search_for_nothing_reads_no_table_whole():
    """Neither while the index of words has a list of new entries, as after many orders, which makes it look dear."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE shop_catalog_product SET updated_at = now() WHERE id % 4 = 0")
    with CaptureQueriesContext(connection) as context:
        browsing.list_products(browsing.Filters(q="nowhere"), ordering="relevance")
        assert not search_queries.exists(terms_of("thing nowhere"))
    wanted = [query["sql"] for query in context.captured_queries if "EXISTS" in query["sql"]]
    read = {
        (node["Node Type"], node.get("Relation Name"))
        for statement in wanted
        for node in plan_nodes(statement, with_scans=True)
    }
    assert len(wanted) == 3
    assert ("Seq Scan", "shop_catalog_product") not in read, wanted


def plan_nodes(statement, *, with_scans=False):
    with connection.cursor() as cursor:
        cursor.execute(f"SET enable_seqscan = {'on' if with_scans else 'off'}")
        cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + statement.replace("%", "%%"), [])
        plan = cursor.fetchone()[0][0]["Plan"]
        cursor.execute("SET enable_seqscan = on")
    return list(walk(plan))


def walk(node):
    yield node
    for child in node.get("Plans", ()):
        yield from walk(child)


@pytest.mark.pg
@pytest.mark.django_db(transaction=True, reset_sequences=True)  # the newest key estimates the size of the shop
def test_frequent_reads_cost_the_same_with_ten_times_the_products():
    root = categories.create("Root", slug="root")
    categories.create("Few", slug="few")
    for number in range(1, 5):
        shelf = categories.create(f"Shelf {number}", slug=f"shelf-{number}", parent=root)
        for leaf in range(5):
            categories.create(f"Leaf {number} {leaf}", slug=f"leaf-{number}-{leaf}", parent=shelf)
    fill(1, SMALL)
    small = measure_reads()
    fill(SMALL + 1, LARGE)
    large = measure_reads()
    assert_plans_use_the_indexes()
    assert_no_list_reads_all_products_to_know_whether_a_group_has_stock()
    assert_counts_read_only_the_terms_of_products()
    assert_a_search_for_nothing_reads_no_table_whole()
    with_drafts = assert_reads_skip_new_drafts()
    small.pop("search")  # its cost grows with the number of matches
    for more in (large, with_drafts):
        grown = {name: (small[name], more[name]) for name in small if more[name] > 1.3 * small[name] + 20}
        assert grown == {}
