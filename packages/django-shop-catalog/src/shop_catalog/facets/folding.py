"""Folding: adding the recorded changes to the stored counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from django.db.models import F, Value
from django.utils import timezone
from shop_core.db.rows import chunks
from shop_core.db.transactions import in_transaction

from shop_catalog import bulk, categories
from shop_catalog.facets import queries, writing
from shop_catalog.facets.queries import EVERYTHING, FOLDED
from shop_catalog.facets.reading import subtree_terms
from shop_catalog.facets.values import MAX_VALUES, counted_names, store_names
from shop_catalog.models import Category, FacetChange, FacetCount, FacetValue, Product, ProductTerms
from shop_catalog.models.numbers import Overlaps
from shop_catalog.statistics.changes import with_ancestors

MAX_UNUSED = MAX_VALUES // 10
"""The number of unused values that an attribute keeps. After a deletion all products are counted again."""

CHUNK = 10_000
"""The number of changes that are folded in one transaction."""


class _Change(NamedTuple):
    """A recorded change: see ``FacetChange``."""

    pk: int
    category_id: int | None
    categories: list[int]
    added: list[int]
    removed: list[int]
    random: int


def fold() -> int:
    """Fold the recorded changes into the stored counts. Returns how many were folded; a second run finds none.

    First the products whose publication began or ended are added to the changes. The changes are folded in
    transactions of at most ``CHUNK``. Then each category that was moved is counted again, in its own transaction.
    """
    apply_publications()
    fill_new_facets()
    folded = 0
    while found := _fold_chunk():
        folded += found
    while _recount_one():
        folded += 1
    return folded


def recount_all() -> None:
    """Mark all counts to be counted again by the next fold, if rows were written without these functions."""
    ids = [EVERYTHING, *Category.objects.order_by().values_list("pk", flat=True)]
    FacetChange.objects.bulk_create(FacetChange(category_id=pk) for pk in ids)


def rebuild() -> None:
    """Write the terms of all products, a thousand in each transaction: after a fixture or a new setting ``FACETS``."""
    last = 0
    while ids := list(
        Product.objects.filter(parent__isnull=True, pk__gt=last)
        .order_by("pk")
        .values_list("pk", flat=True)[: writing.CHUNK]
    ):
        _refresh_in_transaction(ids)
        last = ids[-1]


def apply_publications() -> None:
    """Count the products whose publication has begun or ended."""
    due = ProductTerms.objects.filter(changes_at__lte=timezone.now()).order_by("changes_at")
    while ids := list(due.values_list("pk", flat=True)[: writing.CHUNK]):
        _refresh_in_transaction(ids)


def fill_new_facets() -> None:
    """Count the values of attributes that the setting names since the last run."""
    names = counted_names()
    others = FacetValue.objects.filter(value__isnull=True)
    others.exclude(name__in=names).update(is_complete=False)
    rows = others.filter(name__in=names)
    if set(names) - set(rows.filter(is_complete=True).values_list("name", flat=True)):
        rebuild()
        store_names()
    rows.filter(is_complete=False).update(is_complete=True)


def delete_unused() -> int:
    """Delete values that no product has, if they keep others from being counted individually. Returns how many.

    After a deletion the next fold counts all products again. To avoid this for a few values, an attribute keeps up to
    ``MAX_UNUSED`` unused ones.
    """
    for facet in queries.unnamed_facets():
        having = ProductTerms.objects.filter(Overlaps(F("terms"), Value(facet))).order_by("pk")
        for ids in chunks(list(having.values_list("pk", flat=True)), writing.CHUNK):
            _refresh_in_transaction(list(ids))
    return sum(_delete_unused_of(name) for name in sorted(queries.crowded_names() & set(counted_names())))


@in_transaction(FacetValue)
def _delete_unused_of(name: str) -> int:
    unused = queries.unused_keys(name)
    if len(unused) <= MAX_UNUSED:
        return 0
    FacetValue.objects.filter(key__in=unused).delete()
    FacetValue.objects.filter(name=name, value__isnull=True).update(is_complete=False)
    return len(unused)


@in_transaction(ProductTerms)
def _refresh_in_transaction(ids: list[int]) -> None:
    list(Product.objects.select_for_update().filter(pk__in=ids).order_by("pk").values_list("pk"))
    writing.refresh(ids)


@in_transaction(FacetChange)
def _fold_chunk() -> int:
    changes = [change for change in _locked() if change.category_id is None]
    if not changes:
        return 0
    parents: dict[int, int | None] = dict(Category.objects.order_by().values_list("pk", "parent_id"))
    numbers: Counter[tuple[int, int]] = Counter()
    for change in changes:
        above = {EVERYTHING} | with_ancestors([-term for term in change.categories if -term in parents], parents)
        for sign, facets in ((1, change.added), (-1, change.removed)):
            for facet in facets:
                for category_id in above:
                    numbers[category_id, facet] += sign
    numbers[FOLDED, 0] += sum(change.random for change in changes)
    _add(numbers)
    FacetChange.objects.filter(pk__in=[change.pk for change in changes]).delete()
    return len(changes)


@in_transaction(FacetChange)
def _recount_one() -> int:
    """Count a category again. All reads see one snapshot, and the changes that are not folded are left out."""
    bulk.use_one_snapshot(FacetChange)
    _locked()
    marked = FacetChange.objects.filter(category_id__isnull=False).order_by("pk")
    category_id = marked.values_list("category_id", flat=True).first()
    if category_id is None:
        return 0
    FacetCount.objects.filter(category_id=category_id).delete()
    below = [] if category_id == EVERYTHING else subtree_terms(categories.current_tree(), category_id)
    if below or category_id == EVERYTHING:
        counted = Counter(queries.counted_numbers(category_id, below))
        counted.subtract(queries.unfolded_numbers(category_id, below))
        _add({(category_id, facet): number for facet, number in counted.items()})
    markers = dict(FacetChange.objects.filter(category_id=category_id).values_list("pk", "random"))
    FacetChange.objects.filter(pk__in=markers).delete()
    _add({(FOLDED, 0): sum(markers.values())})
    return len(markers)


def _locked() -> list[_Change]:
    """The oldest changes, locked, so that one process folds at a time."""
    rows = FacetChange.objects.select_for_update().order_by("pk").values_list(*_Change._fields)[:CHUNK]
    return [_Change(*row) for row in rows]


def _add(numbers: Mapping[tuple[int, int], int]) -> None:
    queries.add_counts([(*key, number) for key, number in sorted(numbers.items()) if number])
