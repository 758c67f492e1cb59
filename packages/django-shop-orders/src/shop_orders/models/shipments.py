from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from shop_orders.models.orders import Order, OrderLine

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager


class Shipment(models.Model):
    """A parcel. An order may be sent in several."""

    public_id = models.UUIDField(_("public id"), default=uuid.uuid4, unique=True, editable=False)
    order = models.ForeignKey(Order, verbose_name=_("order"), on_delete=models.PROTECT, related_name="shipments")
    number = models.CharField(_("number"), max_length=50, unique=True)
    carrier = models.CharField(_("carrier"), max_length=100, blank=True)
    tracking_number = models.CharField(_("tracking number"), max_length=100, blank=True)
    tracking_url = models.CharField(_("tracking page"), max_length=500, blank=True)
    shipped_at = models.DateTimeField(_("shipped at"), default=timezone.now)

    order_id: int
    lines: RelatedManager[ShipmentLine]

    class Meta:
        verbose_name = _("shipment")
        verbose_name_plural = _("shipments")
        ordering = ("order", "id")
        indexes = [models.Index(Upper("tracking_number"), name="shop_orders_shipment_tracking")]

    def __str__(self) -> str:
        return self.number


class ShipmentLine(models.Model):
    """The units of an order line in a parcel."""

    shipment = models.ForeignKey(Shipment, verbose_name=_("shipment"), on_delete=models.CASCADE, related_name="lines")
    order_line = models.ForeignKey(
        OrderLine, verbose_name=_("order line"), on_delete=models.PROTECT, related_name="shipment_lines"
    )
    quantity = models.PositiveIntegerField(_("quantity"))

    shipment_id: int
    order_line_id: int

    class Meta:
        verbose_name = _("shipment line")
        verbose_name_plural = _("shipment lines")
        ordering = ("shipment", "id")
        constraints = [
            models.UniqueConstraint(fields=("shipment", "order_line"), name="shop_orders_shipmentline_once"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="shop_orders_shipmentline_quantity"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.order_line.name}"
