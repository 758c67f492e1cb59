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
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import Count, DecimalField, Exists, F, Func, IntegerField, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.db.models.lookups import GreaterThanOrEqual
from django.utils import timezone

from shop_catalog import bulk_write, money
from shop_catalog.hot_query import HotQuery, LiteralInteger
from shop_catalog.managers import ProductQuerySet, is_linked_below, published_at
from shop_catalog.models import (
    Category,
    CategoryStatistics,
    Product,
    ProductCategory,
    ProductKind,
    StatisticsChange,
)

LARGE = 500
"""From this many products on, lowest and highest are looked for among the shop's cheapest and dearest ..."""

NEAR = 500
"""... so many of them; smaller subtrees, and those without a product there, are looked through themselves."""

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
    """The figures of a category with its subtree, ``None`` for an unknown slug.

    One statement, and two more where lowest and highest are not near the ends of the shop's prices.
    """
    now = timezone.now()
    rows = _READ.rows(LARGE, NEAR, slug=slug, now=now)
    if not rows:
        return None
    bounds, is_stale, parts, ends = rows[0][:3], rows[0][3], rows[0][4:10], rows[0][10:]
    figures = _counted(*bounds) if is_stale else Figures(sum(parts[0::2]), sum(parts[1::2], Decimal(0)))
    if figures.number and None in ends:
        ends = _ends(*bounds, now=now)
    if not figures.number or None in ends:
        return PriceStatistics(0, None, None, None)
    return PriceStatistics(
        count=figures.number,
        average=money.quantise(figures.total / figures.number),
        lowest=money.quantise(ends[0]),
        highest=money.quantise(ends[1]),
    )


def counted(category: Category, *, with_scheduled: bool = True) -> Figures:
    """The figures counted from the products themselves: slow, and what the kept ones must equal."""
    return _counted(category.tree_id, category.lft, category.rght, with_scheduled=with_scheduled)


def _counted(tree_id: int, lft: int, rght: int, *, with_scheduled: bool = True) -> Figures:
    now = timezone.now()
    totals = {"number": Count("pk"), "total": Coalesce(Sum("price"), Decimal(0), output_field=SUM_FIELD)}
    figures = Figures()
    for with_variants in (False, True):
        products = _sold_below(_links(tree_id, lft, rght), now, with_variants)
        if not with_scheduled:
            products = products.filter(is_scheduled=False)
        figures = figures.plus(Figures(**products.aggregate(**totals)))
    return figures


def _ends(tree_id: int, lft: int, rght: int, *, now: datetime) -> tuple[Decimal | None, Decimal | None]:
    """The lowest and the highest price, from all products of the subtree."""
    values = {"tree_id": tree_id, "lft": lft, "rght": rght, "now": now}
    rows = [*_ENDS.rows(False, **values), *_ENDS.rows(True, **values)]  # noqa: FBT003
    found = [row for row in rows if row[0] is not None]
    return min((row[0] for row in found), default=None), max((row[1] for row in found), default=None)


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
        for pk, *bounds in Category.objects.filter(pk__in=stale).values_list("pk", "tree_id", "lft", "rght"):
            _keep(pk, _counted(*bounds, with_scheduled=False))
        pks = [note[0] for note in notes]
        for start in range(0, len(pks), 1000):
            StatisticsChange.objects.filter(pk__in=pks[start : start + 1000]).delete()
    return len(notes)


def _sellable(products: Any) -> ProductQuerySet:
    """All but groups. Said this way: of "not a group" a prepared plan expects no row where all are of one kind."""
    queryset: ProductQuerySet = products.filter(kind__in=[ProductKind.SIMPLE, ProductKind.VARIANT])
    return queryset


def _sold(now: Any) -> ProductQuerySet:
    """What is sold at a moment, which may be an expression."""
    products = _sellable(Product.objects.filter(published_at(now)))
    return products.filter(Q(parent__isnull=True) | published_at(now, prefix="parent__"))


def _links(tree_id: Any, lft: Any, rght: Any) -> QuerySet[Any, Any]:
    return ProductCategory.objects.filter(category__tree_id=tree_id, category__lft__gte=lft, category__lft__lte=rght)


def _sold_below(links: QuerySet[Any, Any], now: Any, with_variants: bool) -> ProductQuerySet:  # noqa: FBT001
    """Simple products or variants of a subtree, apart: each goes by an index from the links to its rows."""
    linked = links.values("product")
    if with_variants:
        return _sold(now).filter(parent__in=linked)
    return _sold(now).filter(parent__isnull=True, pk__in=linked)


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


def _build_read(p: Any, large: int, near: int) -> QuerySet[Any, Any]:
    """One row: bounds, is it stale, kept, noted and scheduled count and sum, lowest and highest price if near."""
    slug, now = p("slug", Category._meta.get_field("slug")), p("now", Product._meta.get_field("publish_from"))

    def links(product: Any) -> QuerySet[Any, Any]:
        above = [OuterRef(OuterRef(name)) for name in ("tree_id", "lft", "rght")]
        return _links(*above).filter(product=product)

    noted = StatisticsChange.objects.filter(Exists(links(OuterRef("product_id"))))
    listed = Coalesce(OuterRef("parent_id"), OuterRef("pk"))
    scheduled = _sold(now).filter(Exists(links(listed)), is_scheduled=True)

    def total(queryset: QuerySet[Any, Any], field: str, output_field: Any) -> Any:
        summed = Func(F(field), function="SUM", output_field=output_field)
        return Coalesce(
            Subquery(queryset.order_by().annotate(total=summed).values("total")), 0, output_field=output_field
        )

    def end(ordering: str) -> Subquery:
        """The first in this order, if the subtree is large and the row among the first of the whole shop."""
        within = Product.objects.filter(is_active=True).order_by(ordering).values("price")[near : near + 1]
        is_near = Q(price__lte=Subquery(within)) if ordering == "price" else Q(price__gte=Subquery(within))
        is_large = GreaterThanOrEqual(OuterRef("statistics__product_count"), large)
        bounds = {name: OuterRef(OuterRef(OuterRef(name))) for name in ("tree_id", "lft", "rght")}
        found = _sold(now).filter(is_large, is_near, is_linked_below(listed, **bounds))
        return Subquery(found.order_by(ordering).values("price")[:1])

    counted_rows = Func(F("pk"), function="COUNT", output_field=IntegerField())
    stale = StatisticsChange.objects.filter(
        Q(category_id=OuterRef("pk")) | Q(category_id__isnull=True, product_id__isnull=True)
    )
    rows: QuerySet[Any, Any] = (
        Category.objects.order_by()
        .filter(slug=slug)
        .values_list(
            "tree_id",
            "lft",
            "rght",
            Exists(stale),
            Coalesce("statistics__product_count", 0),
            Coalesce("statistics__price_sum", Decimal(0), output_field=SUM_FIELD),
            total(noted, "count_change", IntegerField()),
            total(noted, "sum_change", SUM_FIELD),
            Subquery(scheduled.order_by().annotate(n=counted_rows).values("n")),
            total(scheduled, "price", SUM_FIELD),
            end("price"),
            end("-price"),
        )
    )
    return rows


def _build_ends(p: Any, with_variants: bool) -> QuerySet[Any, Any]:  # noqa: FBT001
    """One row: lowest and highest price of the subtree's simple products, or of its variants."""
    bounds = [p(name, LiteralInteger()) for name in ("tree_id", "lft", "rght")]
    products = _sold_below(_links(*bounds), p("now", Product._meta.get_field("publish_from")), with_variants)
    price = Product._meta.get_field("price")
    ends = [Func(F("price"), function=function, output_field=price) for function in ("MIN", "MAX")]
    rows: QuerySet[Any, Any] = products.order_by().values_list(*ends)
    return rows


_READ = HotQuery(Category, _build_read)
_ENDS = HotQuery(Product, _build_ends)
