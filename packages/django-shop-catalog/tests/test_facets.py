"""Facets, which must be exact at any moment: stored counts before and after folding, and counts of filtered lists."""

import threading
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from unittest import mock

import pytest
from django.conf import settings as site
from django.core.cache import cache
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shop_catalog import browsing, categories, facets, inventory, products, reviews
from shop_catalog.browsing import Filters, listing
from shop_catalog.browsing import facets as browsing_facets
from shop_catalog.exceptions import ShopCatalogError
from shop_catalog.facets import folding
from shop_catalog.facets import values as facet_values
from shop_catalog.imports import RawRow, import_products
from shop_catalog.models import Category, FacetChange, FacetValue, Product

pytestmark = pytest.mark.django_db
NAMES = site.SHOP_CATALOG["FACETS"]


def ids_below(slug):
    """The ids of a category and all below it, by ``parent_id``."""
    parents = dict(Category.objects.values_list("pk", "parent_id"))
    root = Category.objects.get(slug=slug).pk
    found = set()
    for pk in parents:
        node = pk
        while node is not None and node != root:
            node = parents[node]
        if node == root:
            found.add(pk)
    return found


def listed():
    """The products that are listed now, with the ids of their categories and their attributes."""
    found = []
    for product in Product.objects.filter(parent=None).prefetch_related("category_links", "variants"):
        if not product.is_published or product.price is None:
            continue
        variants = [variant for variant in product.variants.all() if variant.is_active]
        objects = [product.attributes, *(o for v in variants for o in (v.options, v.attributes))]
        pairs = {(name, text) for values in objects for name, value in values.items() for text in texts(value)}
        has_stock = any(item.available_quantity > 0 for item in (product, *variants))
        found.append((product, {link.category_id for link in product.category_links.all()}, pairs, has_stock))
    return found


def texts(value):
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, bool):
            yield {True: "true", False: "false"}[item]
        elif isinstance(item, str):
            yield item
        elif isinstance(item, int | float):
            yield str(int(item)) if item == int(item) else str(item)


def brute_force(slug):
    rows = [row for row in listed() if not slug or row[1] & ids_below(slug)]
    counted = Counter(pair for _product, _links, pairs, _stock in rows for pair in pairs)
    node = Category.objects.get(slug=slug) if slug else None
    shown = [*([node] if node else []), *Category.objects.filter(parent=node)]
    return {
        "count": len(rows),
        "in_stock": sum(row[3] for row in rows),
        "attributes": {
            name: found for name in NAMES if (found := {text: n for (key, text), n in counted.items() if key == name})
        },
        "ratings": {stars: sum(row[0].rating_average >= stars for row in rows) for stars in range(1, 5)},
        "prices": Counter(band(row[0].price) for row in rows),
        "categories": {c.slug: n for c in shown if (n := sum(bool(r[1] & ids_below(c.slug)) for r in rows))},
        "min_price": min((row[0].price for row in rows), default=None),
        "max_price": max((row[0].price for row in rows), default=None),
    }


def band(price):
    starts = [Decimal(0), *(Decimal(digit).scaleb(e) for e in range(-4, 8) for digit in (1, 2, 5))]
    return max(start for start in starts if start <= price)


def as_brute_force(found):
    return {
        "count": found.count,
        "in_stock": found.in_stock,
        "attributes": found.attributes,
        "ratings": found.ratings,
        "prices": {each.start: each.count for each in found.prices},
        "categories": found.categories,
        "min_price": found.min_price,
        "max_price": found.max_price,
    }


def assert_exact():
    for slug in ("", *Category.objects.values_list("slug", flat=True)):
        found = browsing.count_facets(Filters(category=slug))
        assert found.is_exact
        assert found.is_complete
        assert as_brute_force(found) == brute_force(slug), slug


def skus(filters):
    return {row.sku for row in browsing.list_products(filters, limit=100).rows}


@pytest.fixture
def shop():
    return make_shop()


def make_shop():
    food = categories.create("Food")
    fruit = categories.create("Fruit", parent=food)
    nuts = categories.create("Nuts", parent=food)
    categories.create("Tools")
    products.create(
        "apple", name="Apple", price=Decimal("1.50"), categories=[fruit], attributes={"colour": "red", "size": 1}
    )
    products.create(
        "mix", name="Mix", price=Decimal(4), categories=[fruit, nuts], attributes={"colour": ["red", "blue"]}
    )
    box = products.create("box", name="Box", kind="group", categories=[nuts], attributes={"material": "oak"})
    products.create("box-s", kind="variant", parent=box, price=Decimal("9.99"), options={"size": "S"})
    products.create("box-l", kind="variant", parent=box, price=Decimal("20.01"), options={"size": "L"})
    return food


def test_facets_are_exact_before_and_after_the_fold(shop):
    assert_exact()
    assert facets.fold() > 0
    assert FacetChange.objects.count() == 0
    cache.clear()
    assert_exact()
    assert facets.fold() == 0


def change_price(sku, number):
    product = products.get(sku)
    if product.kind != "group":
        products.set_price(product, price=Decimal(number))


def change_stock(sku, number):
    product = products.get(sku)
    if product.kind != "group":
        inventory.count({sku: number}, reason="Counted")


def publish(sku, is_active, days):
    until = None if days is None else timezone.now() + timedelta(days=days)
    products.change(products.get(sku), is_active=is_active, publish_from=None, publish_until=until)


def publish_later(sku, days):
    products.change(products.get(sku), publish_from=timezone.now() + timedelta(days=days), publish_until=None)


SKUS = st.sampled_from(["apple", "mix", "box", "box-s", "box-l"])
LISTED = st.sampled_from(["apple", "mix", "box"])
SLUGS = st.sampled_from(["food", "fruit", "nuts", "tools"])
VALUES = st.one_of(
    st.sampled_from(["red", "blue", "", ":", '"', "%s", "{1}"]), st.integers(-2, 2), st.booleans(),
    st.sampled_from([0.5, 1.0, 2.25]), st.lists(st.sampled_from(["red", "x", 1, True]), max_size=3), st.none(),
)  # fmt: skip
ATTRIBUTES = st.dictionaries(st.sampled_from([*NAMES, "a:b", "", "__x", "\\"]), VALUES, max_size=3)
STEPS = st.one_of(
    st.tuples(st.just("price"), SKUS, st.integers(0, 60)),
    st.tuples(st.just("stock"), SKUS, st.integers(0, 2)),
    st.tuples(st.just("publish"), SKUS, st.booleans(), st.sampled_from([None, 1, 3])),
    st.tuples(st.just("publish later"), SKUS, st.sampled_from([1, 3])),
    st.tuples(st.just("attributes"), SKUS, ATTRIBUTES),
    st.tuples(st.just("place"), LISTED, st.lists(SLUGS, max_size=3, unique=True)),
    st.tuples(st.just("move"), SLUGS, st.none() | SLUGS),
    st.tuples(st.just("delete category"), SLUGS),
    st.tuples(st.just("delete"), SKUS),
    st.tuples(st.just("import"), LISTED, SLUGS, ATTRIBUTES),
    st.tuples(st.just("review"), LISTED, st.integers(1, 5)),
    st.tuples(st.just("wait"), st.sampled_from([2, 4])),
    st.tuples(st.just("fold"), st.sampled_from([1, 2, 1000])),
)
ACTIONS = {
    "price": change_price,
    "stock": change_stock,
    "publish": publish,
    "publish later": publish_later,
    "attributes": lambda sku, found: products.change(products.get(sku), attributes=found),
    "place": lambda sku, slugs: products.change(products.get(sku), categories=[categories.get(s) for s in slugs]),
    "move": lambda slug, parent: categories.move(
        categories.get(slug), parent=None if parent is None else categories.get(parent)
    ),
    "delete category": lambda slug: categories.delete(categories.get(slug), children="move_up"),
    "delete": lambda sku: products.delete(products.get(sku)),
    "import": lambda sku, slug, found: import_products(
        [RawRow(1, {"sku": sku, "name": "Imported", "categories": slug, "attributes": found})]
    ),
}


def act(step, *, user, clock):
    name, *arguments = step
    if name == "wait":
        clock[0] += timedelta(days=arguments[0])
    elif name == "fold":
        with mock.patch.object(folding, "CHUNK", arguments[0]):
            facets.fold()
    elif name == "review":
        product = products.get(arguments[0])
        reviews.submit(product, user=user, rating=arguments[1])
    else:
        ACTIONS[name](*arguments)


def assert_every_value_is_filtered_as_it_is_counted():
    rows = listed()
    pairs = {pair for row in rows for pair in row[2]} | {("colour", "none"), ("", ""), ("'", "x\\")}
    for pair in pairs:
        expected = {row[0].sku for row in rows if pair in row[2]}
        filters = Filters(attributes=(pair,))
        assert skus(filters) == expected, pair
        found = browsing.count_facets(filters)
        assert found.count == len(expected), pair
        if pair[0] in NAMES:
            assert found.attributes.get(pair[0], {}).get(pair[1], 0) == len(expected), pair


@given(steps=st.lists(STEPS, max_size=8))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_facets_equal_a_count_of_all_products_through_random_lives(steps, customer):
    clock, now = [timedelta()], timezone.now
    unmoderated = mock.patch.dict(site.SHOP_CATALOG, MODERATE_REVIEWS=False)
    with (
        mock.patch("django.utils.timezone.now", side_effect=lambda: now() + clock[0]),
        unmoderated,
        transaction.atomic(),
    ):
        cache.clear()
        make_shop()
        for step in steps:
            try:
                act(step, user=customer, clock=clock)
            except ShopCatalogError:
                continue
        assert_exact()
        assert_every_value_is_filtered_as_it_is_counted()
        facets.fold()
        cache.clear()
        assert_exact()
        transaction.set_rollback(True)


@pytest.mark.parametrize("broken", ["get", "set"])
def test_facets_are_counted_while_the_cache_is_away(shop, monkeypatch, broken):
    known = browsing_facets.count_facets(Filters())
    cache.clear()

    def fail(*args, **kwargs):
        raise ConnectionError("The cache is away.")

    monkeypatch.setattr(cache, broken, fail)
    assert browsing_facets.count_facets(Filters()) == known


def test_a_filter_by_an_attribute_that_is_not_counted_costs_no_second_count(shop):
    pairs = (("colour", "red"), ("grade", "A"), ("origin", "Kenya"))
    with mock.patch.object(listing, "facet_numbers", wraps=listing.facet_numbers) as counted:
        browsing.count_facets(Filters(attributes=pairs))
    assert counted.call_count == 2  # the matches, and those without the filter by colour


def test_facets_of_a_change_that_was_rolled_back_are_never_shown(shop):
    red = Filters(attributes=(("colour", "red"),))
    with transaction.atomic():
        products.create("plum", name="Plum", price=Decimal(1), attributes={"colour": "red"})
        assert browsing.count_facets(red).count == 3
        transaction.set_rollback(True)
    products.create("pear", name="Pear", price=Decimal(1), attributes={"colour": "green"})
    assert browsing.count_facets(red).count == 2
    facets.fold()
    assert browsing.count_facets(red).count == 2


def colours():
    found = browsing.count_facets(Filters())
    return found.attributes.get("colour", {}), found.other.get("colour", 0)


@pytest.fixture
def room_for_two(monkeypatch):
    monkeypatch.setattr(facet_values, "MAX_VALUES", 2)
    monkeypatch.setattr(folding, "MAX_UNUSED", 0)
    for colour in ("red", "blue", "green", "green"):
        number = Product.objects.count()
        products.create(f"C{number}", name="X", price=Decimal(1), attributes={"colour": colour})
    assert colours() == ({"red": 1, "blue": 1}, 2)


@pytest.mark.usefixtures("room_for_two")
def test_values_that_no_product_has_make_room_for_others():
    products.change(products.get("C0"), is_active=False)
    facets.fold()
    assert facets.delete_unused() == 0  # the product may be published again
    products.delete(products.get("C0"))
    facets.fold()
    assert facets.delete_unused() == 1
    assert not browsing.count_facets(Filters()).is_complete
    facets.fold()
    assert facets.delete_unused() == 0
    assert colours() == ({"blue": 1, "green": 2}, 0)
    assert browsing.count_facets(Filters()).is_complete


@pytest.mark.usefixtures("room_for_two")
def test_a_value_that_was_deleted_while_it_was_written_gets_its_name_again():
    FacetValue.objects.filter(value="blue").delete()
    facets.fold()
    assert colours() == ({"red": 1}, 2)
    facets.delete_unused()
    assert colours() == ({"red": 1, "blue": 1}, 2)


@pytest.mark.pg
@pytest.mark.django_db(transaction=True)
def test_two_transactions_that_add_the_same_values_do_not_wait_for_each_other():
    both_wrote, failed = threading.Barrier(2, timeout=20), []

    def write(*colours):
        try:
            with transaction.atomic():
                for colour in colours:
                    sku = "-".join((*colours, colour))
                    products.create(sku, name=sku, price=Decimal(1), attributes={"colour": colour})
                    if colour == colours[0]:
                        both_wrote.wait()
        except DatabaseError as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=args) for args in (("red", "blue"), ("blue", "red"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert colours() == ({"red": 2, "blue": 2}, 0)
    facets.fold()
    assert colours() == ({"red": 2, "blue": 2}, 0)
    assert browsing.count_facets(Filters()).is_complete


def test_many_matching_products_are_estimated_from_samples(shop, monkeypatch):
    for number in range(60):
        products.create(
            f"P{number}", name="X", price=Decimal(number), attributes={"colour": ["red", "blue"][number % 2]}
        )
    filters = Filters(min_price=Decimal(10))
    exact = browsing.count_facets(filters)
    assert (exact.is_exact, exact.count, exact.attributes["colour"]) == (True, 50, {"red": 25, "blue": 25})
    cache.clear()
    monkeypatch.setattr(browsing_facets, "EXACT", 20)
    monkeypatch.setattr(browsing_facets, "SAMPLED", 16)
    found = browsing.count_facets(filters)
    assert not found.is_exact
    assert 25 <= found.count <= 100
    assert found.count == browsing_facets._rounded(found.count)
    assert browsing.count_facets(Filters()).is_exact
    assert browsing.count_facets(Filters(max_price=Decimal(4))).is_exact


AMOUNTS = st.one_of(st.integers(-1, 30).map(str), st.sampled_from(["0.01", "1e3", "NaN", "-0", "9" * 30, ""]))
TEXTS = st.one_of(
    st.sampled_from(["red", "colour:red", "colour:", ":", "\\:", "a\\:b:c", "\0", "x:" * 50, "'", "%", "tsquery & |"]),
    st.text(max_size=8),
)
QUERIES = st.fixed_dictionaries(
    {},
    optional={
        "q": TEXTS,
        "category": st.sampled_from(["food", "fruit", "nowhere", ""]),
        "min_price": AMOUNTS,
        "max_price": AMOUNTS,
        "in_stock": st.sampled_from(["true", "false", "maybe"]),
        "featured": st.booleans().map(str),
        "rating": AMOUNTS,
        "attributes": st.lists(TEXTS, max_size=4),
        "related_to": st.sampled_from(["apple", "none"]),
        "order": st.sampled_from(["newest", "price", "-price", "name", "-name", "rating", "relevance", "size"]),
        "limit": st.sampled_from([1, 100, 101, 0]),
        "facets": st.just("true"),
        "count": st.just("true"),
    },
)


@given(query=QUERIES, cursor=st.sampled_from(["", "x", "newest", "price", "name", "relevance"]))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_filters_orders_and_cursors_get_a_page_or_a_clear_refusal(shop, anyone, query, cursor):
    if cursor in browsing.ORDERINGS:
        page = browsing.list_products(Filters(q="apple" if cursor == "relevance" else ""), ordering=cursor, limit=1)
        cursor = browsing.place_to_cursor(page.next or browsing.Place(1, 1), ordering=cursor)
    response = anyone.get("/products/", **query, **({"cursor": cursor} if cursor else {}))
    body = response.json()
    assert response.status_code in {200, 400, 404, 422}, (query, body)
    if response.status_code == 200:
        assert ("facets" in query) == bool(body.get("facets"))
    else:
        assert body["code"]


@pytest.mark.pg
def test_a_list_that_the_database_cancels_is_unavailable_for_a_moment(shop, anyone, monkeypatch):
    def page_rows(*_args, **_kwargs):
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 1")
            cursor.execute("SELECT pg_sleep(10)")

    monkeypatch.setattr("shop_catalog.browsing.queries.page_rows", page_rows)
    response = anyone.get("/products/")
    assert (response.status_code, response["Retry-After"]) == (503, "1")
