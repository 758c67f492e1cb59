"""A category tree that is deeper than Python nests calls works in the API, the admin, imports and repairs."""

import sys
from decimal import Decimal

import pytest
from conftest import API
from shop_catalog import categories, imports, products
from shop_catalog.models import Category, Product

pytestmark = pytest.mark.django_db
NESTED_CALLS = 300
"""Below Python's usual limit of 1,000: a smaller tree proves the same in less time."""

LEVELS = 330


@pytest.fixture
def few_nested_calls(client, admin_client):
    for warm, url in ((client, f"{API}/categories/"), (admin_client, "/admin/shop_catalog/category/")):
        assert warm.get(url).status_code == 200  # modules are imported by many nested calls
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(NESTED_CALLS)
    yield
    sys.setrecursionlimit(usual)


@pytest.fixture
def deepest(few_nested_calls):
    lines = [" " * level + f"Level {level}" for level in range(LEVELS)]
    assert imports.import_categories(lines).created == LEVELS
    return categories.get(f"level-{LEVELS - 1}")


def test_a_deep_tree_is_read_and_written(deepest, client, admin_client):
    products.create("A", name="Apple", price=Decimal(1), categories=[deepest])
    listed = []
    url = f"{API}/categories/?limit=100"
    while url:
        page = client.get(url).json()
        listed += page["items"]
        url = page["next"] and f"{API}/categories/?limit=100&cursor={page['next']}"
    assert [item["level"] for item in listed] == list(range(LEVELS))
    detail = client.get(f"{API}/categories/{deepest.slug}/").json()
    assert (len(detail["ancestors"]), detail["product_count"]) == (LEVELS - 1, 1)
    assert client.get(f"{API}/categories/level-0/average_price/").json()["count"] == 1
    assert client.get(f"{API}/products/?category=level-0").json()["items"][0]["sku"] == "A"
    assert len(client.get(f"{API}/products/apple/").json()["breadcrumbs"][0]) == LEVELS
    tree = client.get(f"{API}/categories/tree/?root=level-280&depth=64").json()
    depth = 0
    while tree:
        depth, tree = depth + 1, tree[0]["children"]
    assert depth == 50
    assert client.get(f"{API}/categories/tree/").status_code == 200
    assert categories.check() == []
    assert admin_client.get("/admin/shop_catalog/category/").status_code == 200
    assert admin_client.get(f"/admin/shop_catalog/category/{deepest.pk}/change/").status_code == 200
    row = {"sku": "B", "name": "Pear", "price": "2", "categories": [deepest.slug]}
    assert imports.import_products([imports.RawRow(1, row)]).created == 1
    below = categories.create("Below", parent=deepest)
    moved = categories.move(categories.get("level-150"), parent=None)
    assert (below.level, moved.level, Category.objects.get(pk=below.pk).level) == (LEVELS, 0, LEVELS - 150)
    assert categories.repair() == 0
    assert Product.objects.in_subtree(moved).count() == 2
