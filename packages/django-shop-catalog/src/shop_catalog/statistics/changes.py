"""Changes to fold into the stored figures of categories, written in the transaction of the change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db.models import Q

from shop_catalog import bulk
from shop_catalog.models import Category, Product, ProductKind, StatisticsChange
from shop_catalog.statistics.figures import Figures
from shop_catalog.statistics.queries import sellable


def contribution(listed: Product) -> Figures:
    """The figures that a simple product, or a group with its variants, adds to the categories above it.

    For a simple product the values of the instance are used, so pass it without unsaved changes.
    """
    if listed.kind != ProductKind.SIMPLE:
        return contributions([listed.pk])[listed.pk]
    if listed.price is None or listed.is_scheduled or not listed.is_published:
        return Figures()
    return Figures(1, listed.price)


def contributions(listed_ids: Iterable[int]) -> dict[int, Figures]:
    """``contribution`` of many products, by primary key."""
    found = dict.fromkeys(listed_ids, Figures())
    ids = list(found)
    rows = sellable(Product.objects.filter(Q(pk__in=ids) | Q(parent__in=ids), is_scheduled=False)).published()
    for pk, parent_id, price in rows.values_list("pk", "parent_id", "price"):
        if price is None:
            continue
        found[parent_id or pk] = found[parent_id or pk].plus(Figures(1, price))
    return found


def record(listed_id: int, change: Figures) -> None:
    """Record a difference, to be folded in later. Call it in the transaction of the change."""
    if change != Figures():
        StatisticsChange.objects.create(product_id=listed_id, count_change=change.number, sum_change=change.total)


def record_many(changes: Iterable[tuple[int, Figures]]) -> None:
    """``record`` for many products in one statement."""
    bulk.insert(
        StatisticsChange,
        ("product_id", "count_change", "sum_change"),
        ((listed_id, change.number, change.total) for listed_id, change in changes if change != Figures()),
    )


def recount(category_ids: Iterable[int]) -> None:
    """Mark these categories to be counted again by the next fold. Call it in the transaction of the change."""
    StatisticsChange.objects.bulk_create(
        [StatisticsChange(category_id=category_id) for category_id in sorted(set(category_ids))],
    )


def recount_all() -> None:
    """Mark all categories to be counted again: after a fixture, or if rows were written without these functions."""
    StatisticsChange.objects.create()


def ancestors_of(category_ids: Iterable[int]) -> set[int]:
    """These categories and all above them."""
    wanted = set(category_ids)
    if not wanted:
        return set()
    parents = dict(Category.objects.order_by().values_list("pk", "parent_id"))
    return with_ancestors(wanted, parents)


def with_ancestors(category_ids: Iterable[int], parents: Mapping[int, int | None]) -> set[int]:
    ancestors: set[int] = set()
    for start in category_ids:
        node: int | None = start
        while node is not None and node not in ancestors:
            ancestors.add(node)
            node = parents.get(node)
    return ancestors
