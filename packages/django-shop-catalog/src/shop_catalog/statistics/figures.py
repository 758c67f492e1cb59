"""Figures of products: how many, and the sum of their prices."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from django.db.models import Count, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from shop_catalog.models import Category
from shop_catalog.statistics.queries import SUM_FIELD, links_below, sold_below


class Figures(NamedTuple):
    """The number of sellable products, and the sum of their prices."""

    number: int = 0
    total: Decimal = Decimal(0)

    def minus(self, other: Figures) -> Figures:
        return Figures(self.number - other.number, self.total - other.total)

    def plus(self, other: Figures) -> Figures:
        return Figures(self.number + other.number, self.total + other.total)


def count_category(category: Category, *, with_scheduled: bool = True) -> Figures:
    """Count the figures from the products, which is slow. The stored figures must be equal to the result."""
    return count_subtree(category.tree_id, category.lft, category.rght, with_scheduled=with_scheduled)


def count_subtree(tree_id: int, lft: int, rght: int, *, with_scheduled: bool = True) -> Figures:
    now = timezone.now()
    totals = {"number": Count("pk"), "total": Coalesce(Sum("price"), Decimal(0), output_field=SUM_FIELD)}
    figures = Figures()
    for with_variants in (False, True):
        products = sold_below(links_below(tree_id, lft, rght), now, with_variants)
        if not with_scheduled:
            products = products.filter(is_scheduled=False)
        figures = figures.plus(Figures(**products.aggregate(**totals)))
    return figures
