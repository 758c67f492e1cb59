"""Folding: adding the recorded changes to the stored figures of categories."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

from shop_core.db.transactions import in_transaction

from shop_catalog import bulk
from shop_catalog.models import Category, CategoryStatistics, ProductCategory, StatisticsChange
from shop_catalog.statistics.changes import with_ancestors
from shop_catalog.statistics.figures import Figures, count_subtree

CHUNK = 1000


class _Change(NamedTuple):
    """A recorded change: see ``StatisticsChange``."""

    pk: int
    product_id: int | None
    category_id: int | None
    count_change: int
    sum_change: Decimal


@in_transaction(StatisticsChange)
def fold() -> int:
    """Fold the recorded changes into the stored figures. Returns how many were folded; a second run finds none.

    All reads see one snapshot, so that a recorded change and the product's change are seen together or not at all.
    """
    bulk.use_one_snapshot(StatisticsChange)
    rows = StatisticsChange.objects.order_by("pk").values_list(*_Change._fields)
    changes = [_Change(*values) for values in rows]
    if not changes:
        return 0
    parents: dict[int, int | None] = dict(Category.objects.order_by().values_list("pk", "parent_id"))
    stale = _stale_categories(changes, parents)
    _add(_changes_by_category(changes, parents), except_for=stale)
    for category in Category.objects.filter(pk__in=stale).only("tree_id", "lft", "rght"):
        figures = count_subtree(category.tree_id, category.lft, category.rght, with_scheduled=False)
        _store(category.pk, figures)
    for start in range(0, len(changes), CHUNK):
        pks = [change.pk for change in changes[start : start + CHUNK]]
        StatisticsChange.objects.filter(pk__in=pks).delete()
    return len(changes)


def _stale_categories(changes: Iterable[_Change], parents: Mapping[int, int | None]) -> set[int]:
    """The categories to count again: all of them if a change names neither product nor category."""
    recounted = {change.category_id for change in changes if change.product_id is None}
    return set(parents) if None in recounted else {pk for pk in parents if pk in recounted}


def _changes_by_category(changes: Iterable[_Change], parents: Mapping[int, int | None]) -> dict[int, Figures]:
    """The sum of the products' changes for each category above them."""
    by_product: defaultdict[int, Figures] = defaultdict(Figures)
    for change in changes:
        if change.product_id is not None:
            figures = Figures(change.count_change, change.sum_change)
            by_product[change.product_id] = by_product[change.product_id].plus(figures)
    links: defaultdict[int, list[int]] = defaultdict(list)
    product_ids = list(by_product)
    for start in range(0, len(product_ids), CHUNK):
        rows = ProductCategory.objects.filter(product__in=product_ids[start : start + CHUNK])
        for product_id, category_id in rows.values_list("product_id", "category_id"):
            links[product_id].append(category_id)
    gains: defaultdict[int, Figures] = defaultdict(Figures)
    for product_id, figures in by_product.items():
        for category_id in with_ancestors(links[product_id], parents):
            gains[category_id] = gains[category_id].plus(figures)
    return gains


def _add(gains: Mapping[int, Figures], *, except_for: set[int]) -> None:
    added = {pk: gain for pk, gain in gains.items() if pk not in except_for}
    stored = CategoryStatistics.objects.in_bulk(list(added))
    for category_id, gain in sorted(added.items()):
        if gain == Figures():
            continue
        row = stored.get(category_id)
        before = Figures(row.product_count, row.price_sum) if row else Figures()
        _store(category_id, before.plus(gain))


def _store(category_id: int, figures: Figures) -> None:
    CategoryStatistics.objects.update_or_create(
        category_id=category_id, defaults={"product_count": figures.number, "price_sum": figures.total}
    )
