"""The stock ledger."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from shop_catalog.managers import StockMovementManager
from shop_catalog.models.product import Product


class MovementKind(models.TextChoices):
    RECEIVE = "receive", _("Received")
    ADJUST = "adjust", _("Adjusted")
    RESERVE = "reserve", _("Reserved")
    RELEASE = "release", _("Released")
    SHIP = "ship", _("Shipped")
    RESTOCK = "restock", _("Restocked")


class Crossing(models.TextChoices):
    """What the available quantity of a product crossed by a movement."""

    LOW = "low", _("Fell below the threshold")
    BACK = "back", _("Rose to the threshold")
    AVAILABLE = "available", _("Rose from zero")
    BOTH = "both", _("Rose from zero to the threshold")


class StockMovement(models.Model):
    """One change of a product's stock. The product's quantities on hand and reserved are the sums of its movements.

    Unique by product, kind and reference, so that nothing is released or shipped twice.
    """

    product = models.ForeignKey(Product, models.CASCADE, related_name="stock_movements", db_index=False)
    kind = models.CharField(_("kind"), max_length=8, choices=MovementKind.choices)
    stock_change = models.IntegerField(_("on hand"), default=0)
    reserved_change = models.IntegerField(_("reserved"), default=0)
    reference = models.CharField(_("reference"), max_length=100)
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("at"), default=timezone.now)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    event_id = models.UUIDField(default=uuid.uuid4, editable=False)
    crossing = models.CharField(
        max_length=9,
        blank=True,
        choices=Crossing.choices,
        help_text=_("Whether the available stock crossed the low-stock threshold, or rose from zero."),
    )
    announced_at = models.DateTimeField(null=True, blank=True, editable=False)

    product_id: int
    created_by_id: Any
    get_kind_display: Callable[[], str]
    get_crossing_display: Callable[[], str]

    objects: ClassVar[StockMovementManager] = StockMovementManager()

    class Meta:
        verbose_name = _("stock movement")
        verbose_name_plural = _("stock movements")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["product", "kind", "reference"], name="shop_catalog_one_movement"),
            models.CheckConstraint(condition=Q(kind__in=MovementKind.values), name="shop_catalog_movement_kind"),
        ]
        indexes = [
            models.Index(fields=["reference"], name="shop_catalog_movement_of"),
            models.Index(fields=["kind", "-id"], name="shop_catalog_movement_by_kind"),
            models.Index(
                fields=["id"],
                name="shop_catalog_unannounced",
                condition=Q(announced_at__isnull=True) & ~Q(crossing=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.reference}"
