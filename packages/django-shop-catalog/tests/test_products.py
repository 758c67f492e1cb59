"""Products: kinds, prices and their history, publication, deletion, money."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone
from shop_catalog import browsing, categories, inventory, money, products, signals
from shop_catalog.exceptions import DuplicateValue, InvalidPrice, InvalidProduct, UnknownProduct
from shop_catalog.imports import RawRow, import_products
from shop_catalog.models import PriceChange, Product, ProductCategory
from shop_catalog.product_source import CatalogProductSource

pytestmark = pytest.mark.django_db


@pytest.fixture
def shirt():
    group = products.create("SHIRT", name="Shirt", kind="group", attributes={"fabric": "linen"})
    products.create("SHIRT-M", kind="variant", parent=group, price=Decimal(30), options={"size": "M"})
    products.create("SHIRT-L", kind="variant", parent=group, price=Decimal(25), options={"size": "L"})
    return group


def test_variant_takes_its_groups_name_and_a_slug_with_its_options(shirt):
    variant = products.get("SHIRT-L")
    assert (variant.name, variant.slug, variant.listed) == ("Shirt", "shirt-l", shirt)


def test_variant_without_a_description_or_weight_has_those_of_its_group(shirt):
    products.change(shirt, description="Linen", weight=Decimal("0.5"))
    for given, shown in ((("", None), ("Linen", Decimal("0.5"))), (("Blue", Decimal(0)), ("Blue", Decimal(0)))):
        variant = products.change(products.get("SHIRT-L"), description=given[0], weight=given[1])
        page = browsing.find_product(variant.slug).product
        assert (page.description, page.weight) == shown
        assert CatalogProductSource().fetch(["SHIRT-L"])["SHIRT-L"].weight == shown[1]
    page = browsing.find_product(shirt.slug).product
    assert (page.description, page.weight) == ("Linen", Decimal("0.5"))


def test_variant_is_created_with_the_tax_class_of_its_group():
    book = products.create("BOOK", name="Book", kind="group", tax_class="reduced")
    products.create("BOOK-1", kind="variant", parent=book, price=Decimal(9))
    products.create("BOOK-2", kind="variant", parent=book, price=Decimal(9), tax_class="standard")
    rows = [{"sku": "BOOK-3", "parent": "BOOK", "price": "9"}, {"sku": "BOOK-4", "parent": "BOOK", "price": "9"}]
    rows[1]["tax_class"] = "zero"
    import_products(RawRow(number, row) for number, row in enumerate(rows, start=1))
    found = dict(Product.objects.filter(parent=book).values_list("sku", "tax_class"))
    assert found == {"BOOK-1": "reduced", "BOOK-2": "standard", "BOOK-3": "reduced", "BOOK-4": "zero"}


def test_price_of_a_group_is_its_lowest_published_variant_price(shirt):
    assert products.get("SHIRT").price == Decimal(25)
    products.change(products.get("SHIRT-L"), is_active=False)
    assert products.get("SHIRT").price == Decimal(30)
    products.set_price(products.get("SHIRT-M"), price=Decimal(12))
    assert products.get("SHIRT").price == Decimal(12)
    products.delete(products.get("SHIRT-M"))
    assert products.get("SHIRT").price is None


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"kind": "group", "price": Decimal(1)}, "price"),
        ({"kind": "variant", "price": Decimal(1)}, "parent"),
        ({"kind": "bundle", "price": Decimal(1)}, "kind"),
        ({"price": Decimal(-1)}, "price"),
        ({"price": Decimal("NaN")}, "price"),
        ({"price": Decimal("1e11")}, "price"),
        ({"price": Decimal("1.001")}, "price"),
        ({"price": Decimal(1), "compare_at_price": Decimal(-1)}, "compare_at_price"),
        ({"price": Decimal(1), "publish_from": timezone.now(), "publish_until": timezone.now()}, "publish_until"),
    ],
)
def test_invalid_products_are_refused(values, field):
    if field == "publish_until":
        values["publish_until"] = values["publish_from"] - timedelta(days=1)
    with pytest.raises(InvalidProduct) as caught:
        products.create("A", name="A", **values)
    assert caught.value.field == field
    assert Product.objects.count() == 0


def test_parent_of_a_simple_product_and_categories_of_a_variant_are_refused(shirt):
    food = categories.create("Food")
    with pytest.raises(InvalidProduct):
        products.create("A", name="A", parent=shirt, price=Decimal(1))
    with pytest.raises(InvalidProduct):
        products.create("B", kind="variant", parent=shirt, price=Decimal(1), categories=[food])
    with pytest.raises(InvalidProduct):
        products.create("C", kind="variant", parent=products.get("SHIRT-M"), price=Decimal(1))
    assert Product.objects.count() == 3


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "variant"},
        {"kind": "group", "stock_quantity": 1},
        {"price": None},
        {"price": Decimal(-1)},
        {"compare_at_price": Decimal(-1)},
        {"reserved_quantity": 1},
        {"rating_average": Decimal("5.01")},
        {"sku": "TAKEN"},
        {"slug": "taken"},
        {"publish_from": timezone.now(), "publish_until": timezone.now() - timedelta(days=1)},
    ],
)
def test_database_constraints_refuse_invalid_rows(values):
    products.create("TAKEN", name="Taken", price=Decimal(1))
    product = Product(**{"sku": "A", "slug": "a", "name": "A", "price": Decimal(1), **values})
    with pytest.raises(IntegrityError), transaction.atomic():
        product.save()


def test_taken_sku_and_slug_are_refused(shirt):
    with pytest.raises(DuplicateValue):
        products.create("SHIRT", name="Other", price=Decimal(1))
    with pytest.raises(DuplicateValue):
        products.create("NEW", name="Other", slug="shirt", price=Decimal(1))
    with pytest.raises(DuplicateValue):
        products.change(products.get("SHIRT-M"), slug="shirt")
    assert Product.objects.count() == 3


def test_change_of_a_deleted_product_is_refused(shirt):
    stale = products.get("SHIRT-M")
    products.delete(products.get("SHIRT"))
    assert Product.objects.count() == 0
    with pytest.raises(UnknownProduct):
        products.change(stale, name="New")


def test_price_history_gives_the_lowest_price_of_thirty_days(staff):
    product = products.create("A", name="A", price=Decimal(10))
    assert products.lowest_recent_price(product) == Decimal(10)
    for price in (8, 12, 12, 11):
        product = products.set_price(product, price=Decimal(price), by=staff)
    history = list(product.price_changes.values_list("old_price", "new_price", "changed_by"))
    assert history == [(12, 11, staff.pk), (8, 12, staff.pk), (10, 8, staff.pk)]
    assert products.lowest_recent_price(product) == Decimal(8)
    PriceChange.objects.update(changed_at=timezone.now() - timedelta(days=31))
    assert products.lowest_recent_price(product) == Decimal(11)


def test_price_change_within_a_price_band_takes_five_statements(django_assert_num_queries):
    product = products.create("A", name="A", price=Decimal(10))
    with django_assert_num_queries(7):  # with the two of the savepoint inside the test's transaction
        products.set_price(product, price=Decimal(12))


@pytest.mark.django_db(transaction=True)
def test_price_change_is_announced_after_commit():
    heard = []

    def receive_signal(*, product, payload, event_id, **_kwargs):
        heard.append((product.sku, payload["old_price"], payload["new_price"], payload["currency"], event_id))

    signals.price_changed.connect(receive_signal)
    try:
        product = products.create("A", name="A", price=Decimal(10))
        with transaction.atomic():
            products.set_price(product, price=Decimal("8.5"))
            assert heard == []
        products.change(product, name="Same price")
    finally:
        signals.price_changed.disconnect(receive_signal)
    assert heard == [("A", "10.00", "8.50", "KES", str(PriceChange.objects.get().event_id))]


def test_categories_keep_their_order():
    first, second, third = (categories.create(name) for name in ("One", "Two", "Three"))
    product = products.create("A", name="A", price=Decimal(1), categories=[second, first])
    products.change(product, categories=[third, second])
    links = ProductCategory.objects.filter(product=product).order_by("position")
    assert list(links.values_list("category__name", flat=True)) == ["Three", "Two"]
    products.change(product, categories=[])
    assert links.count() == 0


def test_related_products_share_a_category(shirt):
    food, tools = categories.create("Food"), categories.create("Tools")
    apple = products.create("apple", name="Apple", price=Decimal(1), categories=[food])
    products.create("pear", name="Pear", price=Decimal(1), categories=[food, tools])
    products.create("saw", name="Saw", price=Decimal(1), categories=[tools])
    assert list(Product.objects.related_to(apple).values_list("sku", flat=True)) == ["pear"]


def test_published_depends_on_active_flag_publication_times_and_group(shirt):
    now = timezone.now()
    hour = timedelta(hours=1)
    for sku, values in {
        "on": {},
        "off": {"is_active": False},
        "early": {"publish_from": now + hour},
        "late": {"publish_until": now - hour, "publish_from": now - 2 * hour},
        "within": {"publish_from": now - hour, "publish_until": now + hour},
    }.items():
        products.create(sku, name=sku, price=Decimal(1), **values)
    products.change(shirt, is_active=False)
    assert set(Product.objects.published().values_list("sku", flat=True)) == {"on", "within"}
    assert {product.sku for product in Product.objects.all() if product.is_published} == {"on", "within"}


@pytest.mark.parametrize(
    ("currency", "text"), [("UGX", "13"), ("JPY", "13"), ("KES", "12.50"), ("KWD", "12.500"), ("CLF", "12.5000")]
)
def test_amounts_have_the_decimals_of_the_currency(settings, currency, text):
    settings.SHOP_CATALOG = {"CURRENCY": currency}
    assert money.as_text(Decimal("12.5")) == text


def test_price_must_fit_the_currency(settings):
    settings.SHOP_CATALOG = {"CURRENCY": "UGX"}
    with pytest.raises(InvalidPrice):
        products.create("A", name="A", price=Decimal("12.5"))
    settings.SHOP_CATALOG = {"CURRENCY": "KWD"}
    assert products.create("A", name="A", price=Decimal("12.345")).price == Decimal("12.345")


def test_source_fetches_only_products_that_can_be_bought(shirt, settings):
    settings.SHOP_CATALOG = {"CURRENCY": "KES", "PRICES_INCLUDE_TAX": False}
    inventory.receive({"SHIRT-M": 4})
    inventory.reserve({"SHIRT-M": 1}, reference="order-1")
    products.create("OFF", name="Off", price=Decimal(1), is_active=False)
    found = CatalogProductSource().fetch(["SHIRT", "SHIRT-M", "SHIRT-L", "OFF", "NONE"])
    assert set(found) == {"SHIRT-M", "SHIRT-L"}
    seen = found["SHIRT-M"]
    assert (seen.ref, seen.sku, seen.name, str(seen.unit_price)) == ("SHIRT-M", "SHIRT-M", "Shirt (M)", "30.00")
    assert (seen.currency, seen.price_includes_tax, seen.available, seen.url) == ("KES", False, 3, "")
    products.change(shirt, is_active=False)
    assert CatalogProductSource().fetch(["SHIRT-M"]) == {}


def test_source_reserves_ships_and_restocks_by_sku(shirt):
    source = CatalogProductSource()
    inventory.receive({"SHIRT-M": 4})
    assert source.reserve({"SHIRT-M": 5}, reference="o1") == {"SHIRT-M": 4}
    assert source.reserve({"SHIRT-M": 3}, reference="o1") == {}
    source.ship({"SHIRT-M": 2}, reference="s1")
    source.release({"SHIRT-M": 1}, reference="o1")
    source.restock({"SHIRT-M": 1}, reference="r1")
    assert products.get("SHIRT-M").stock_quantity == 3
    assert products.get("SHIRT-M").available_quantity == 3
    assert inventory.differences() == []


def test_source_fetches_any_number_of_products_in_two_statements(shirt, django_assert_num_queries):
    with django_assert_num_queries(1):
        CatalogProductSource().fetch(["SHIRT-M", "SHIRT-L"])


@pytest.mark.django_db(transaction=True)
def test_products_of_a_fixture_are_searchable_and_counted(tmp_path):
    import json

    from django.core.management import call_command
    from shop_catalog import browsing, statistics

    food = categories.create("Food")
    rows = [
        {
            "model": "shop_catalog.product",
            "pk": 901,
            "fields": {"sku": "F", "slug": "fig", "name": "Fig", "price": "3"},
        },
        {"model": "shop_catalog.productcategory", "pk": 901, "fields": {"product": 901, "category": food.pk}},
    ]
    for row in rows[:1]:
        row["fields"] |= {"updated_at": "2026-01-01T00:00:00Z"}
    (tmp_path / "products.json").write_text(json.dumps(rows))
    call_command("loaddata", str(tmp_path / "products.json"), verbosity=0)
    found = browsing.list_products(browsing.Filters(q="fig"), ordering="relevance")
    assert [row.sku for row in found.rows] == ["F"]
    assert statistics.for_category("food").count == 1
    statistics.fold()
    assert statistics.for_category("food").average == Decimal(3)
