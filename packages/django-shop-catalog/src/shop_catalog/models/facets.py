"""The tables by which lists are filtered and counted: see ``shop_catalog.facets``."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from shop_catalog.models.numbers import NumbersField, NumbersIndex
from shop_catalog.models.product import Product


class ProductTerms(models.Model):
    """The terms and facets of a simple product or a group, with those of its variants.

    ``terms`` are the numbers that filters look for, ``facets`` those that are counted. ``is_counted``: the product is
    in the stored counts; ``changes_at`` is the next moment at which its publication changes that.
    """

    product = models.OneToOneField(Product, models.CASCADE, primary_key=True, related_name="listing_terms")
    terms = NumbersField(default=list)
    facets = NumbersField(default=list)
    is_counted = models.BooleanField(default=False)
    changes_at = models.DateTimeField(null=True)

    product_id: int

    class Meta:
        verbose_name = _("terms of a product")
        verbose_name_plural = _("terms of products")
        indexes = [
            NumbersIndex(fields=["terms"], name="shop_catalog_terms"),
            models.Index(
                fields=["changes_at"], name="shop_catalog_terms_due", condition=models.Q(changes_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return str(self.product_id)


class FacetValue(models.Model):
    """A value of a counted attribute, found by ``key``, its term.

    A row whose ``value`` is null stands for all values of the attribute beyond the limit. ``is_complete`` is false
    while the products are counted again, since the attribute is newly counted or unused values were deleted.

    Rows are only inserted and deleted, so that no writer waits for another one: a value may have several.
    """

    key = models.BigIntegerField(db_index=True)
    name = models.TextField(_("name"))
    value = models.TextField(_("value"), null=True)
    is_complete = models.BooleanField(default=True)

    class Meta:
        verbose_name = _("facet value")
        verbose_name_plural = _("facet values")

    def __str__(self) -> str:
        return f"{self.name}: {self.value}"


class FacetCount(models.Model):
    """The number of products with a facet in a category's subtree, or in the whole shop (category 0).

    Only exact after adding the ``FacetChange`` rows and the products that are due.
    """

    category_id = models.BigIntegerField()
    facet = models.BigIntegerField()
    number = models.BigIntegerField(default=0)

    class Meta:
        verbose_name = _("facet count")
        verbose_name_plural = _("facet counts")
        constraints = [
            models.UniqueConstraint(fields=["category_id", "facet"], name="shop_catalog_one_facet_count"),
        ]

    def __str__(self) -> str:
        return f"{self.category_id}, {self.facet}: {self.number}"
