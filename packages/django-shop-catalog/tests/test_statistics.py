"""Average price and count of a subtree, which must be exact at any moment, before and after folding."""

from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal

import pytest
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shop_catalog import categories, products, statistics
from shop_catalog.exceptions import CategoryCycle, CategoryNotEmpty
from shop_catalog.imports import RawRow, import_products
from shop_catalog.models import Category, CategoryStatistics, Product, StatisticsChange
from shop_catalog.statistics import queries

pytestmark = pytest.mark.django_db


def brute_force(slug):
    """Count in Python: each sellable published product of the subtree once."""
    root = Category.objects.get(slug=slug)
    inside = set()
    parents = dict(Category.objects.values_list("pk", "parent_id"))
    for pk in parents:
        node = pk
        while node is not None:
            if node == root.pk:
                inside.add(pk)
            node = parents[node]
    prices = []
    for product in Product.objects.select_related("parent").prefetch_related("category_links"):
        links = {link.category_id for link in product.listed.category_links.all()}
        if product.kind != "group" and product.is_published and links & inside:
            prices.append(product.price)
    if not prices:
        return statistics.PriceStatistics(0, None, None, None)
    cent = Decimal("0.01")
    average = (sum(prices) / len(prices)).quantize(cent, ROUND_HALF_UP)
    return statistics.PriceStatistics(len(prices), average, min(prices).quantize(cent), max(prices).quantize(cent))


def assert_exact():
    for slug in Category.objects.values_list("slug", flat=True):
        assert statistics.for_category(slug) == brute_force(slug), slug


@pytest.fixture
def shop():
    food = categories.create("Food")
    fruit = categories.create("Fruit", parent=food)
    nuts = categories.create("Nuts", parent=food)
    categories.create("Tools")
    products.create("apple", name="Apple", price=Decimal("1.50"), categories=[fruit])
    products.create("mix", name="Mix", price=Decimal("4.00"), categories=[fruit, nuts])
    box = products.create("box", name="Box", kind="group", categories=[nuts])
    products.create("box-s", kind="variant", parent=box, price=Decimal("9.99"))
    products.create("box-l", kind="variant", parent=box, price=Decimal("20.01"))
    return food


def test_a_product_in_two_categories_counts_once(shop):
    found = statistics.for_category("food")
    assert found == statistics.PriceStatistics(4, Decimal("8.88"), Decimal("1.50"), Decimal("20.01"))
    assert_exact()


def test_folding_does_not_change_the_figures(shop):
    before = statistics.for_category("food")
    assert statistics.fold() == 4
    assert StatisticsChange.objects.count() == 0
    assert statistics.for_category("food") == before
    assert CategoryStatistics.objects.get(category__slug="food").price_sum == Decimal("35.50")
    assert statistics.fold() == 0


def test_unknown_category_is_none():
    assert statistics.for_category("nothing") is None


def test_read_of_a_large_folded_subtree_is_one_statement(shop, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(queries, "LARGE_CATEGORY", 4)
    monkeypatch.setattr(queries, "EXTREMES", 3)
    statistics.fold()
    statistics.for_category("food")
    with django_assert_num_queries(1):
        statistics.for_category("food")


def test_read_of_a_small_subtree_reads_its_products(shop, django_assert_num_queries):
    statistics.fold()
    statistics.for_category("food")
    with django_assert_num_queries(3):
        found = statistics.for_category("food")
    assert (found.lowest, found.highest) == (Decimal("1.50"), Decimal("20.01"))


def test_lowest_and_highest_are_found_outside_the_extremes_of_the_shop(shop, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(queries, "LARGE_CATEGORY", 1)
    monkeypatch.setattr(queries, "EXTREMES", 2)
    tools = categories.get("tools")
    for number in range(5):
        products.create(f"cheap-{number}", name="Cheap", price=Decimal("0.10"), categories=[tools])
        products.create(f"dear-{number}", name="Dear", price=Decimal(100 + number), categories=[tools])
    statistics.fold()
    with django_assert_num_queries(3):
        found = statistics.for_category("food")
    assert (found.lowest, found.highest) == (Decimal("1.50"), Decimal("20.01"))
    assert_exact()


def test_price_change_is_seen_before_the_fold_and_after(shop):
    statistics.fold()
    products.set_price(products.get("apple"), price=Decimal("3.50"))
    assert statistics.for_category("food").average == Decimal("9.38")
    assert_exact()
    statistics.fold()
    assert_exact()


def test_recategorised_product_is_seen_at_once(shop):
    statistics.fold()
    products.change(products.get("mix"), categories=[categories.get("tools")])
    assert statistics.for_category("tools").count == 1
    assert_exact()
    statistics.fold()
    assert_exact()


def test_product_is_counted_in_its_first_category(shop):
    products.create("pear", name="Pear", price=Decimal("2.00"))
    statistics.fold()
    products.change(products.get("pear"), categories=[categories.get("fruit")])
    assert statistics.for_category("fruit").count == 3
    assert_exact()
    statistics.fold()
    assert_exact()


def test_imported_product_is_counted_in_its_first_category(shop):
    products.create("pear", name="Pear", price=Decimal("2.00"))
    statistics.fold()
    report = import_products([RawRow(1, {"sku": "pear", "categories": "fruit"})])
    assert (report.updated, report.errors) == (1, [])
    assert statistics.for_category("fruit").count == 3
    assert_exact()
    statistics.fold()
    assert_exact()


def test_moved_category_is_counted_below_its_new_parent(shop):
    statistics.fold()
    categories.move(categories.get("nuts"), parent=categories.get("tools"))
    assert statistics.for_category("tools").count == 3
    assert_exact()
    statistics.fold()
    assert_exact()


def test_deleted_category_and_product_are_removed_from_the_figures(shop):
    statistics.fold()
    products.delete(products.get("mix"))
    products.delete(products.get("box-s"))
    categories.delete(categories.get("fruit"))
    assert_exact()
    statistics.fold()
    assert_exact()


def test_variants_of_an_unpublished_group_are_not_counted(shop):
    statistics.fold()
    products.change(products.get("box"), is_active=False)
    assert statistics.for_category("nuts").count == 1
    assert_exact()
    statistics.fold()
    assert_exact()


def test_publication_times_take_effect_without_a_write(shop, monkeypatch):
    soon = timezone.now() + timedelta(hours=1)
    later = soon + timedelta(hours=1)
    products.change(products.get("apple"), publish_from=soon, publish_until=later)
    statistics.fold()
    real_now = timezone.now
    for hours, count in [(0, 3), (1.5, 4), (3, 3)]:
        moment = real_now() + timedelta(hours=hours)
        monkeypatch.setattr(timezone, "now", lambda moment=moment: moment)
        assert statistics.for_category("food").count == count
        assert_exact()
    assert products.apply_schedules() == 1
    assert_exact()
    statistics.fold()
    assert_exact()
    assert not Product.objects.filter(is_scheduled=True).exists()


def test_scheduled_group_schedules_its_variants(shop):
    products.change(products.get("box"), publish_until=timezone.now() + timedelta(days=1))
    assert Product.objects.filter(is_scheduled=True).count() == 3
    assert_exact()
    products.change(products.get("box"), publish_until=None)
    assert Product.objects.filter(is_scheduled=True).count() == 0
    statistics.fold()
    assert_exact()


@pytest.mark.parametrize(("currency", "average"), [("UGX", "9"), ("KES", "8.88"), ("KWD", "8.875")])
def test_average_has_the_decimals_of_the_currency(shop, settings, currency, average):
    settings.SHOP_CATALOG = {"CURRENCY": currency}
    assert str(statistics.for_category("food").average) == average


PRODUCTS = [f"p{number}" for number in range(6)]
CATEGORIES = [f"c{number}" for number in range(6)]
PRICES = st.integers(0, 9999).map(lambda cents: Decimal(cents) / 100)
STEPS = st.one_of(
    st.tuples(st.just("price"), st.sampled_from(PRODUCTS), st.none() | PRICES),
    st.tuples(st.just("categories"), st.sampled_from(PRODUCTS), st.lists(st.sampled_from(CATEGORIES), max_size=3)),
    st.tuples(st.just("publish"), st.sampled_from(PRODUCTS), st.booleans()),
    st.tuples(st.just("schedule"), st.sampled_from(PRODUCTS), st.sampled_from([-2, -1, 1, 2, None])),
    st.tuples(st.just("delete"), st.sampled_from(PRODUCTS), st.none()),
    st.tuples(st.just("move"), st.sampled_from(CATEGORIES), st.sampled_from([None, *CATEGORIES])),
    st.tuples(st.just("drop"), st.sampled_from(CATEGORIES), st.none()),
    st.tuples(st.just("fold"), st.none(), st.none()),
    st.tuples(st.just("settle"), st.none(), st.none()),
)


def pick(step, subject, value):
    if step == "fold":
        statistics.fold()
    elif step == "settle":
        products.apply_schedules()
    elif step in {"move", "drop"}:
        category = Category.objects.filter(slug=subject).first()
        parent = Category.objects.filter(slug=value).first()
        try:
            if category is not None and step == "move":
                categories.move(category, parent=parent)
            elif category is not None:
                categories.delete(category)
        except (CategoryCycle, CategoryNotEmpty):
            pass
    else:
        product = Product.objects.select_related("parent").filter(sku=subject).first()
        if product is not None:
            change_product(product, step, value)


def change_product(product, step, value):
    if step == "delete":
        products.delete(product)
    elif step == "publish" and (product.price is not None or product.kind == "group"):
        products.change(product, is_active=value)
    elif step == "schedule":
        moment = None if value is None else timezone.now() + timedelta(hours=value)
        products.change(product, publish_from=moment)
    elif step == "price" and product.kind != "group" and value is None:
        products.change(product, price=None, is_active=False)
    elif step == "price" and product.kind != "group":
        products.set_price(product, price=value)
    elif step == "categories" and product.kind != "variant":
        products.change(product, categories=list(Category.objects.filter(slug__in=value)))


@pytest.mark.parametrize(("large", "extremes"), [(queries.LARGE_CATEGORY, queries.EXTREMES), (1, 2)])
@pytest.mark.django_db(transaction=True)
@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(STEPS, min_size=4, max_size=20), st.integers(0, 5))
def test_figures_equal_brute_force_after_any_sequence_of_changes(monkeypatch, large, extremes, steps, fold_at):
    monkeypatch.setattr(queries, "LARGE_CATEGORY", large)
    monkeypatch.setattr(queries, "EXTREMES", extremes)
    with transaction.atomic():
        made = []
        for number, slug in enumerate(CATEGORIES):
            made.append(categories.create(slug, slug=slug, parent=made[number // 2] if number else None))
        for number, sku in enumerate(PRODUCTS[:3]):
            products.create(sku, name=sku, price=Decimal(number + 1), categories=made[number : number + 2])
        group = products.create(PRODUCTS[3], name="group", kind="group", categories=[made[4], made[1]])
        for number, sku in enumerate(PRODUCTS[4:]):
            products.create(sku, kind="variant", parent=group, price=Decimal(number + 7))
        for number, step in enumerate(steps):
            if number == fold_at:
                statistics.fold()
            pick(*step)
        assert_exact()
        statistics.fold()
        assert_exact()
        transaction.set_rollback(True)


@pytest.mark.django_db(transaction=True)
def test_fold_during_concurrent_writes_loses_no_change():
    """Prices change on threads while the job folds; in the end the figures are exact."""
    import threading
    from concurrent.futures import ThreadPoolExecutor

    from django.db import OperationalError, connections

    root = categories.create("Root")
    leaf = categories.create("Leaf", parent=root)
    for number in range(4):
        products.create(f"p{number}", name=f"P{number}", price=Decimal(1), categories=[leaf])
    writing = threading.Event()

    def change(number):
        try:
            for turn in range(25):
                products.set_price(products.get(f"p{number}"), price=Decimal(turn) + number)
        finally:
            connections.close_all()

    def fold():
        folded = 0
        try:
            while not writing.is_set():
                try:
                    folded += statistics.fold()
                except OperationalError:
                    continue
        finally:
            connections.close_all()
        return folded

    with ThreadPoolExecutor(5) as pool:
        folding = pool.submit(fold)
        list(pool.map(change, range(4)))
        writing.set()
        assert folding.result() > 0
    assert_exact()
    statistics.fold()
    assert_exact()
    assert connection.in_atomic_block is False
