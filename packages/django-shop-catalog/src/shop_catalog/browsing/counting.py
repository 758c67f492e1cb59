"""Compiled statements that count the products that match filters."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from django.db.models import F, OuterRef, Q, QuerySet, Value
from shop_core.db.compiled import CompiledQuery

from shop_catalog.browsing.filters import Filters
from shop_catalog.browsing.matching import matching_products, product_field, wanted_terms
from shop_catalog.facets.counting import GroupsQuery, NumbersQuery
from shop_catalog.facets.queries import FacetNumber
from shop_catalog.facets.terms import sample_terms
from shop_catalog.managers import exists_for_row, is_linked_below, one_by_one, published_at
from shop_catalog.models import Category, Product, ProductTerms
from shop_catalog.models.numbers import NumbersField, Overlaps


class How(NamedTuple):
    """How matching products are counted, which decides the SQL text.

    ``search`` is the shape of a prepared search. ``samples`` is the number of samples whose products are counted; 0
    means all products. With ``checks_links`` the links of each product are read, to see whether it is in the category;
    otherwise the index of terms is used.
    """

    search: Hashable = None
    samples: int = 0
    checks_links: bool = False


def facet_numbers(filters: Filters, values: Mapping[str, Any], *, how: How, limit: int) -> dict[int, int]:
    """The number of matching products by facet. At most ``limit`` products are counted; 0 means no limit."""
    return _numbers(_FACETS, filters, values, how, limit)


def category_numbers(
    filters: Filters, values: Mapping[str, Any], below: Mapping[int, list[int]], *, how: How
) -> dict[int, int]:
    """The number of matching products by category. ``below`` has the terms of each category's subtree."""
    pairs = [(term, category_id) for category_id, terms in below.items() for term in terms]
    groups = {"members": [term for term, _pk in pairs], "owners": [pk for _term, pk in pairs]}
    return _numbers(_CATEGORIES, filters, {**values, **groups}, how)


def _numbers(
    query: CompiledQuery[FacetNumber], filters: Filters, values: Mapping[str, Any], how: How, *limit: int
) -> dict[int, int]:
    is_plain = filters.q and how.search is None
    shape = (how, *limit)
    rows = query.plain_rows(filters, *shape, **values) if is_plain else query.rows(filters.shape, *shape, **values)
    return {facet: int(number or 0) for facet, number in rows}


def _matching_terms(p: Any, filters: Filters, how: How) -> QuerySet[Any, Any]:
    """The rows of ``ProductTerms`` of the matching products. Products are read only for filters without terms."""
    rows = ProductTerms.objects.order_by()
    if not filters.with_unpublished:
        rows = rows.filter(_is_listed(p("now", product_field("publish_from"))))
    if filters.category:
        rows = rows.filter(_is_below(p, checks_links=how.checks_links))
    for wanted in wanted_terms(p, filters):
        rows = rows.filter(Overlaps(F("terms"), *wanted))
    if how.samples:
        rows = rows.filter(Overlaps(F("terms"), *map(Value, sample_terms(how.samples))))
    rest = filters.without_terms
    if not rest.condition_count and not rest.q:
        return rows
    products = matching_products(p, replace(rest, with_unpublished=True), search=how.search).order_by()
    if not filters.with_unpublished:
        products = products.filter(is_active=True)  # for the indexes that have this condition
    if how.samples:
        return ProductTerms.objects.filter(product__in=products.filter(one_by_one(rows.values("pk"))).values("pk"))
    return rows.filter(product__in=products.values("pk"))


def _is_below(p: Any, *, checks_links: bool) -> Any:
    """Whether a product is in the category: see ``How``."""
    if not checks_links:
        return Overlaps(F("terms"), p("below", NumbersField()), is_set=True)
    bounds = {name: p(name, Category._meta.get_field(name)) for name in ("tree_id", "lft", "rght")}
    return is_linked_below(OuterRef("pk"), **bounds)


def _is_listed(now: Any) -> Q:
    """Whether a product is listed. Its terms say so, unless a publication time has passed since they were written.

    PostgreSQL evaluates the conditions below an OR in this order, up to one that is false. One that is NULL does not
    end it. So the product is read only if a publication time has passed.
    """
    is_current = Q(changes_at__isnull=True) | Q(changes_at__gt=now)
    published = Product.objects.filter(published_at(now), pk=OuterRef("pk"), price__isnull=False)
    is_due = Q(changes_at__isnull=False) & Q(changes_at__lte=now)
    return Q(is_current, is_counted=True) | (is_due & Q(exists_for_row(published)))


def _build_facets(p: Any, filters: Filters, how: How, limit: int) -> QuerySet[Any, Any]:
    rows = _matching_terms(p, filters, how).values_list("facets")
    return rows[:limit] if limit else rows


def _build_categories(p: Any, filters: Filters, how: How) -> QuerySet[Any, Any]:
    return _matching_terms(p, filters, how).values_list("pk", "terms")


_FACETS = NumbersQuery(ProductTerms, _build_facets, row=FacetNumber, reads=True)
_CATEGORIES = GroupsQuery(ProductTerms, _build_categories, row=FacetNumber, reads=True)
