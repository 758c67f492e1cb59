"""Count, average, lowest and highest price of what is sold in a category's subtree, each product once.

Count and sum are kept. A change of a product writes one ``StatisticsChange`` row in its own transaction, a periodic
job folds these rows into the kept figures, and a read adds what is not folded yet: it is exact at any moment.

* A price or a publication changes: the row holds the difference, for all categories above the product.
* A product changes its categories, a category its place: those whose products changed are counted anew. Until the
  fold a read of them counts too: right, but slower.
* A product with a publication time still to come (``is_scheduled``) is not in the kept figures; reads look at it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import Count, DecimalField, Exists, F, Func, IntegerField, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from shop_catalog import bulk_write, money
from shop_catalog.hot_query import HotQuery
from shop_catalog.managers import ProductQuerySet, published_at
from shop_catalog.models import (
    Category,
    CategoryStatistics,
    Product,
    ProductCategory,
    ProductKind,
    StatisticsChange,
)

SUM_FIELD = DecimalField(max_digits=24, decimal_places=4)


class Figures(NamedTuple):
    """How many sellable products, and what they cost together."""

    number: int = 0
    total: Decimal = Decimal(0)

    def minus(self, other: Figures) -> Figures:
        return Figures(self.number - other.number, self.total - other.total)

    def plus(self, other: Figures) -> Figures:
        return Figures(self.number + other.number, self.total + other.total)


@dataclass(frozen=True)
class PriceStatistics:
    """Prices in a subtree. Without products there are no prices."""

    count: int
    average: Decimal | None
    lowest: Decimal | None
    highest: Decimal | None


def of_category(slug: str) -> PriceStatistics | None:
    """The figures of a category with its subtree, ``None`` for an unknown slug. One statement, as a rule."""
    moment = timezone.now()
    rows = _READ.rows(slug=slug, now=moment)
    if not rows:
        return None
    category_id, is_stale, *parts, lowest, highest = rows[0]
    if is_stale:
        figures = counted(Category.objects.get(pk=category_id))
    else:
        figures = Figures(sum(parts[0::2]), sum(parts[1::2], Decimal(0)))
    if not figures.number:
        return PriceStatistics(0, None, None, None)
    return PriceStatistics(
        count=figures.number,
        average=money.quantise(figures.total / figures.number),
        lowest=money.quantise(lowest),
        highest=money.quantise(highest),
    )


def counted(category: Category, *, with_scheduled: bool = True) -> Figures:
    """The figures counted from the products themselves: slow, and what the kept ones must equal."""
    products = _sellable(Product.objects.all()).in_subtree(category).published()
    if not with_scheduled:
        products = products.filter(is_scheduled=False)
    totals = {"number": Count("pk"), "total": Coalesce(Sum("price"), Decimal(0), output_field=SUM_FIELD)}
    return Figures(**products.aggregate(**totals))


def contribution(listed: Product) -> Figures:
    """What a simple product or a group, with its variants, adds to the kept figures of the categories above it.

    A simple product is taken as the instance says: pass it as it is stored.
    """
    if listed.kind != ProductKind.SIMPLE:
        return contributions([listed.pk])[listed.pk]
    counts = listed.is_published and not listed.is_scheduled
    return Figures(1, listed.price) if counts else Figures()


def contributions(listed_ids: Iterable[int]) -> dict[int, Figures]:
    """``contribution`` of many, by primary key."""
    found = dict.fromkeys(listed_ids, Figures())
    ids = list(found)
    rows = _sellable(Product.objects.filter(Q(pk__in=ids) | Q(parent__in=ids), is_scheduled=False)).published()
    for pk, parent_id, price in rows.values_list("pk", "parent_id", "price"):
        found[parent_id or pk] = found[parent_id or pk].plus(Figures(1, price))
    return found


def record(listed_id: int, change: Figures) -> None:
    """Note a difference to fold in later. Call it in the transaction of the change."""
    if change != Figures():
        StatisticsChange.objects.create(product_id=listed_id, count_change=change.number, sum_change=change.total)


def record_many(changes: Iterable[tuple[int, Figures]]) -> None:
    """``record`` for many products in one statement."""
    bulk_write.insert(
        StatisticsChange,
        ("product_id", "count_change", "sum_change"),
        ((listed_id, change.number, change.total) for listed_id, change in changes if change != Figures()),
    )


def recount(category_ids: Iterable[int]) -> None:
    """Note that the products below these categories are others now. Call it in the transaction of the change."""
    StatisticsChange.objects.bulk_create(
        [StatisticsChange(category_id=category_id) for category_id in sorted(set(category_ids))],
    )


def recount_all() -> None:
    """Note that all is to be counted anew: after a fixture, or rows written past the verbs."""
    StatisticsChange.objects.create()


def ancestors_of(category_ids: Iterable[int]) -> set[int]:
    """These categories and all above them."""
    wanted = set(category_ids)
    if not wanted:
        return set()
    parents = dict(Category.objects.order_by().values_list("pk", "parent_id"))
    return _with_ancestors(wanted, parents)


def fold() -> int:
    """Fold what was noted into the kept figures. Answers how many notes were folded; a second run finds none.

    All reads see one moment, so that a note and the change it tells of are seen together or not at all.
    """
    with _one_moment():
        notes = list(
            StatisticsChange.objects.order_by("pk").values_list(
                "pk", "product_id", "category_id", "count_change", "sum_change"
            )
        )
        if not notes:
            return 0
        parents: dict[int, int | None] = dict(Category.objects.order_by().values_list("pk", "parent_id"))
        anew = {category_id for _pk, product_id, category_id, *_ in notes if product_id is None}
        stale = {pk for pk in parents if None in anew or pk in anew}
        _add(_per_category(notes, parents), except_for=stale)
        for category in Category.objects.filter(pk__in=stale):
            _keep(category.pk, counted(category, with_scheduled=False))
        pks = [note[0] for note in notes]
        for start in range(0, len(pks), 1000):
            StatisticsChange.objects.filter(pk__in=pks[start : start + 1000]).delete()
    return len(notes)


def _sellable(products: Any) -> ProductQuerySet:
    queryset: ProductQuerySet = products.exclude(kind=ProductKind.GROUP)
    return queryset


def _with_ancestors(category_ids: Iterable[int], parents: dict[int, int | None]) -> set[int]:
    ancestors: set[int] = set()
    for start in category_ids:
        node: int | None = start
        while node is not None and node not in ancestors:
            ancestors.add(node)
            node = parents.get(node)
    return ancestors


def _per_category(notes: Iterable[tuple[Any, ...]], parents: dict[int, int | None]) -> dict[int, Figures]:
    """What the noted products add to each category above them."""
    by_product: defaultdict[int, Figures] = defaultdict(Figures)
    for _pk, product_id, _category_id, count_change, sum_change in notes:
        if product_id is not None:
            by_product[product_id] = by_product[product_id].plus(Figures(count_change, sum_change))
    links: defaultdict[int, list[int]] = defaultdict(list)
    product_ids = list(by_product)
    for start in range(0, len(product_ids), 1000):
        rows = ProductCategory.objects.filter(product__in=product_ids[start : start + 1000])
        for product_id, category_id in rows.values_list("product_id", "category_id"):
            links[product_id].append(category_id)
    gains: defaultdict[int, Figures] = defaultdict(Figures)
    for product_id, change in by_product.items():
        for category_id in _with_ancestors(links[product_id], parents):
            gains[category_id] = gains[category_id].plus(change)
    return gains


def _add(gains: dict[int, Figures], *, except_for: set[int]) -> None:
    kept = CategoryStatistics.objects.in_bulk([category_id for category_id in gains if category_id not in except_for])
    for category_id, gain in sorted(gains.items()):
        if category_id in except_for or gain == Figures():
            continue
        row = kept.get(category_id)
        before = Figures(row.product_count, row.price_sum) if row else Figures()
        _keep(category_id, before.plus(gain))


def _keep(category_id: int, figures: Figures) -> None:
    CategoryStatistics.objects.update_or_create(
        category_id=category_id, defaults={"product_count": figures.number, "price_sum": figures.total}
    )


@contextmanager
def _one_moment() -> Iterator[None]:
    """A transaction whose statements all see the database as at its first one."""
    nested = connection.in_atomic_block
    with transaction.atomic():
        if connection.vendor == "postgresql" and not nested:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


def _build_read(p: Any) -> QuerySet[Any, Any]:
    """One row: id, is it stale, kept count and sum, noted count and sum, scheduled count and sum, lowest, highest."""
    slug, now = p("slug", Category._meta.get_field("slug")), p("now", Product._meta.get_field("publish_from"))

    def links(product: Any, *, depth: int) -> QuerySet[Any, Any]:
        outer: Any = OuterRef
        category = [outer(name) for name in ("tree_id", "lft", "rght")]
        for _ in range(depth):
            category = [OuterRef(reference) for reference in category]
        tree_id, lft, rght = category
        return ProductCategory.objects.filter(
            product_id=product, category__tree_id=tree_id, category__lft__gte=lft, category__lft__lte=rght
        )

    noted = StatisticsChange.objects.filter(Exists(links(OuterRef("product_id"), depth=1)))
    listed = Coalesce(OuterRef("parent_id"), OuterRef("pk"))
    products = (
        _sellable(Product.objects.all())
        .filter(published_at(now), Q(parent__isnull=True) | published_at(now, prefix="parent__"))
        .filter(Exists(links(listed, depth=1)))
    )
    scheduled = products.filter(is_scheduled=True)

    def total(queryset: QuerySet[Any, Any], field: str, output_field: Any) -> Any:
        summed = Func(F(field), function="SUM", output_field=output_field)
        return Coalesce(
            Subquery(queryset.order_by().annotate(total=summed).values("total")), 0, output_field=output_field
        )

    counted_rows = Func(F("pk"), function="COUNT", output_field=IntegerField())
    stale = StatisticsChange.objects.filter(
        Q(category_id=OuterRef("pk")) | Q(category_id__isnull=True, product_id__isnull=True)
    )
    rows: QuerySet[Any, Any] = (
        Category.objects.order_by()
        .filter(slug=slug)
        .values_list(
            "pk",
            Exists(stale),
            Coalesce("statistics__product_count", 0),
            Coalesce("statistics__price_sum", Decimal(0), output_field=SUM_FIELD),
            total(noted, "count_change", IntegerField()),
            total(noted, "sum_change", SUM_FIELD),
            Subquery(scheduled.order_by().annotate(n=counted_rows).values("n")),
            total(scheduled, "price", SUM_FIELD),
            Subquery(products.order_by("price").values("price")[:1]),
            Subquery(products.order_by("-price").values("price")[:1]),
        )
    )
    return rows


_READ = HotQuery(Category, _build_read)
