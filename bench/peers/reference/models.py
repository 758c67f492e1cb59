"""The lines of a cart in our table, with a foreign key to the product, as such a shop has."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from django.db import models
from shop_catalog.models import Product
from shop_orders.models import Cart


class CartLine(models.Model):
    objects: ClassVar[models.Manager[CartLine]] = models.Manager()

    cart = models.ForeignKey(Cart, models.CASCADE, related_name="lines")
    product = models.ForeignKey(
        Product, models.CASCADE, to_field="sku", db_column="product_ref", db_constraint=False, related_name="+"
    )
    quantity = models.PositiveIntegerField()
    name = models.CharField(max_length=500)
    price_when_added = models.DecimalField(max_digits=14, decimal_places=4)
    added_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        managed = False
        db_table = "shop_orders_cartitem"
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.name}"

    @property
    def line_total(self) -> Decimal:
        return Decimal(self.product.price * self.quantity)


def lines_of(cart: Cart) -> models.QuerySet[CartLine]:
    """The lines of a cart; prefetched ones are not fetched again."""
    lines: models.QuerySet[CartLine] = cart.lines.all()  # type: ignore[attr-defined]  # mypy sees the example's apps
    return lines
