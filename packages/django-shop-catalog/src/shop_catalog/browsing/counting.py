"""Compiled statements that count the products that match filters."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from django.db.models import F, QuerySet, Value
from shop_core.db.compiled import CompiledQuery

from shop_catalog.browsing.filters import Filters
from shop_catalog.browsing.matching import COLLECTED, matching_products
from shop_catalog.facets.counting import GroupsQuery, NumbersQuery
from shop_catalog.facets.queries import FacetNumber
from shop_catalog.facets.terms import sample_terms
from shop_catalog.models import Product
from shop_catalog.models.numbers import Overlaps


def facet_numbers(
    filters: Filters, values: Mapping[str, Any], *, search: Hashable, samples: int, limit: int
) -> dict[int, int]:
    """The number of matching products by facet.

    ``limit`` is the maximum number of products that are counted; 0 means no limit. ``samples`` is the number of
    samples whose products are counted; 0 means all products.
    """
    return _numbers(_FACETS, filters, values, search, samples, limit)


def category_numbers(
    filters: Filters, values: Mapping[str, Any], below: Mapping[int, list[int]], *, search: Hashable, samples: int
) -> dict[int, int]:
    """The number of matching products by category. ``below`` has the terms of each category's subtree."""
    pairs = [(term, category_id) for category_id, terms in below.items() for term in terms]
    groups = {"members": [term for term, _pk in pairs], "owners": [pk for _term, pk in pairs]}
    return _numbers(_CATEGORIES, filters, {**values, **groups}, search, samples)


def _numbers(
    query: CompiledQuery[FacetNumber], filters: Filters, values: Mapping[str, Any], *shape: Hashable
) -> dict[int, int]:
    is_plain = filters.q and shape[0] is None
    rows = query.plain_rows(filters, *shape, **values) if is_plain else query.rows(filters.shape, *shape, **values)
    return {facet: int(number or 0) for facet, number in rows}


def _matching_terms(p: Any, filters: Filters, search: Hashable, samples: int) -> QuerySet[Any, Any]:
    products = (
        matching_products(p, filters, search=search, reading=COLLECTED).filter(listing_terms__isnull=False).order_by()
    )
    if samples:
        is_sampled = Overlaps(F("listing_terms__terms"), *map(Value, sample_terms(samples)))
        products = products.filter(is_sampled)
    return products


def _build_facets(p: Any, filters: Filters, search: Hashable, samples: int, limit: int) -> QuerySet[Any, Any]:
    rows = _matching_terms(p, filters, search, samples).values_list("listing_terms__facets")
    return rows[:limit] if limit else rows


def _build_categories(p: Any, filters: Filters, search: Hashable, samples: int) -> QuerySet[Any, Any]:
    return _matching_terms(p, filters, search, samples).values_list("pk", "listing_terms__terms")


_FACETS = NumbersQuery(Product, _build_facets, row=FacetNumber, reads=True)
_CATEGORIES = GroupsQuery(Product, _build_categories, row=FacetNumber, reads=True)
