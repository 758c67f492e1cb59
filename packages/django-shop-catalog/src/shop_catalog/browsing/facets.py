"""Facets: the numbers of listed products by category, attribute, price band, rating and stock."""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import NamedTuple

from django.core.cache import cache
from django.utils import timezone

from shop_catalog import categories, facets
from shop_catalog.browsing import listing
from shop_catalog.browsing.filters import Filters, places_for
from shop_catalog.facets import terms

logger = logging.getLogger(__name__)

EXACT = 20_000
"""The highest number of matching products that is counted. Higher numbers are estimated from samples."""

SAMPLED = 5_000
"""The number of products, matching or not, in the samples that are read for an estimate."""

KEPT_FOR = 3600
"""Seconds. Counted facets are cached, under the version of the catalogue at which they were counted."""


@dataclass(frozen=True)
class PriceBand:
    """The number of products from the price ``start`` to below the price ``below``."""

    start: Decimal
    below: Decimal
    count: int


@dataclass(frozen=True)
class Facets:
    """Numbers of the listed products that match.

    ``categories`` counts the category of the filter and those directly below it, or the roots, each with its subtree.
    ``attributes`` counts the values of the attributes that the setting ``FACETS`` names. A filter on an attribute does
    not narrow the counts of that attribute, so that a second value can be chosen beside the first. ``other`` counts
    products with values beyond the limit. ``ratings`` counts those rated at least 1, 2, 3, 4. Numbers that are not
    ``is_exact`` are estimates. ``is_complete`` is false while a newly named attribute is counted for the first time.
    """

    count: int
    categories: dict[str, int]
    attributes: dict[str, dict[str, int]]
    other: dict[str, int]
    in_stock: int
    min_price: Decimal | None
    max_price: Decimal | None
    prices: list[PriceBand]
    ratings: dict[int, int]
    is_exact: bool
    is_complete: bool


class _Numbers(NamedTuple):
    """Numbers by facet, and whether they are exact."""

    by_facet: Mapping[int, int]
    is_exact: bool


def count_facets(
    filters: Filters, *, with_categories: bool = True, tree: categories.CategoryTree | None = None
) -> Facets:
    """The facets of the products that match. ``with_categories=False`` leaves out the counts of categories.

    Without filters other than a category, the counts are stored. With other filters the products are counted, and the
    result is cached until the catalogue changes. ``tree`` is the category tree, if it was read for this request.

    Raises:
        UnknownCategory: the category of the filter does not exist.
    """
    now = timezone.now()
    tree = tree or categories.current_tree()
    node = listing.node_of(filters, tree)
    key = _cache_key(filters, facets.version(now=now), tree, with_categories)
    try:
        found: Facets | None = cache.get(key)
    except Exception:  # each cache backend has errors of its own
        logger.exception("The cache failed: the products of each facet are counted again.")
        return _count(filters, tree, node, now, with_categories=with_categories)
    if found is None:
        found = _count(filters, tree, node, now, with_categories=with_categories)
        _keep(key, found)
    return found


def _keep(key: str, found: Facets) -> None:
    try:
        cache.set(key, found, KEPT_FOR)
    except Exception:  # such as a Redis that is out of memory, which still reads
        logger.exception("The cache failed: the products of each facet are counted again.")


def _cache_key(filters: Filters, version: facets.Version, tree: categories.CategoryTree, *more: object) -> str:
    content = json.dumps([*version, str(tree.version), facets.counted_names(), asdict(filters), *more], default=str)
    return f"shop_catalog.facets.{blake2b(content.encode(), digest_size=16).hexdigest()}"


def _count(
    filters: Filters,
    tree: categories.CategoryTree,
    node: categories.Node | None,
    now: datetime,
    *,
    with_categories: bool,
) -> Facets:
    numbers = _numbers(filters, tree, node, now)
    names = {facet: row for facet, row in facets.names().items() if row.name in facets.counted_names()}
    attributes, other = _attributes(numbers.by_facet, names)
    is_exact = numbers.is_exact
    for name in filters.wanted.keys() & facets.counted_names():
        others = tuple(pair for pair in filters.attributes if pair[0] != name)
        wider = _numbers(replace(filters, attributes=others), tree, node, now)
        wider_attributes, wider_other = _attributes(wider.by_facet, names)
        attributes[name], other[name] = wider_attributes.get(name, {}), wider_other.get(name, 0)
        is_exact = is_exact and wider.is_exact
    lowest, highest = listing.price_range(filters)
    return Facets(
        count=numbers.by_facet.get(terms.EVERY, 0),
        categories=_categories(filters, tree, node, now, is_exact=numbers.is_exact) if with_categories else {},
        attributes={name: attributes[name] for name in facets.counted_names() if attributes.get(name)},
        other={name: number for name, number in other.items() if number},
        in_stock=numbers.by_facet.get(terms.STOCKED, 0),
        min_price=lowest,
        max_price=highest,
        prices=_bands(numbers.by_facet),
        ratings=_ratings(numbers.by_facet),
        is_exact=is_exact,
        is_complete=_is_complete(names),
    )


def _numbers(filters: Filters, tree: categories.CategoryTree, node: categories.Node | None, now: datetime) -> _Numbers:
    if filters == Filters(category=filters.category):
        below = facets.subtree_terms(tree, node.id) if node is not None else []
        stored = facets.current_counts(node.id if node is not None else facets.EVERYTHING, below, now=now)
        if stored is not None:
            return _Numbers(stored, is_exact=True)
    return _counted(filters)


def _counted(filters: Filters) -> _Numbers:
    """In a large shop samples are read first. They show whether it is worth while to count."""
    samples, estimate = _samples(), None
    if samples < terms.SAMPLES:
        estimate = _Numbers(_scaled(listing.facet_numbers(filters, samples=samples), samples), is_exact=False)
        if estimate.by_facet.get(terms.EVERY, 0) > 3 * EXACT // 2:
            return estimate
    numbers = listing.facet_numbers(filters, samples=0, limit=EXACT + 1 if estimate is not None else 0)
    if estimate is not None and numbers.get(terms.EVERY, 0) > EXACT:
        return estimate
    return _Numbers(numbers, is_exact=True)


def _samples() -> int:
    """The number of samples to read: a power of two, so that few statements serve every size of a shop.

    All of them in a shop of at most ``EXACT`` products.
    """
    size = (facets.current_counts(facets.EVERYTHING, [], now=timezone.now()) or {}).get(terms.EVERY, 0)
    return terms.SAMPLES if size <= EXACT else places_for(max(terms.SAMPLES * SAMPLED // size, 1))


def _scaled(numbers: Mapping[int, int], samples: int) -> dict[int, int]:
    return {key: _rounded(number * terms.SAMPLES // samples) for key, number in numbers.items()}


def _rounded(number: int) -> int:
    """An estimate with two digits: 45,000."""
    unit = 10 ** max(len(str(number)) - 2, 0)
    return int(round(number / unit) * unit)


def _attributes(
    by_facet: Mapping[int, int], names: Mapping[int, facets.FacetName]
) -> tuple[dict[str, dict[str, int]], dict[str, int]]:
    """The numbers of products by attribute and value, the most frequent first, and of those with further values."""
    found: defaultdict[str, dict[str, int]] = defaultdict(dict)
    other: dict[str, int] = {}
    for facet, number in sorted(by_facet.items(), key=lambda item: (-item[1], item[0])):
        row = names.get(facet)
        if row is None or number <= 0:
            continue
        if row.value is None:
            other[row.name] = number
        else:
            found[row.name][row.value] = number
    return found, other


def _categories(
    filters: Filters, tree: categories.CategoryTree, node: categories.Node | None, now: datetime, *, is_exact: bool
) -> dict[str, int]:
    children = tree.children.get(node.id if node is not None else None, [])
    shown = [*([node] if node is not None else []), *(child for child in children if child.is_visible)]
    below = {each.id: facets.subtree_terms(tree, each.id) for each in shown}
    if filters == Filters(category=filters.category):
        totals = facets.current_totals(below, now=now)
        for each in shown:
            if each.id not in totals:
                totals[each.id] = _counted(Filters(category=each.slug)).by_facet.get(terms.EVERY, 0)
    else:
        samples = 0 if is_exact else _samples()
        totals = listing.category_numbers(filters, below, samples=samples)
        totals = _scaled(totals, samples) if samples else totals
    return {each.slug: totals[each.id] for each in shown if totals.get(each.id)}


def _bands(by_facet: Mapping[int, int]) -> list[PriceBand]:
    bands = [(band, number) for facet, number in by_facet.items() if (band := terms.band_of(facet)) is not None]
    return [PriceBand(*band, number) for band, number in sorted(bands) if number > 0]


def _ratings(by_facet: Mapping[int, int]) -> dict[int, int]:
    stars = {terms.rating_of(facet): number for facet, number in by_facet.items()}
    return {least: sum(stars.get(each, 0) for each in range(least, 5)) for least in range(1, 5)}


def _is_complete(names: Mapping[int, facets.FacetName]) -> bool:
    return all(row.is_complete for row in names.values())
