"""Products in batches by key, so that a long export holds no cursor and does not fill the memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from django.db.models import QuerySet

from shop_catalog.models import Product, ProductCategory

BATCH = 1000


def batches(products: QuerySet[Product]) -> Iterator[list[Product]]:
    """The products with their groups, in the order of their keys."""
    last = 0
    rows = products.order_by("pk").select_related("parent")
    while batch := list(rows.filter(pk__gt=last)[:BATCH]):
        last = batch[-1].pk
        yield batch


def category_ids(products: Iterable[Product]) -> dict[int, list[int]]:
    """The keys of each product's categories, in their order."""
    found: dict[int, list[int]] = defaultdict(list)
    links = ProductCategory.objects.filter(product__in=[product.pk for product in products])
    for product_id, category_id in links.order_by("position", "pk").values_list("product_id", "category_id"):
        found[product_id].append(category_id)
    return found
