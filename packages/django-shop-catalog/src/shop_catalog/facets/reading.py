"""Reading the stored counts of a category or of the whole shop."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from shop_catalog.categories import CategoryTree
from shop_catalog.facets import queries
from shop_catalog.facets.terms import category_term


def subtree_terms(tree: CategoryTree, category_id: int) -> list[int]:
    """The terms of a category and all categories below it; none for an unknown category."""
    if category_id not in tree.nodes:
        return []
    return [category_term(category_id), *(category_term(node.id) for node in tree.walk(category_id))]


def current_counts(category_id: int, below: list[int], *, now: datetime) -> dict[int, int] | None:
    """The number of listed products by facet, exact at any moment. ``None`` if they have to be counted again."""
    numbers = queries.facet_numbers(category_id, below, now=now)
    return None if numbers is None else {facet: number for facet, number in numbers.items() if number}


def current_totals(below: Mapping[int, list[int]], *, now: datetime) -> dict[int, int]:
    """The number of listed products by category. ``below`` has the terms of each category's subtree.

    Categories that have to be counted again are left out.
    """
    stored = queries.stored_totals(list(below))
    changes = queries.total_changes(now=now)
    found = {}
    for pk, terms in below.items():
        total = stored.get(pk, 0)
        if total is not None:
            wanted = set(terms)
            changed = sum(change.number for change in changes if not wanted.isdisjoint(change.categories))
            found[pk] = total + changed
    return found
