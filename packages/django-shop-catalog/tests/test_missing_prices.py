"""Missing prices: without a price a product is not for sale, and zero means free of charge."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone
from shop_catalog import browsing, categories, inventory, products, signals, statistics
from shop_catalog.admin.forms import ProductForm
from shop_catalog.browsing import Filters
from shop_catalog.exceptions import InvalidProduct
from shop_catalog.models import Product
from shop_catalog.product_source import CatalogProductSource
from shop_catalog.statistics import queries

pytestmark = pytest.mark.django_db


@pytest.fixture
def food():
    return categories.create("Food")


@pytest.fixture
def draft(food):
    return products.create("DRAFT", name="Pear draft", is_active=False, categories=[food])


@pytest.fixture
def empty_group(food):
    return products.create(
        "G", name="Pear box", kind="group", description="Turquoise", categories=[food], is_featured=True
    )


def listed(filters=Filters(), ordering="newest"):  # noqa: B008 - immutable
    return [row.sku for row in browsing.list_products(filters, ordering=ordering).rows]


@pytest.mark.parametrize("kind", ["simple", "variant"])
@pytest.mark.parametrize("values", [{}, {"price": None}])
def test_active_product_without_a_price_is_refused(empty_group, kind, values):
    parent = empty_group if kind == "variant" else None
    with pytest.raises(InvalidProduct) as caught:
        products.create("A", name="A", kind=kind, parent=parent, **values)
    assert caught.value.field == "price"
    assert "Enter 0 if it is free" in str(caught.value)
    assert Product.objects.count() == 1


def test_product_without_a_price_is_a_draft_until_it_gets_one(draft):
    assert products.get("DRAFT").price is None
    with pytest.raises(InvalidProduct) as caught:
        products.change(draft, is_active=True, name="New name")
    assert caught.value.field == "price"
    assert (products.get("DRAFT").is_active, products.get("DRAFT").name) == (False, "Pear draft")
    products.change(draft, is_active=True, price=Decimal(3))
    assert products.get("DRAFT").is_published
    assert listed() == ["DRAFT"]


def test_only_an_inactive_product_can_lose_its_price(food):
    apple = products.create("A", name="Apple", price=Decimal(2), categories=[food])
    with pytest.raises(InvalidProduct):
        products.change(apple, price=None)
    assert products.get("A").price == Decimal(2)
    products.change(apple, price=None, is_active=False)
    assert products.get("A").price is None
    assert products.lowest_recent_price(products.get("A")) is None
    assert statistics.for_category("food").count == 0


def test_change_of_other_values_leaves_the_price_as_it_was(draft):
    products.change(draft, name="Renamed")
    assert products.get("DRAFT").price is None
    apple = products.create("A", name="Apple", price=Decimal(2))
    products.change(apple, name="Renamed")
    assert products.get("A").price == Decimal(2)


def test_database_refuses_an_active_product_without_a_price(draft, empty_group):
    products.change(empty_group, is_active=True)
    with pytest.raises(IntegrityError), transaction.atomic():
        Product.objects.filter(sku="DRAFT").update(is_active=True)
    variant = products.create("G-S", kind="variant", parent=empty_group, price=Decimal(1))
    with pytest.raises(IntegrityError), transaction.atomic():
        Product.objects.filter(pk=variant.pk).update(price=None)
    with pytest.raises(ValidationError, match="Enter 0 if it is free"):
        Product(sku="N", slug="n", name="N").full_clean()


def test_free_product_has_a_price_of_zero(food):
    products.create("FREE", name="Sample", price=Decimal(0), stock_quantity=2, categories=[food])
    products.create("A", name="Apple", price=Decimal(5), categories=[food])
    assert listed(ordering="price") == ["FREE", "A"]
    assert listed(Filters(max_price=Decimal(0))) == ["FREE"]
    assert CatalogProductSource().fetch(["FREE"])["FREE"].unit_price == Decimal(0)
    assert statistics.for_category("food") == statistics.PriceStatistics(
        2, Decimal("2.50"), Decimal("0.00"), Decimal("5.00")
    )


def test_product_without_a_price_is_not_offered_for_sale(draft):
    inventory.receive({"DRAFT": 5})
    assert CatalogProductSource().fetch(["DRAFT"]) == {}


def test_first_price_and_removed_price_are_in_the_history(draft):
    received = []

    def receive_signal(*, payload, **_kwargs):
        received.append((payload["old_price"], payload["new_price"]))

    signals.price_changed.connect(receive_signal)
    try:
        draft.price_changes.all().delete()
        from django.test import TestCase

        with TestCase.captureOnCommitCallbacks(execute=True):
            products.set_price(draft, price=Decimal(8))
            products.set_price(draft, price=Decimal(0))
            products.change(draft, price=None)
            products.change(draft, price=None)
    finally:
        signals.price_changed.disconnect(receive_signal)
    assert received == [(None, "8.00"), ("8.00", "0.00"), ("0.00", None)]
    history = list(draft.price_changes.order_by("pk").values_list("old_price", "new_price"))
    assert history == [(None, 8), (8, 0), (0, None)]


def test_lowest_price_of_thirty_days_ignores_missing_prices(draft):
    products.set_price(draft, price=Decimal(8))
    draft = products.change(draft, price=Decimal(9), is_active=True)
    assert products.lowest_recent_price(draft) == Decimal(8)
    assert browsing.find_product(draft.slug).product.lowest_price == Decimal(8)


LISTS = {
    "all": Filters(),
    "category": Filters(category="food"),
    "featured": Filters(featured=True),
    "search": Filters(q="pear"),
    "similar words": Filters(q="turqoise"),
    "related": Filters(related_to="apple"),
    "prices": Filters(min_price=Decimal(0)),
    "attribute": Filters(attributes=(("size", "L"),)),
}


@pytest.mark.parametrize("ordering", ["newest", "price", "-price", "name", "rating"])
def test_group_without_variants_is_in_no_order_of_the_list(empty_group, ordering):
    assert listed(ordering=ordering) == []
    products.create("G-L", kind="variant", parent=empty_group, price=Decimal(4))
    assert listed(ordering=ordering) == ["G"]


def test_group_without_variants_is_in_no_list(empty_group, food):
    products.create("A", name="Apple", price=Decimal(2), categories=[food])

    def found():
        lists = {name for name, filters in LISTS.items() if "G" in listed(filters)}
        if "G" in Product.objects.listed().published().values_list("sku", flat=True):
            lists.add("queryset")
        if "G" in [product.sku for product in browsing.suggest("pear").products]:
            lists.add("suggestions")
        facets = browsing.count_facets(Filters(category="food"))
        if facets.categories["food"] == 2:
            lists.add("facets")
        if browsing.count_products(Filters())[0] == 2:
            lists.add("count")
        return lists

    assert found() == set()
    everywhere = {*LISTS, "queryset", "suggestions", "facets", "count"}
    variant = products.create(
        "G-L", kind="variant", parent=empty_group, price=Decimal(4), options={"size": "L"}, stock_quantity=1
    )
    assert found() == everywhere
    for values in ({"is_active": False}, {"publish_until": timezone.now() - timedelta(minutes=1)}):
        products.change(variant, **values)
        assert found() == set()
        products.change(variant, is_active=True, publish_until=None)
        assert found() == everywhere
    products.delete(variant)
    assert found() == set()


def test_page_of_a_group_without_variants_is_not_for_sale(empty_group):
    page = browsing.find_product("pear-box")
    assert (page.product.price, page.product.lowest_price, page.variants, page.available) == (None, None, [], 0)


def test_price_of_a_group_leaves_out_variants_without_one(empty_group):
    products.create("G-S", kind="variant", parent=empty_group, price=Decimal(9))
    products.create("G-L", kind="variant", parent=empty_group, is_active=False)
    assert products.get("G").price == Decimal(9)
    assert browsing.find_product("pear-box").product.price == Decimal(9)
    page = browsing.find_product("pear-box", with_unpublished=True)
    assert [variant.price for variant in page.variants] == [Decimal(9), None]


def test_group_that_is_published_later_has_its_price_at_once(empty_group, monkeypatch):
    products.create("G-S", kind="variant", parent=empty_group, price=Decimal(9))
    products.change(empty_group, publish_from=timezone.now() + timedelta(hours=1))
    assert listed() == []
    moment = timezone.now() + timedelta(hours=2)
    monkeypatch.setattr(timezone, "now", lambda: moment)
    assert listed() == ["G"]


def test_job_gives_a_group_the_price_of_a_variant_that_is_published_for_a_time(empty_group, monkeypatch):
    start = timezone.now() + timedelta(hours=1)
    end = start + timedelta(hours=1)
    products.create("G-S", kind="variant", parent=empty_group, price=Decimal(9), publish_from=start, publish_until=end)
    for hours, price in ((0, None), (1.5, Decimal(9)), (3, None)):
        moment = start + timedelta(hours=hours - 1)
        monkeypatch.setattr(timezone, "now", lambda moment=moment: moment)
        assert browsing.find_product("pear-box").product.price == price
        products.apply_schedules()
        assert products.get("G").price == price
        assert listed() == (["G"] if price else [])
        updated = products.get("G").updated_at
        products.apply_schedules()
        assert products.get("G").updated_at == updated


def test_job_continues_after_a_product_was_deleted_meanwhile(monkeypatch):
    soon = timezone.now() + timedelta(minutes=1)
    for sku in ("A", "B"):
        products.create(sku, name=sku, price=Decimal(1), publish_from=soon)
    later = soon + timedelta(minutes=1)
    monkeypatch.setattr(timezone, "now", lambda: later)
    lock = products._lock

    def delete_first(pk):
        Product.objects.filter(sku="A").delete()
        return lock(pk)

    monkeypatch.setattr(products, "_lock", delete_first)
    assert products.apply_schedules() == 1
    assert not Product.objects.filter(is_scheduled=True).exists()


@pytest.mark.parametrize("ordering", ["price", "-price"])
def test_staff_lists_show_products_without_a_price_last(draft, empty_group, ordering):
    for number, price in enumerate([Decimal(1), Decimal(0), Decimal(1), Decimal("9999999999.99")]):
        products.create(f"P{number}", name="Plum", price=price)
    products.create("DRAFT-2", name="Second", is_active=False)
    filters = Filters(with_unpublished=True)
    priced, rest = ["P1", "P0", "P2", "P3"], ["DRAFT", "G", "DRAFT-2"]
    for limit in (1, 2, 3, 10):
        found, after = [], None
        while True:
            page = browsing.list_products(filters, ordering=ordering, after=after, limit=limit)
            found += [row.sku for row in page.rows]
            if page.next is None:
                break
            cursor = browsing.place_to_cursor(page.next, ordering=ordering)
            after = browsing.place_from_cursor(cursor, ordering=ordering)
        wanted = [*priced, *rest] if ordering == "price" else [*priced[::-1], *rest[::-1]]
        assert found == wanted


def test_facets_of_staff_leave_out_products_without_a_price(draft, empty_group):
    filters = Filters(with_unpublished=True)
    found = browsing.count_facets(filters)
    assert (found.categories, found.min_price, found.max_price) == ({"food": 2}, None, None)
    products.create("A", name="Apple", price=Decimal(2))
    found = browsing.count_facets(filters)
    assert (found.min_price, found.max_price) == (Decimal(2), Decimal(2))


def test_groups_without_a_price_do_not_hide_the_lowest_and_highest_price(food, monkeypatch):
    """PostgreSQL sorts NULL before all prices in descending order, SQLite in ascending order."""
    monkeypatch.setattr(queries, "LARGE_CATEGORY", 1)
    monkeypatch.setattr(queries, "EXTREMES", 1)
    for number in range(4):
        products.create(f"G{number}", name="Group", kind="group", categories=[food])
        products.create(f"P{number}", name="Plum", price=Decimal(number + 1), categories=[food])
    statistics.fold()
    row = queries.subtree_figures("food", now=timezone.now())
    assert (row.lowest, row.highest) == (Decimal(1), Decimal(4))


# The API


def fields_of(response):
    return [error["field"] for error in response.json()["errors"]]


def test_api_refuses_an_active_product_without_a_price_and_takes_a_draft(staff_api, anyone):
    response = staff_api.post("/products/", {"sku": "A", "name": "A"})
    assert (response.status_code, fields_of(response)) == (422, ["price"])
    assert Product.objects.count() == 0
    response = staff_api.post("/products/", {"sku": "A", "name": "A", "is_active": False})
    assert (response.status_code, response.json()["price"]) == (201, None)
    assert response.json()["lowest_price_30_days"] is None
    assert anyone.get("/products/a/").status_code == 404
    assert anyone.get("/products/").json()["items"] == []
    [item] = staff_api.get("/products/", include_inactive="true", order="price").json()["items"]
    assert item["price"] is None

    response = staff_api.patch("/products/a/", {"is_active": True})
    assert (response.status_code, fields_of(response)) == (422, ["price"])
    assert staff_api.patch("/products/a/", {"name": "B"}).json()["price"] is None
    response = staff_api.patch("/products/a/", {"price": "0", "is_active": True})
    assert (response.status_code, response.json()["price"]) == (200, "0.00")
    assert anyone.get("/products/a/").json()["price"] == "0.00"
    assert staff_api.patch("/products/a/", {"name": "C"}).json()["price"] == "0.00"
    response = staff_api.patch("/products/a/", {"price": None})
    assert (response.status_code, fields_of(response)) == (422, ["price"])
    response = staff_api.patch("/products/a/", {"price": None, "is_active": False})
    assert (response.status_code, response.json()["price"]) == (200, None)


def test_api_shows_a_group_without_variants_as_not_for_sale(staff_api, anyone):
    response = staff_api.post("/products/", {"sku": "G", "name": "Box", "kind": "group", "price": None})
    assert (response.status_code, response.json()["price"]) == (201, None)
    found = anyone.get("/products/box/").json()
    assert (found["price"], found["available"], found["in_stock"], found["variants"]) == (None, 0, False, [])
    payload = {"sku": "G-S", "kind": "variant", "parent": "G", "is_active": False}
    assert staff_api.post("/products/", payload).json()["price"] is None
    assert anyone.get("/products/box/").json()["variants"] == []
    assert staff_api.patch("/products/box/", {"price": None, "name": "Big box"}).status_code == 200
    assert staff_api.patch("/products/box/", {"price": "1.00"}).status_code == 422


# The admin


@pytest.fixture
def admin(client, staff):
    client.force_login(staff)
    return client


def posted(admin, product, **values):
    """Submit the form of a product as a browser would, with other values. Returns the fields with errors."""
    page = admin.get(reverse("admin:shop_catalog_product_change", args=[product.pk]))
    form = page.context["adminform"].form
    data = {"publish_from_0": "", "publish_from_1": "", "publish_until_0": "", "publish_until_1": ""}
    forms = [form]
    for formset in page.context["inline_admin_formsets"]:
        forms += [formset.formset.management_form, *formset.formset.forms]
    for one in forms:
        for bound in one:
            value = bound.value()
            if value is True:
                data[bound.html_name] = "on"
            elif value is not None and value is not False and not bound.name.startswith("publish_"):
                data[bound.html_name] = value
    data |= {name: value for name, value in values.items() if value is not None}
    for name in [name for name, value in values.items() if value is None]:
        data.pop(name, None)
    response = admin.post(reverse("admin:shop_catalog_product_change", args=[product.pk]), data)
    if response.status_code == 302:
        return []
    assert not any(formset.formset.total_error_count() for formset in response.context["inline_admin_formsets"])
    return list(response.context["adminform"].form.errors)


def test_admin_accepts_zero_only_with_the_free_of_charge_box(admin, draft):
    assert posted(admin, draft, is_active="on") == ["price"]
    assert posted(admin, draft, price="0") == ["price"]
    assert posted(admin, draft, price="0.00", is_active="on") == ["price"]
    assert posted(admin, draft, price="3", is_free="on") == ["is_free"]
    assert products.get("DRAFT").price is None
    assert posted(admin, draft, name="Still a draft") == []
    assert products.get("DRAFT").price is None
    assert posted(admin, draft, is_free="on", is_active="on") == []
    assert (products.get("DRAFT").price, products.get("DRAFT").is_active) == (Decimal(0), True)
    assert posted(admin, draft, name="Still free") == []
    assert products.get("DRAFT").price == Decimal(0)
    assert posted(admin, draft, is_free=None) == ["price"]
    assert posted(admin, draft, price="5") == ["is_free"]
    assert posted(admin, draft, price="5", is_free=None) == []
    assert products.get("DRAFT").price == Decimal(5)
    assert posted(admin, draft, price="") == ["price"]
    assert posted(admin, draft, price="", is_active=None) == []
    assert products.get("DRAFT").price is None
    page = admin.get(reverse("admin:shop_catalog_product_change", args=[draft.pk])).content.decode()
    assert "- → 0.00" in page
    assert "5.00 → -" in page


def test_admin_adds_products_with_a_price_without_one_and_free(admin):
    page = reverse("admin:shop_catalog_product_add")

    def add(sku, **values):
        data = {"sku": sku, "name": sku, "slug": sku.lower(), "kind": "simple", "tax_class": "standard"}
        data |= {"attributes": "{}", "options": "{}", "position": "0", **values}
        for prefix in ("category_links", "images"):
            data |= {f"{prefix}-TOTAL_FORMS": "0", f"{prefix}-INITIAL_FORMS": "0"}
        response = admin.post(page, data)
        return [] if response.status_code == 302 else list(response.context["adminform"].form.errors)

    assert 'name="price" value' not in admin.get(page).content.decode()
    assert add("A", is_active="on") == ["price"]
    assert add("B", kind="group", price="3", is_active="on") == ["price"]
    assert add("C", kind="group", is_free="on", is_active="on") == ["price"]
    assert Product.objects.count() == 0
    assert add("D") == add("E", is_active="on", is_free="on") == add("F", kind="group", is_active="on") == []
    assert dict(Product.objects.values_list("sku", "price")) == {"D": None, "E": Decimal(0), "F": None}
    assert admin.get(page + "?price=5&compare_at_price=x").status_code == 200


def test_publish_action_skips_and_names_products_without_a_price(admin, draft):
    products.create("A", name="Apple", price=Decimal(2), is_active=False)
    payload = {"action": "publish", "_selected_action": list(Product.objects.values_list("pk", flat=True))}
    response = admin.post(reverse("admin:shop_catalog_product_changelist"), payload, follow=True)
    found = [str(message) for message in response.context["messages"]]
    assert found[0] == "1 products changed."
    assert found[1].startswith("Not changed: DRAFT. An active product needs a price.")
    assert (products.get("A").is_active, products.get("DRAFT").is_active) == (True, False)


@pytest.mark.parametrize(
    ("meanwhile", "sentence"),
    [
        (lambda product: products.change(product, price=None), "An active product needs a price."),
        (products.delete, "There is no product A."),
    ],
)
def test_admin_reports_a_change_by_somebody_else_after_the_form_was_checked(admin, monkeypatch, meanwhile, sentence):
    apple = products.create("A", name="Apple", price=Decimal(2), is_active=False)
    clean = ProductForm.clean

    def clean_late(form):
        values = clean(form)
        meanwhile(products.get("A"))
        return values

    monkeypatch.setattr(ProductForm, "clean", clean_late)
    assert posted(admin, apple, is_active="on", name="Pear") == []
    monkeypatch.undo()
    assert not Product.objects.filter(name="Pear").exists()
    page = admin.get(reverse("admin:shop_catalog_product_changelist"))
    assert str(next(iter(page.context["messages"]))).startswith(sentence)


def test_staff_with_view_permission_see_the_price_without_the_box(client, make_user, draft, empty_group):
    client.force_login(make_user("viewer", "view_product", is_staff=True))
    assert "-" in client.get(reverse("admin:shop_catalog_product_changelist")).content.decode()
    for product in (draft, empty_group):
        page = client.get(reverse("admin:shop_catalog_product_change", args=[product.pk]))
        assert page.status_code == 200
        assert "is_free" not in page.content.decode()
