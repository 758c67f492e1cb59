"""Prices in a category's subtree."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.utils import timezone

from shop_catalog import money
from shop_catalog.statistics import queries
from shop_catalog.statistics.figures import Figures, count_subtree


@dataclass(frozen=True)
class PriceStatistics:
    """Count and prices of the products in a subtree. Without products the prices are ``None``."""

    count: int
    average: Decimal | None
    lowest: Decimal | None
    highest: Decimal | None


def for_category(slug: str) -> PriceStatistics | None:
    """The figures of a category with its subtree, ``None`` for an unknown slug.

    Takes one statement. Two more read the lowest and the highest price if the subtree is small, or has none of the
    lowest or none of the highest prices of the shop. Two more count a subtree that has to be counted again.
    """
    now = timezone.now()
    row = queries.subtree_figures(slug, now=now)
    if row is None:
        return None
    bounds = (row.tree_id, row.lft, row.rght)
    figures = count_subtree(*bounds) if row.is_stale else Figures(row.number, row.total)
    lowest, highest = row.lowest, row.highest
    if figures.number and (lowest is None or highest is None):
        lowest, highest = queries.price_range(*bounds, now=now)
    if not figures.number or lowest is None or highest is None:
        return PriceStatistics(0, None, None, None)
    return PriceStatistics(
        count=figures.number,
        average=money.quantise(figures.total / figures.number),
        lowest=money.quantise(lowest),
        highest=money.quantise(highest),
    )
