"""Reads of the API: HEAD, ETags and 304; and slugs that would hide a path of the API."""

import re
from decimal import Decimal

import pytest
from conftest import API
from django.core.checks import run_checks
from shop_catalog import categories, imports, products
from shop_catalog.api.routers import router
from shop_catalog.exceptions import DuplicateValue
from shop_catalog.imports import RawRow
from shop_catalog.models import Category, Product
from shop_catalog.slugs import RESERVED

pytestmark = pytest.mark.django_db

READS = sorted(
    path
    for path, view in router.path_operations.items()
    for operation in view.operations
    if "GET" in operation.methods and "/stock/" not in path
)


@pytest.fixture
def shop():
    food = categories.create("Food")
    return products.create("A", name="Apple", price=Decimal(1), categories=[food])


def address(path):
    is_category = path.startswith("/categories/")
    return API + path.replace("{slug}", "food" if is_category else "apple")


@pytest.mark.parametrize("path", READS)
def test_every_read_has_an_etag_and_accepts_head(shop, client, path):
    url = address(path)
    full = client.get(url)
    head = client.head(url)
    assert (head.status_code, head.content, head["ETag"], head["Vary"]) == (200, b"", full["ETag"], full["Vary"])
    for value in (full["ETag"], f"W/{full['ETag']}", f'"other", {full["ETag"]}', "*"):
        for ask in (client.get, client.head):
            unchanged = ask(url, headers={"If-None-Match": value})
            assert (unchanged.status_code, unchanged.content, unchanged["ETag"]) == (304, b"", full["ETag"])
            assert unchanged["Vary"] == full["Vary"]
            assert unchanged.get("Cache-Control") == full.get("Cache-Control")
    for value in ('"other"', full["ETag"].strip('"'), "", f'"{full["ETag"][1:-2]}"'):
        assert client.get(url, headers={"If-None-Match": value}).content == full.content


@pytest.mark.parametrize("path", READS)
def test_every_read_declares_that_it_may_be_unchanged(path):
    [operation] = [one for one in router.path_operations[path].operations if "GET" in one.methods]
    assert 304 in operation.response_models


def test_an_etag_changes_with_what_is_read(shop, client, settings):
    url = f"{API}/products/apple/"
    seen = [client.get(url)["ETag"]]
    products.change(shop, description="Red")
    seen.append(client.get(url)["ETag"])
    settings.SHOP_CATALOG = settings.SHOP_CATALOG | {"CURRENCY": "EUR"}
    seen.append(client.get(url)["ETag"])
    assert len(set(seen)) == 3
    assert client.get(url, headers={"If-None-Match": seen[0]}).status_code == 200


def test_what_is_not_there_is_404_whatever_the_client_has(shop, client):
    for path in ("/products/none/", "/categories/none/", "/categories/tree/?root=none"):
        for value in ("*", '"a"'):
            response = client.get(API + path, headers={"If-None-Match": value})
            assert (response.status_code, response["Content-Type"]) == (404, "application/problem+json")
        assert client.head(API + path).status_code == 404
    assert client.head(f"{API}/products/bulk_create/").status_code == 405


def test_the_reserved_slugs_are_the_fixed_parts_of_the_paths():
    fixed = {}
    for path in router.path_operations:
        if match := re.match(r"(/(products|categories)/)([^/{]+)/", path):
            assert f"{match[1]}{{slug}}/" in router.path_operations
            fixed.setdefault(match[2], set()).add(match[3])
    assert fixed == {"products": RESERVED["product"], "categories": RESERVED["category"]}


def test_a_reserved_slug_is_never_given(client):
    assert products.create("A", name="Featured", price=Decimal(1)).slug == "featured-2"
    assert products.create("B", name="Featured", price=Decimal(1)).slug == "featured-3"
    assert categories.create("Tree").slug == "tree-2"
    assert products.create("C", name="Tree", price=Decimal(1)).slug == "tree"
    rows = [{"sku": "D", "name": "Bulk_create", "price": "1"}, {"sku": "featured", "name": "!", "price": "1"}]
    report = imports.import_products(RawRow(number, row) for number, row in enumerate(rows, 1))
    assert (report.created, report.errors) == (2, [])
    imports.import_categories(["Garden > Tree", "TREE"])
    slugs = {*Product.objects.values_list("slug", flat=True), *Category.objects.values_list("slug", flat=True)}
    assert slugs & {"featured", "bulk_create"} == set()
    assert not Category.objects.filter(slug="tree").exists()


def test_a_reserved_slug_that_is_typed_is_refused_with_a_sentence(shop, admin_client):
    food = categories.get("food")
    for act in (
        lambda: products.create("B", name="B", price=Decimal(1), slug="featured"),
        lambda: products.change(shop, slug="bulk_create"),
        lambda: categories.create("B", slug="tree"),
        lambda: categories.change(food, slug="tree"),
    ):
        with pytest.raises(DuplicateValue, match="is used by the shop itself"):
            act()
    report = imports.import_products([RawRow(1, {"sku": "B", "name": "B", "price": "1", "slug": "featured"})])
    assert [(error.field, error.code) for error in report.errors] == [("slug", "duplicate_value")]
    page = admin_client.post("/admin/shop_catalog/category/add/", {"name": "B", "slug": "tree", "position": "0"})
    assert "is used by the shop itself" in page.text
    assert Category.objects.count() == 1


def test_old_reserved_slugs_are_named_by_check_and_can_be_kept(shop):
    Product.objects.filter(pk=shop.pk).update(slug="featured")
    Category.objects.update(slug="tree")
    found = [message for message in run_checks(databases=["default"]) if message.id == "shop_catalog.W007"]
    assert [re.search('"(.*?)"', message.msg)[1] for message in found] == ["featured", "tree"]
    shop.refresh_from_db()
    assert products.change(shop, name="New", slug="featured").name == "New"
    row = {"sku": "A", "name": "Newer", "slug": "featured"}
    assert imports.import_products([RawRow(1, row)]).errors == []
