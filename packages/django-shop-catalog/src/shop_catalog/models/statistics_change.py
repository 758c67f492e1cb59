"""Changes that are not yet folded into the stored figures of categories."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.utils.translation import gettext_lazy as _


class StatisticsChange(models.Model):
    """A change to fold into the stored figures, written in the transaction of the change.

    With ``product_id`` (a simple product or a group): the difference for every category above it.
    With ``category_id``: that category has to be counted again. With neither: all categories have to be counted again.
    There are no foreign keys, since a change may be folded after its product or category was deleted.
    """

    product_id = models.BigIntegerField(null=True)
    category_id = models.BigIntegerField(null=True)
    count_change = models.IntegerField(default=0)
    sum_change = models.DecimalField(max_digits=18, decimal_places=4, default=Decimal(0))

    class Meta:
        verbose_name = _("statistics change")
        verbose_name_plural = _("statistics changes")

    def __str__(self) -> str:
        return f"{self.product_id or self.category_id}: {self.count_change} / {self.sum_change}"
