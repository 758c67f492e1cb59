"""Stored figures of category subtrees."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.utils.translation import gettext_lazy as _

from shop_catalog.models.category import Category


class CategoryStatistics(models.Model):
    """Count and price sum of the sellable products in a category's subtree, each product once.

    Only exact after adding the ``StatisticsChange`` rows and the scheduled products: see ``statistics``.
    """

    category = models.OneToOneField(Category, models.CASCADE, primary_key=True, related_name="statistics")
    product_count = models.BigIntegerField(default=0)
    price_sum = models.DecimalField(max_digits=24, decimal_places=4, default=Decimal(0))

    category_id: int

    class Meta:
        verbose_name = _("category statistics")
        verbose_name_plural = _("category statistics")

    def __str__(self) -> str:
        return f"{self.category_id}: {self.product_count}"
