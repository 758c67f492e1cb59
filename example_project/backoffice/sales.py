"""Sales figures. Cancelled orders are not counted; refunds are not subtracted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from django.db.models import Count, Q, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone
from shop_catalog import categories
from shop_catalog.models import Category, Product, ProductCategory
from shop_core.money import quantise
from shop_orders.models import Order, OrderLine, OrderStatus

OPEN = (OrderStatus.PENDING, OrderStatus.CONFIRMED, OrderStatus.PROCESSING)
"""Statuses of orders that wait for the shop's staff."""
NO_CATEGORY = "-"


@dataclass(frozen=True)
class Period:
    """A range of days in the shop's time zone, including the last one."""

    first: date
    last: date

    @classmethod
    def of_days(cls, count: int) -> Period:
        """Today and the days before it, ``count`` in all."""
        today = timezone.localdate()
        return cls(today - timedelta(days=count - 1), today)

    @property
    def start(self) -> datetime:
        return _midnight(self.first)

    @property
    def end(self) -> datetime:
        """The exclusive end."""
        return _midnight(self.last + timedelta(days=1))

    def days(self) -> list[date]:
        return [self.first + timedelta(days=number) for number in range((self.last - self.first).days + 1)]


@dataclass(frozen=True, kw_only=True)
class Day:
    day: date
    total: Decimal
    orders: int


@dataclass(frozen=True, kw_only=True)
class CategorySales:
    """The sales of a top category with all its subcategories; ``slug`` is NO_CATEGORY for products without one."""

    slug: str
    name: str
    total: Decimal


def counted(period: Period) -> Q:
    """The condition for orders that count as sales of a period."""
    return Q(placed_at__gte=period.start, placed_at__lt=period.end) & ~Q(status=OrderStatus.CANCELLED)


def by_day(period: Period) -> dict[str, list[Day]]:
    """``{currency: every day of the period}``: the totals of its orders, with delivery and tax. One query."""
    rows = (
        Order.objects.filter(counted(period))
        .order_by()
        .values("currency", day=TruncDate("placed_at"))
        .annotate(sum=Sum("total"), count=Count("pk"))
    )
    found: defaultdict[str, dict[date, Day]] = defaultdict(dict)
    for row in rows:
        total = quantise(row["sum"], row["currency"])
        found[row["currency"]][row["day"]] = Day(day=row["day"], total=total, orders=row["count"])
    return {
        currency: [days.get(day, Day(day=day, total=Decimal(0), orders=0)) for day in period.days()]
        for currency, days in found.items()
    }


def by_category(period: Period) -> dict[str, list[CategorySales]]:
    """``{currency: top categories, best first}``: the line totals of their products, without delivery.

    A product in several top categories is counted in each. Always three queries and the tree.
    """
    condition = Q(order__in=Order.objects.filter(counted(period)).order_by().values("pk"))
    lines = OrderLine.objects.filter(condition).order_by().values("order__currency", "product_ref")
    slugs = _categories_of(OrderLine.objects.filter(condition).order_by().values("product_ref"))
    sums: defaultdict[str, defaultdict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for row in lines.annotate(sum=Sum("line_total")):
        for slug in slugs.get(row["product_ref"], {NO_CATEGORY}):
            sums[row["order__currency"]][slug] += quantise(row["sum"], row["order__currency"])
    by_slug = categories.current_tree().by_slug
    return {
        currency: sorted(
            (
                CategorySales(slug=slug, name=by_slug[slug].name if slug in by_slug else "", total=total)
                for slug, total in totals.items()
            ),
            key=lambda category: (-category.total, category.name),
        )
        for currency, totals in sums.items()
    }


def by_status(period: Period) -> dict[str, int]:
    """The number of orders of a period by status, including cancelled ones, in the order of the life cycle."""
    rows = Order.objects.filter(placed_at__gte=period.start, placed_at__lt=period.end).order_by().values("status")
    counts = {row["status"]: row["count"] for row in rows.annotate(count=Count("pk"))}
    return {status.value: counts.get(status.value, 0) for status in OrderStatus}


def open_orders() -> dict[str, int]:
    """The number of open orders of any age: ``{status: count}`` of OPEN."""
    rows = Order.objects.filter(status__in=OPEN).order_by().values("status").annotate(count=Count("pk"))
    counts = {row["status"]: row["count"] for row in rows}
    return {status.value: counts.get(status.value, 0) for status in OPEN}


def lines_in_category(slug: str) -> Q:
    """The condition for order lines of a top category, as ``by_category`` counts them."""
    if slug == NO_CATEGORY:
        return ~_in_any_category()
    category = Category.objects.filter(slug=slug).first()
    if category is None:
        return Q(pk__in=())
    return Q(product_ref__in=Product.objects.in_subtree(category).order_by().values("sku"))


def _in_any_category() -> Q:
    linked = Product.objects.filter(Q(categories__isnull=False) | Q(parent__categories__isnull=False))
    return Q(product_ref__in=linked.order_by().values("sku"))


def _categories_of(refs: Iterable[object]) -> dict[str, set[str]]:
    """``{SKU: slugs of the top categories}``; a variant has the categories of its group too."""
    tree = categories.current_tree()
    found: defaultdict[str, set[str]] = defaultdict(set)
    for path in ("product", "product__variants"):
        links = ProductCategory.objects.filter(**{f"{path}__sku__in": refs}).order_by()
        for sku, category_id in links.values_list(f"{path}__sku", "category_id"):
            found[sku] |= {node.slug for node in tree.path(category_id)[:1]}
    return found


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=timezone.get_current_timezone())
