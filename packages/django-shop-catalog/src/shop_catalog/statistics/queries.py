"""Compiled statements of the price statistics, and the querysets that counting uses too."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import DecimalField, Exists, F, Func, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.db.models.lookups import GreaterThanOrEqual
from shop_core.db.compiled import CompiledQuery, LiteralInteger

from shop_catalog.managers import ProductQuerySet, is_linked_below, published_at
from shop_catalog.models import Category, Product, ProductCategory, ProductKind, StatisticsChange

LARGE_CATEGORY = 500
"""The minimum size of a category whose price range is first searched among the shop's lowest and highest prices."""

EXTREMES = 500
"""The number of the shop's lowest and highest prices to search before all prices of the category are read."""


SUM_FIELD = DecimalField(max_digits=24, decimal_places=4)


class SubtreeFigures(NamedTuple):
    """The stored figures of a category's subtree, and the unfolded and scheduled ones to add.

    ``is_stale``: the subtree has to be counted again. ``lowest`` and ``highest`` are ``None`` if the subtree is small,
    or if they are not among the lowest and highest prices of the whole shop.
    """

    tree_id: int
    lft: int
    rght: int
    is_stale: bool
    stored_count: int
    stored_sum: Decimal
    unfolded_count: int
    unfolded_sum: Decimal
    scheduled_count: int
    scheduled_sum: Decimal
    lowest: Decimal | None
    highest: Decimal | None

    @property
    def number(self) -> int:
        return self.stored_count + self.unfolded_count + self.scheduled_count

    @property
    def total(self) -> Decimal:
        return self.stored_sum + self.unfolded_sum + self.scheduled_sum


class PriceRange(NamedTuple):
    lowest: Decimal | None
    highest: Decimal | None


def subtree_figures(slug: str, *, now: datetime) -> SubtreeFigures | None:
    """The figures of a category with its subtree, ``None`` for an unknown slug. One statement."""
    return _FIGURES.first(LARGE_CATEGORY, EXTREMES, slug=slug, now=now)


def price_range(tree_id: int, lft: int, rght: int, *, now: datetime) -> PriceRange:
    """The lowest and the highest price, from all products of the subtree. Two statements."""
    values = {"tree_id": tree_id, "lft": lft, "rght": rght, "now": now}
    rows = [row for with_variants in (False, True) for row in _RANGE.rows(with_variants, **values)]
    lowest = [row.lowest for row in rows if row.lowest is not None]
    highest = [row.highest for row in rows if row.highest is not None]
    return PriceRange(min(lowest, default=None), max(highest, default=None))


def sellable(products: Any) -> ProductQuerySet:
    """Products that are not groups.

    The filter lists the kinds that are sold instead of excluding groups. If all products are of one kind, the plan of
    a prepared statement with an exclusion would expect no rows.
    """
    queryset: ProductQuerySet = products.filter(kind__in=[ProductKind.SIMPLE, ProductKind.VARIANT])
    return queryset


def _sold(now: Any) -> ProductQuerySet:
    """The products on sale at a moment (a time or an expression)."""
    products = sellable(Product.objects.filter(published_at(now)))
    return products.filter(Q(parent__isnull=True) | published_at(now, prefix="parent__"))


def links_below(tree_id: Any, lft: Any, rght: Any) -> QuerySet[Any, Any]:
    return ProductCategory.objects.filter(category__tree_id=tree_id, category__lft__gte=lft, category__lft__lte=rght)


def sold_below(links: QuerySet[Any, Any], now: Any, with_variants: bool) -> ProductQuerySet:  # noqa: FBT001
    """The simple products or the variants of a subtree. These are two queries, so that each can use an index."""
    linked = links.values("product")
    if with_variants:
        return _sold(now).filter(parent__in=linked)
    return _sold(now).filter(parent__isnull=True, pk__in=linked)


def _build_figures(p: Any, large: int, extremes: int) -> QuerySet[Any, Any]:
    """One row with the columns of ``SubtreeFigures``."""
    slug, now = p("slug", Category._meta.get_field("slug")), p("now", Product._meta.get_field("publish_from"))

    def links(product: Any) -> QuerySet[Any, Any]:
        above = [OuterRef(OuterRef(name)) for name in ("tree_id", "lft", "rght")]
        return links_below(*above).filter(product=product)

    unfolded = StatisticsChange.objects.filter(Exists(links(OuterRef("product_id"))))
    listed = Coalesce(OuterRef("parent_id"), OuterRef("pk"))
    scheduled = _sold(now).filter(Exists(links(listed)), is_scheduled=True)

    def total(queryset: QuerySet[Any, Any], field: str, output_field: Any) -> Any:
        summed = Func(F(field), function="SUM", output_field=output_field)
        return Coalesce(
            Subquery(queryset.order_by().annotate(total=summed).values("total")), 0, output_field=output_field
        )

    def extreme(ordering: str) -> Subquery:
        """The first price in this order; null if the subtree is small, or the price is not among the shop's first."""
        priced = Product.objects.filter(is_active=True, price__isnull=False)
        within = priced.order_by(ordering).values("price")[extremes : extremes + 1]
        is_extreme = Q(price__lte=Subquery(within)) if ordering == "price" else Q(price__gte=Subquery(within))
        is_large = GreaterThanOrEqual(OuterRef("statistics__product_count"), large)
        bounds = {name: OuterRef(OuterRef(OuterRef(name))) for name in ("tree_id", "lft", "rght")}
        found = _sold(now).filter(is_large, is_extreme, is_linked_below(listed, **bounds))
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
            total(unfolded, "count_change", IntegerField()),
            total(unfolded, "sum_change", SUM_FIELD),
            Subquery(scheduled.order_by().annotate(n=counted_rows).values("n")),
            total(scheduled, "price", SUM_FIELD),
            extreme("price"),
            extreme("-price"),
        )
    )
    return rows


def _build_range(p: Any, with_variants: bool) -> QuerySet[Any, Any]:  # noqa: FBT001
    """One row: lowest and highest price of the subtree's simple products, or of its variants."""
    bounds = [p(name, LiteralInteger()) for name in ("tree_id", "lft", "rght")]
    products = sold_below(links_below(*bounds), p("now", Product._meta.get_field("publish_from")), with_variants)
    price = Product._meta.get_field("price")
    ends = [Func(F("price"), function=function, output_field=price) for function in ("MIN", "MAX")]
    rows: QuerySet[Any, Any] = products.order_by().values_list(*ends)
    return rows


_FIGURES = CompiledQuery(Category, _build_figures, row=SubtreeFigures, reads=True)
_RANGE = CompiledQuery(Product, _build_range, row=PriceRange, reads=True)
