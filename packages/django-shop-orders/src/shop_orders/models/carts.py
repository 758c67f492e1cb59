from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from shop_orders.managers import CartManager
from shop_orders.models import options as line_options
from shop_orders.models.customers import Customer

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager

    from shop_orders.models.orders import Order
    from shop_orders.models.reminders import CartReminder


class Cart(models.Model):
    """Products that a customer or guest is about to order. A guest's cart is found by a token, stored as a hash."""

    class Status(models.TextChoices):
        OPEN = "open", _("open")
        ORDERED = "ordered", _("ordered")
        MERGED = "merged", _("merged")

    public_id = models.UUIDField(_("public id"), default=uuid.uuid4, unique=True, editable=False)
    customer = models.ForeignKey(
        Customer, verbose_name=_("customer"), on_delete=models.CASCADE, null=True, blank=True, related_name="carts"
    )
    token_hash = models.CharField(_("token hash"), max_length=64, null=True, blank=True, unique=True, editable=False)
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.OPEN)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    customer_id: int | None
    items: RelatedManager[CartItem]
    order: Order
    reminder: CartReminder
    get_status_display: Callable[[], str]

    objects: ClassVar[CartManager] = CartManager()

    class Meta:
        verbose_name = _("cart")
        verbose_name_plural = _("carts")
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(
                fields=("customer",), condition=models.Q(status="open"), name="shop_orders_cart_one_open"
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=("open", "ordered", "merged")), name="shop_orders_cart_status"
            ),
            models.CheckConstraint(
                condition=models.Q(customer__isnull=False) | models.Q(token_hash__isnull=False),
                name="shop_orders_cart_has_owner",
            ),
        ]
        indexes = [
            models.Index(fields=("updated_at",), condition=models.Q(status="open"), name="shop_orders_cart_stale"),
        ]

    def __str__(self) -> str:
        return str(self.public_id)

    @property
    def is_open(self) -> bool:
        return self.status == self.Status.OPEN


class CartItem(models.Model):
    """A line of a cart: a product with its options, and with its name and price when it was added."""

    cart = models.ForeignKey(Cart, verbose_name=_("cart"), on_delete=models.CASCADE, related_name="items")
    product_ref = models.CharField(_("product"), max_length=200)
    quantity = models.PositiveIntegerField(_("quantity"))
    name = models.CharField(_("name when added"), max_length=500)
    price_when_added = models.DecimalField(_("price when added"), max_digits=14, decimal_places=4)
    options = models.JSONField(_("options"), default=dict, blank=True)
    options_digest = models.CharField(_("digest of the options"), max_length=64, blank=True, editable=False)
    added_at = models.DateTimeField(_("added at"), auto_now_add=True)

    cart_id: int

    class Meta:
        verbose_name = _("cart item")
        verbose_name_plural = _("cart items")
        ordering = ("id",)
        constraints = [
            models.UniqueConstraint(
                fields=("cart", "product_ref", "options_digest"), name="shop_orders_cartitem_once"
            ),
            models.CheckConstraint(condition=models.Q(quantity__gt=0), name="shop_orders_cartitem_quantity"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.name}"

    @property
    def line(self) -> str:
        """Its public id, which the API uses."""
        return line_options.line_id(self.product_ref, self.options_digest)

    @property
    def options_text(self) -> str:
        """Its options on one line; "" if it has none."""
        return line_options.as_text(self.options)
