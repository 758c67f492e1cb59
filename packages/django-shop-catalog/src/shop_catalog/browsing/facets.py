"""Facets: counts of matching products by category, attribute, price and rating."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from shop_catalog import categories
from shop_catalog.browsing import listing
from shop_catalog.browsing.filters import Filters
from shop_catalog.browsing.matching import has_stock_column
from shop_catalog.models import Product, ProductKind

CAP = 10_000
"""The maximum number of products that facets count."""


@dataclass(frozen=True)
class Facets:
    """Counts over the listed products that match.

    ``categories`` counts every category with its subtree; ``ratings`` those rated at least 1, 2, 3, 4. A filter on an
    attribute does not narrow the counts of that attribute, so that a second value can be chosen beside the first.
    """

    categories: dict[str, int]
    attributes: dict[str, dict[str, int]]
    in_stock: int
    min_price: Decimal | None
    max_price: Decimal | None
    ratings: dict[int, int]
    is_complete: bool


def count_facets(filters: Filters) -> Facets:
    """The facets of the products that match."""
    rows, is_complete = _rows(filters)
    attributes = _attribute_counts(rows)
    for name in {name for name, _value in filters.attributes}:
        others = tuple(pair for pair in filters.attributes if pair[0] != name)
        wider, _complete = _rows(replace(filters, attributes=others))
        attributes[name] = _attribute_counts(wider).get(name, {})
    prices = [row["price"] for row in rows if row["price"] is not None]
    return Facets(
        categories=_category_counts([row["pk"] for row in rows]),
        attributes=attributes,
        in_stock=sum(row["has_stock"] for row in rows),
        min_price=min(prices, default=None),
        max_price=max(prices, default=None),
        ratings={stars: sum(row["rating_average"] >= stars for row in rows) for stars in range(1, 5)},
        is_complete=is_complete,
    )


def _rows(filters: Filters) -> tuple[list[dict[str, Any]], bool]:
    columns = ("pk", "kind", "price", "rating_average", "attributes", "has_stock")
    matching = listing.matching(filters).order_by("-pk").annotate(has_stock=has_stock_column())
    rows = list(matching.values(*columns)[: CAP + 1])
    return rows[:CAP], len(rows) <= CAP


def _category_counts(product_ids: list[int]) -> dict[str, int]:
    tree = categories.current_tree()
    counts: Counter[str] = Counter()
    for start in range(0, len(product_ids), 1000):
        for nodes in listing.categories_of(product_ids[start : start + 1000]).values():
            counts.update({above.slug for node in nodes for above in tree.path(node.id)})
    return dict(counts.most_common())


def _attribute_counts(rows: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Each product counts once per value, whether it or one of its variants has it."""
    pairs: dict[int, set[tuple[str, str]]] = {row["pk"]: set(_pairs(row["attributes"])) for row in rows}
    groups = [row["pk"] for row in rows if row["kind"] == ProductKind.GROUP]
    for start in range(0, len(groups), 1000):
        variants = Product.objects.filter(parent__in=groups[start : start + 1000], is_active=True)
        for parent_id, options, attributes in variants.values_list("parent_id", "options", "attributes"):
            if parent_id is not None:
                pairs[parent_id].update(_pairs(options), _pairs(attributes))
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for product_pairs in pairs.values():
        for name, value in product_pairs:
            counts[name][value] += 1
    return {name: dict(values.most_common()) for name, values in sorted(counts.items())}


def _pairs(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, str | int) and not isinstance(value, bool):
            yield name, str(value)
