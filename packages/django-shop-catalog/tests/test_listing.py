"""Lists: keyset pages, filters, sort orders, facets, search; compiled queries return the same as plain querysets."""

from contextlib import nullcontext
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from shop_catalog import browsing, categories, cursors, facets, inventory, products, receivers
from shop_catalog.browsing import Filters, listing, pages, queries
from shop_catalog.browsing.matching import WINDOWS, Reading
from shop_catalog.exceptions import InvalidCursor, UnknownCategory
from shop_catalog.imports import RawRow, import_products
from shop_catalog.models import Product, ProductCategory, ProductTerms, SearchWord
from shop_catalog.search import by_words, planning
from shop_catalog.search import queries as search_queries
from shop_catalog.search.planning import FEW
from shop_catalog.wording import Needle, simplify, terms_of
from shop_core.db.compiled import uses_plain_queries

pytestmark = pytest.mark.django_db
ALL = Filters()
HAS_ARRAYS = connection.vendor == "postgresql"
ORDERS = ["newest", "price", "-price", "name", "-name", "rating"]


@pytest.fixture
def shop(make_user):
    food = categories.create("Food")
    fruit = categories.create("Fruit", parent=food)
    tools = categories.create("Tools")
    places = [food, fruit, tools]
    for number in range(23):
        products.create(
            f"P{number:02}",
            name=f"Product {number % 5}",
            price=Decimal(number % 4) + 1,
            categories=[places[number % 3], places[(number + 1) % 3]],
            attributes={"colour": ["red", "blue"][number % 2], "size": number % 3},
            is_featured=number % 6 == 0,
            description="Made of wood" if number % 7 == 0 else "",
        )
    inventory.receive({f"P{number:02}": 3 for number in range(0, 23, 2)})
    group = products.create("G", name="Shirt", kind="group", categories=[tools])
    products.create("G-L", kind="variant", parent=group, price=Decimal("2.50"), options={"size": "L"})
    products.create("G-M", kind="variant", parent=group, price=Decimal("3.50"), options={"size": "M"})
    inventory.receive({"G-L": 1})
    products.create("OFF", name="Off", price=Decimal(1), categories=[food], is_active=False)
    same = timezone.now()
    Product.objects.filter(sku__lt="P12").update(created_at=same, rating_average=Decimal("4.50"))
    receivers.fix_links()
    return food


def skus(filters=ALL, ordering="newest", limit=5):
    """All SKUs of a list, read page by page."""
    found, after = [], None
    while True:
        page = browsing.list_products(filters, ordering=ordering, after=after, limit=limit)
        found += [row.sku for row in page.rows]
        if page.next is None:
            return found
        assert len(page.rows) == limit
        after = browsing.place_from_cursor(browsing.place_to_cursor(page.next, ordering=ordering), ordering=ordering)


def test_pages_neither_skip_nor_repeat_products(shop):
    for ordering in ORDERS:
        assert_pages_are_complete(ordering)


def assert_pages_are_complete(ordering):
    column, is_descending = browsing.ORDERINGS[ordering]
    rows = Product.objects.listed().published()
    sign = "-" if is_descending else ""
    expected = list(rows.order_by(f"{sign}{column}", f"{sign}pk").values_list("sku", flat=True))
    assert len(expected) == 24
    for limit in (1, 5, 24, 100):
        assert skus(ordering=ordering, limit=limit) == expected


def test_pages_are_correct_after_inserts_and_deletes_between_them(shop):
    first = browsing.list_products(Filters(), ordering="price", limit=10)
    products.create("NEW", name="New", price=Decimal("0.01"))
    products.delete(products.get(first.rows[-1].sku))
    rest = browsing.list_products(Filters(), ordering="price", after=first.next, limit=100)
    assert {row.sku for row in first.rows}.isdisjoint(row.sku for row in rest.rows)
    assert len(first.rows) + len(rest.rows) == 24


FILTERS = {
    "all": Filters(),
    "category": Filters(category="food"),
    "leaf": Filters(category="fruit"),
    "prices": Filters(min_price=Decimal(2), max_price=Decimal(3)),
    "in stock": Filters(in_stock=True),
    "sold out": Filters(in_stock=False),
    "featured": Filters(featured=True),
    "not featured": Filters(featured=False),
    "rated": Filters(rating=Decimal("4.5")),
    "everything": Filters(
        category="food", min_price=Decimal(1), max_price=Decimal(4), in_stock=True, featured=True, rating=Decimal(0)
    ),
    "related": Filters(related_to="product-0"),
    "unpublished": Filters(with_unpublished=True),
}


def test_compiled_page_query_returns_the_rows_of_the_plain_queryset(shop):
    for filters in FILTERS.values():
        assert_compiled_equals_plain(filters, "newest")
        assert_compiled_equals_plain(filters, "price")
    for ordering in ORDERS:
        assert_compiled_equals_plain(FILTERS["everything"], ordering)


def readings(filters, ordering):
    """The ways in which a page can be found."""
    yield from (Reading.FREELY, *WINDOWS, Reading.COLLECTED)
    if filters.category:
        yield from (Reading.IN_ORDER, Reading.COLLECTED_BELOW, Reading.ALL_BELOW)
    if filters == Filters(category="fruit") and ordering == "newest":
        yield Reading.FROM_LEAF
    if filters == Filters(category=filters.category) and filters.category and ordering == "newest" and HAS_ARRAYS:
        yield Reading.FROM_LEAVES
    if filters == FILTERS["related"] and ordering == "newest" and HAS_ARRAYS:
        yield Reading.FROM_RELATED


def assert_compiled_equals_plain(filters, ordering):
    first = browsing.list_products(filters, ordering=ordering, limit=3)
    for after in (None, first.next):
        values = listing._parameters(filters, after=after, is_counted=True)
        expected = None
        for reading in readings(filters, ordering):
            shape = (filters.shape, None, reading, ordering, after is not None, 50)
            hot = [tuple(row) for row in queries._PAGE.rows(*shape, **values)]
            assert hot == queries._PAGE.plain_rows(*shape, **values)
            assert hot == [tuple(row) for row in queries._PAGE.rows(*shape, **values)]
            assert expected is None or hot == expected, (filters, reading)
            expected = hot


def reading(filters, *, ordering="newest", categories_below=1, **values):
    bounds = {"lft": 1, "rght": 2 * categories_below, "product_count": None, "newest_id": None, **values}
    return listing._reading(filters, bounds, ordering=ordering, limit=19)


def test_newest_products_of_a_category_are_read_from_its_links():
    assert reading(Filters(category="food")) == Reading.FROM_LEAF
    few = {"product_count": 500, "newest_id": 50_000}
    expected = Reading.FROM_LEAVES if HAS_ARRAYS else Reading.IN_ORDER
    assert reading(Filters(category="food"), categories_below=8, **few) == expected
    most = {"product_count": 40_000, "newest_id": 50_000}
    assert reading(Filters(category="food"), categories_below=200, **most) == Reading.IN_ORDER


def test_newest_related_products_are_read_from_the_links_of_each_category():
    related = Filters(related_to="apple")
    assert reading(related) == (Reading.FROM_RELATED if HAS_ARRAYS else Reading.FREELY)
    assert reading(related, ordering="price") == Reading.FREELY
    assert reading(Filters(related_to="apple", in_stock=True)) == Reading.IN_WINDOW
    assert reading(Filters(related_to="apple", category="food")) == Reading.IN_WINDOW


def test_links_are_hidden_exactly_while_their_product_is_not_listed_and_will_not_be():
    """Whatever changes the product: actions, imports, passing times, new variants, categories and fixtures."""
    jars, caps = categories.create("Jars"), categories.create("Caps")
    jar = products.create("JAR", name="Jar", is_active=False, categories=[jars])
    group = products.create("CAP", name="Cap", kind="group", categories=[jars, caps])
    now = timezone.now()

    def assert_listed(*expected, hidden):
        facets.fold()
        products.apply_schedules()
        links = ProductCategory.objects.filter(is_hidden=True)
        assert set(links.values_list("product__sku", flat=True)) == set(hidden)
        for node in (jars, caps):
            own = [sku for sku in expected if sku == "CAP" or node == jars]
            assert skus(Filters(category=node.slug)) == own
        assert skus(Filters(category="jars", with_unpublished=True)) == ["CAP", "JAR"]

    assert_listed(hidden=["CAP", "JAR"])
    products.change(products.get("JAR"), price=Decimal(2), is_active=True)
    variant = products.create("CAP-S", kind="variant", parent=group, price=Decimal(1), options={"size": "S"})
    assert_listed("CAP", "JAR", hidden=[])
    products.change(variant, is_active=False)
    import_products([RawRow(1, {"sku": "JAR", "is_active": "false"}, "")])
    assert_listed(hidden=["CAP", "JAR"])
    import_products([RawRow(1, {"sku": "JAR", "is_active": "true"}, "")])
    products.change(jar, publish_from=now + timedelta(days=1))
    assert_listed(hidden=["CAP"])
    Product.objects.filter(pk=jar.pk).update(publish_from=now)
    products.change(group, categories=[jars])
    assert skus(Filters(category="jars")) == ["JAR"]
    products.change(variant, is_active=True)
    products.change(group, categories=[caps, jars])
    assert_listed("CAP", "JAR", hidden=[])
    products.change(jar, publish_until=now + timedelta(days=1))
    for table, column in ((Product, "publish_until"), (ProductTerms, "changes_at")):
        table.objects.filter(pk=jar.pk).update(**{column: timezone.now()})
    assert skus(Filters(category="jars")) == ["CAP"]
    assert_listed("CAP", hidden=["JAR"])
    products.change(jar, publish_until=None)
    ProductCategory.objects.update(is_hidden=True)
    receivers.fix_links()
    assert_listed("CAP", "JAR", hidden=[])


def test_large_categories_are_read_in_list_order():
    """In list order, a page of 20 reads 20 * 50,000 / 500 = 2,000 products: the cost of sorting 500 at four times
    each."""
    wanted, values = Filters(category="food"), {"product_count": 500, "newest_id": 50_000}
    assert reading(wanted, ordering="price", **values) == Reading.IN_ORDER
    assert reading(wanted, ordering="price", **{**values, "product_count": 499}) == Reading.ALL_BELOW
    assert reading(wanted, ordering="price") == Reading.FREELY


def test_a_window_limits_the_search_for_products_that_match_several_filters():
    assert reading(Filters()) == Reading.FREELY
    assert reading(Filters(attributes=(("colour", "red"), ("colour", "blue")))) == Reading.FREELY
    assert reading(Filters(min_price=Decimal(1)), ordering="price") == Reading.FREELY
    assert reading(Filters(min_price=Decimal(1))) == Reading.IN_WINDOW
    assert reading(Filters(category="food", featured=True)) == Reading.IN_WINDOW
    assert reading(Filters(attributes=(("colour", "red"), ("size", "L")))) == Reading.IN_WINDOW
    assert reading(Filters(attributes=(("brand", "Zeta"),)), ordering="-name") == Reading.IN_WINDOW
    assert reading(Filters(in_stock=False), ordering="price") == Reading.IN_WINDOW
    assert reading(Filters(min_price=Decimal(1), max_price=Decimal(2)), ordering="-price") == Reading.FREELY


def test_if_some_products_of_the_window_match_a_wider_one_is_searched():
    wider = [listing._wider_window(found, limit=20) for found in (0, 1, 2, 7, 8, 20)]
    assert wider == [None] * 2 + [Reading.IN_WINDOW_OF_16] * 2 + [Reading.IN_WINDOW_OF_4] * 2


def test_in_a_small_shop_all_matches_are_collected_instead_of_a_wider_window():
    """20 of the first 1,000 products match: 200 of 10,000 are sorted, or 20,000 of a million."""
    sizes = (10_000, 99_999, 100_000, 1_000_000)
    cheaper = [listing._is_wider_cheaper(Reading.IN_WINDOW_OF_4, 20, size) for size in sizes]
    assert cheaper == [False, False, True, True]


def test_a_large_category_is_looked_up_for_each_product():
    assert not listing._is_large({})
    assert not listing._is_large({"product_count": 499, "newest_id": 10_000})
    assert listing._is_large({"product_count": 500, "newest_id": 10_000})


def test_products_beyond_the_window_are_found(shop, monkeypatch):
    everything = {name: skus(filters) for name, filters in FILTERS.items()}
    monkeypatch.setattr(pages, "WINDOW", 2)
    monkeypatch.setattr(listing, "WINDOW", 2)
    queries._PAGE._statement.cache_clear()
    assert {name: skus(filters) for name, filters in FILTERS.items()} == everything
    queries._PAGE._statement.cache_clear()


@pytest.mark.skipif(uses_plain_queries(), reason="plain querysets are run instead")
def test_query_is_compiled_once_per_shape(shop):
    browsing.list_products(Filters(), limit=7)
    before = queries._PAGE._statement.cache_info()
    browsing.list_products(Filters(), limit=7)
    browsing.list_products(Filters(), limit=7)
    after = queries._PAGE._statement.cache_info()
    assert (after.hits - before.hits, after.misses - before.misses) == (2, 0)


@pytest.mark.parametrize(("filters", "statements"), [(Filters(), 2), (Filters(category="food"), 3)])
def test_statements_do_not_grow_with_the_page(shop, django_assert_num_queries, filters, statements):
    categories.current_tree()
    for limit in (2, 20):
        with django_assert_num_queries(statements):
            browsing.list_products(filters, limit=limit)


def test_detail_takes_four_statements_at_most(shop, django_assert_num_queries):
    categories.current_tree()
    with django_assert_num_queries(3):
        browsing.find_product("product-0")
    with django_assert_num_queries(4):
        browsing.find_product("shirt")


def test_each_filter_returns_exactly_the_matching_products(shop):
    rows = {row.sku: row for row in Product.objects.listed().published()}
    assert set(skus(FILTERS["prices"])) == {sku for sku, row in rows.items() if 2 <= row.price <= 3}
    stocked = {sku for sku, row in rows.items() if row.available_quantity > 0} | {"G"}
    assert set(skus(FILTERS["in stock"])) == stocked
    assert set(skus(FILTERS["sold out"])) == rows.keys() - stocked
    assert set(skus(FILTERS["featured"])) == {sku for sku, row in rows.items() if row.is_featured}
    assert set(skus(FILTERS["rated"])) == {sku for sku, row in rows.items() if row.rating_average >= Decimal("4.5")}
    assert "OFF" in skus(FILTERS["unpublished"])
    inside = Product.objects.in_subtree(shop).listed().published()
    assert set(skus(FILTERS["category"])) == set(inside.values_list("sku", flat=True))


def test_unknown_category_is_an_error():
    with pytest.raises(UnknownCategory):
        browsing.list_products(Filters(category="nowhere"))


def test_attribute_filter_needs_one_value_of_each_name(shop):
    red_or_blue = Filters(attributes=(("colour", "red"), ("colour", "blue")))
    assert len(skus(red_or_blue)) == 23
    red_and_two = Filters(attributes=(("colour", "red"), ("size", "2")))
    expected = Product.objects.filter(attributes__colour="red", attributes__size=2)
    assert set(skus(red_and_two)) == set(expected.values_list("sku", flat=True))
    assert skus(Filters(attributes=(("size", "L"),))) == ["G"]
    assert skus(Filters(attributes=(("regex", "("), ("a__b", "'"), ('"', "%s")))) == []


def test_facets_count_the_matching_products(shop):
    found = browsing.count_facets(Filters(category="food", attributes=(("colour", "red"),)))
    matching = set(skus(Filters(category="food", attributes=(("colour", "red"),))))
    rows = Product.objects.filter(sku__in=matching)
    assert found.attributes["colour"] == {
        "red": len(matching),
        "blue": len(skus(Filters(category="food"))) - len(matching),
    }
    assert sum(found.attributes["size"].values()) == len(matching)
    assert found.categories["food"] == len(matching)
    assert found.in_stock == sum(row.available_quantity > 0 for row in rows)
    assert (found.min_price, found.max_price) == (min(r.price for r in rows), max(r.price for r in rows))
    assert found.is_complete


def test_facets_count_a_group_by_its_variants(shop):
    found = browsing.count_facets(Filters(category="tools"))
    assert (found.attributes["size"]["L"], found.attributes["size"]["M"]) == (1, 1)


def test_count_is_capped(shop, monkeypatch):
    assert browsing.count_products(Filters()) == (24, True)
    monkeypatch.setattr(listing, "COUNT_CAP", 10)
    assert browsing.count_products(Filters()) == (10, False)


@pytest.mark.parametrize("cursor", ["", "abc", "A" * 40, "____"])
def test_forged_cursors_are_refused(cursor):
    with pytest.raises(InvalidCursor):
        browsing.place_from_cursor(cursor, ordering="newest")


def test_cursor_of_another_sort_order_is_refused(shop):
    page = browsing.list_products(Filters(), ordering="price", limit=2)
    cursor = browsing.place_to_cursor(page.next, ordering="price")
    with pytest.raises(InvalidCursor):
        browsing.place_from_cursor(cursor, ordering="newest")


def test_cursor_by_relevance_is_refused_with_and_without_a_search(shop, anyone):
    """Without a search, the order by relevance is newest first."""
    for made, used in (({"q": "product"}, {}), ({}, {"q": "product"})):
        cursor = anyone.get("/products/", order="relevance", limit=2, **made).json()["next"]
        response = anyone.get("/products/", order="relevance", cursor=cursor, **used)
        assert (response.status_code, response.json()["code"]) == (422, "invalid_cursor")


LONG_NAMES = {
    "Arabic": "كوب" * 20,
    "Chinese": "茶壶" * 30,
    "emoji": "🫖" * 60,
    "two hundred letters of four bytes": "𠀀" * 200,
    "two hundred control characters": "\x01" * 200,
    "quotes": '"' * 200,
}


@pytest.mark.parametrize("name", LONG_NAMES.values(), ids=LONG_NAMES)
@pytest.mark.django_db
def test_lists_with_long_names_can_be_paginated_through_the_api(anyone, name):
    for number in range(5):
        products.create(f"{number}", name=name, price=Decimal(1))
    for order in ("name", "-name"):
        seen, cursor = [], ""
        while cursor is not None:
            page = anyone.get("/products/", limit=2, cursor=cursor, order=order).json()
            seen += [item["sku"] for item in page["items"]]
            cursor = page["next"]
            assert len(cursor or "") <= cursors.MAX_LENGTH
        assert seen == (list("01234") if order == "name" else list("43210"))


def test_usual_cursors_are_short(shop):
    page = browsing.list_products(Filters(), limit=2)
    assert len(browsing.place_to_cursor(page.next, ordering="newest")) <= 120


def test_cursor_of_a_list_is_refused_by_another(shop, anyone, staff_api):
    page = anyone.get("/products/", limit=2).json()
    for path in ("/categories/", "/reviews/"):
        assert anyone.get(path, cursor=page["next"]).json()["code"] == "invalid_cursor"
    assert staff_api.get("/products/product-0/stock/", cursor=page["next"]).json()["code"] == "invalid_cursor"


def test_changed_cursor_is_refused(shop):
    page = browsing.list_products(Filters(), ordering="name", limit=2)
    cursor = browsing.place_to_cursor(page.next, ordering="name")
    for index in range(len(cursor)):
        changed = cursor[:index] + ("A" if cursor[index] != "A" else "B") + cursor[index + 1 :]
        if index < len(cursor) - 1:
            with pytest.raises(InvalidCursor):
                browsing.place_from_cursor(changed, ordering="name")


@pytest.fixture
def teapots():
    products.create("TP-1", name="Blue teapot", price=Decimal(1), description="For black tea")
    products.create("TP-2", name="Red teapot", price=Decimal(1))
    products.create("CUP", name="Cup", price=Decimal(1), description="Goes with the blue teapot")
    products.create("CAFE", name="Café crème", price=Decimal(1))
    group = products.create("SHIRT", name="Shirt", kind="group")
    products.create("SHIRT-L", kind="variant", parent=group, price=Decimal(1), options={"colour": "Turquoise"})


SEARCHES = {
    "blue teapot": ["TP-1", "CUP"],
    "BLUE": ["TP-1", "CUP"],
    "teapot red": ["TP-2"],
    "tp-2": ["TP-2"],
    "cafe creme": ["CAFE"],
    "turquoise": ["SHIRT"],
    "shirt-l": ["SHIRT"],
    "nothing of the kind": [],
    "'; DROP TABLE --": [],
    "& | ! ( ) : * <->": [],
    "%": [],
    "_": [],
    "\\": [],
}


def test_search_finds_by_name_sku_attribute_and_description(teapots):
    found = {text: skus(Filters(q=text), ordering="relevance") for text in SEARCHES}
    assert found == SEARCHES


MISSPELT = {
    "blu teapt": "TP-1",
    "blu & teapt (new)": None,
    "blu & teapt!": "TP-1",
    "& ?": None,
    "turquoisse": "SHIRT",
    "turqoise": "SHIRT",
    "turkoise": "SHIRT",
    "tapot": "TP-2",
    "teaput red": "TP-2",
    "creme cafee": "CAFE",
    "shrit": "SHIRT",
    "mug": None,
    "umbrella": None,
    "gone with": None,
}


def test_search_tolerates_misspelling(teapots):
    found = {text: next(iter(skus(Filters(q=text), ordering="relevance")), None) for text in MISSPELT}
    assert found == MISSPELT


def test_misspelt_words_count_only_where_no_product_has_all_words(teapots):
    products.create("TP-3", name="Teapott", price=Decimal(1))
    assert skus(Filters(q="teapott"), ordering="relevance") == ["TP-3"]
    assert skus(Filters(q="teapott", max_price=Decimal(0)), ordering="relevance") == []


def test_match_in_the_name_ranks_above_description_and_at_its_beginning_highest(teapots):
    products.create("LID", name="Lid of a blue teapot", price=Decimal(1))
    assert skus(Filters(q="blue teapot"), ordering="relevance") == ["TP-1", "LID", "CUP"]


def test_search_results_by_relevance_can_be_paginated(shop):
    everything = skus(Filters(q="product"), ordering="relevance", limit=100)
    assert len(everything) == 23
    assert skus(Filters(q="product"), ordering="relevance", limit=4) == everything


def test_filtered_search_by_relevance_misses_no_match_of_a_common_word():
    """Unfiltered, it lists the first 300 that the index finds. A filter may leave only others."""
    rows = (RawRow(number, {"sku": f"H{number}", "name": "Honey", "price": "3"}, "") for number in range(FEW + 1))
    import_products(rows)
    products.create("DEAR", name="Honey", price=Decimal(900))
    SearchWord.objects.create(word="", products=100_000, names=0)  # as in a shop where the index is worth while
    dear = Filters(q="honey", min_price=Decimal(800))
    assert skus(dear, ordering="relevance") == skus(dear, ordering="price") == ["DEAR"]
    assert browsing.count_facets(dear).count == 1


def test_variants_and_unpublished_products_take_no_room_among_the_matches(monkeypatch):
    """Of a common word, only the first products are looked up in the index."""
    group = products.create("G", name="Honey", kind="group")
    for number in range(4):
        products.create(f"G-{number}", kind="variant", parent=group, price=Decimal(2), options={"size": number})
        products.create(f"OFF-{number}", name="Honey", price=Decimal(2), is_active=number % 2 == 0)
    now = timezone.now()
    Product.objects.filter(sku__startswith="OFF").update(publish_until=now, publish_from=now - timedelta(days=1))
    products.create("JAR", name="Honey", price=Decimal(3))
    SearchWord.objects.create(word="", products=100_000, names=0)
    search = Filters(q="honey")
    for name, limit, with_unpublished in (("FEW", 2, 2), ("FREQUENT", 7, 6)):
        monkeypatch.setattr(planning, name, limit)
        monkeypatch.setattr(by_words, name, limit)
        queries._PAGE._statement.cache_clear()
        assert skus(search, ordering="relevance") == ["JAR", "G"], name
        assert [row.sku for row in browsing.suggest("honey").products] == ["JAR", "G"], name
        assert len(skus(Filters(q="honey", with_unpublished=True), ordering="relevance")) == with_unpublished
        monkeypatch.undo()
    queries._PAGE._statement.cache_clear()


def test_a_search_that_grows_between_two_pages_repeats_no_product(monkeypatch):
    """Very many matches are listed in groups, few are ranked one by one: the places in one list are none in the
    other."""
    monkeypatch.setattr(planning, "FEW", 3)
    for number in range(3):
        products.create(f"H{number}", name="Honey", price=Decimal(1))
    few, search = browsing.list_products(Filters(q="honey"), ordering="relevance", limit=2), Filters(q="honey")
    products.create("H3", name="Honey", price=Decimal(1))
    many = browsing.list_products(search, ordering="relevance", limit=2)
    for page, is_refused in ((few, True), (many, False)):
        place = browsing.place_from_cursor(
            browsing.place_to_cursor(page.next, ordering="relevance"), ordering="relevance"
        )
        with pytest.raises(InvalidCursor) if is_refused else nullcontext():
            rest = browsing.list_products(search, ordering="relevance", after=place)
    assert [row.sku for row in (*many.rows, *rest.rows)] == ["H3", "H2", "H1", "H0"]
    products.delete(products.get("H3"))
    with pytest.raises(InvalidCursor):
        browsing.list_products(search, ordering="relevance", after=many.next)


def test_search_text_follows_changes(teapots):
    products.change(products.get("TP-1"), name="Green kettle")
    assert skus(Filters(q="kettle"), ordering="relevance") == ["TP-1"]
    products.change(products.get("SHIRT-L"), options={"colour": "Ochre"})
    assert skus(Filters(q="ochre"), ordering="relevance") == ["SHIRT"]
    assert skus(Filters(q="turquoise"), ordering="relevance") == []


def test_search_backend_is_a_setting(teapots, settings):
    settings.SHOP_CATALOG = {
        "CURRENCY": "KES",
        "SEARCH": {"BACKEND": "testproject.name_search.NameSearch", "OPTIONS": {}},
    }
    assert skus(Filters(q="teapot"), ordering="relevance") == ["TP-2", "TP-1"]
    assert skus(Filters(q="black"), ordering="relevance") == []


def test_suggestions_include_products_and_categories(teapots):
    categories.create("Teapots")
    hidden = categories.create("Teapots of old", is_active=False)
    found = browsing.suggest("teap")
    assert {product.sku for product in found.products} == {"TP-1", "TP-2", "CUP"}
    assert [node.name for node in found.categories] == ["Teapots"]
    assert hidden.slug not in {node.slug for node in found.categories}
    assert browsing.suggest("t") == ([], [])


def test_simplify_removes_case_accents_and_extra_blanks():
    assert simplify("  Blåbær   TÉ\n") == "blabaer te"


def test_only_the_last_of_joined_words_may_be_the_beginning_of_a_word():
    """Every SKU may begin with the same letters: the beginning of all of them is not looked up in the index."""
    [term] = terms_of("SKU-00")
    assert term.alternatives == ((Needle("sku00", True),), (Needle("sku", False), Needle("00", True)))


@pytest.mark.pg
@pytest.mark.parametrize(("text", "expected"), [("apple", True), ("app", True), ("apple ap", True), ("pple", False)])
def test_whole_words_are_looked_up_before_the_beginnings_of_words(text, expected):
    products.create("A-7", name="Apple", price=Decimal(1))
    with CaptureQueriesContext(connection) as context:
        assert search_queries.exists(terms_of(text)) is expected
    [statement] = [query["sql"] for query in context.captured_queries]
    whole, begins = statement.split(" OR EXISTS ")
    assert ":*" in begins
    assert ":*" not in whole


def test_names_are_not_searched_for_a_word_that_no_name_has():
    products.create("A-7", name="Apple", description="The best", price=Decimal(1))
    assert [planning.plan(text).is_in_names for text in ("the", "best apple", "apple", "7")] == [
        False,
        False,
        True,
        True,
    ]
