"""Changes that are not yet folded into the stored counts of facets."""

from __future__ import annotations

import secrets

from django.db import models
from django.utils.translation import gettext_lazy as _

from shop_catalog.models.numbers import NumbersField


def random_number() -> int:
    return secrets.randbits(31)


class FacetChange(models.Model):
    """A change to fold into the stored counts, written in the transaction of the change.

    The facets ``added`` and ``removed`` count for ``categories``, all categories above them, and the whole shop.
    With ``category_id``: that category has to be counted again.

    The version of the counts is a sum of these ``random`` numbers. A counter would not do: after a rollback, the next
    change would get the same version, and find the counts that were cached in the transaction that was rolled back.
    """

    category_id = models.BigIntegerField(null=True)
    categories = NumbersField(default=list)
    added = NumbersField(default=list)
    removed = NumbersField(default=list)
    random = models.BigIntegerField(default=random_number)

    class Meta:
        verbose_name = _("facet change")
        verbose_name_plural = _("facet changes")
        indexes = [
            models.Index(
                fields=["category_id"],
                name="shop_catalog_facet_recounts",
                condition=models.Q(category_id__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.category_id or self.categories}: +{self.added} -{self.removed}"
