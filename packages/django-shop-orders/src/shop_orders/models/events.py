from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from shop_orders.managers import OrderEventManager
from shop_orders.models.orders import Order


class OrderEvent(models.Model):
    """An event of an order's timeline, which is also the outbox of its signals."""

    event_id = models.UUIDField(_("event id"), default=uuid.uuid4, unique=True, editable=False)
    order = models.ForeignKey(Order, verbose_name=_("order"), on_delete=models.CASCADE, related_name="events")
    kind = models.CharField(_("kind"), max_length=30)
    is_public = models.BooleanField(_("public"), default=True, help_text=_("Visible to the customer."))
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("by"),
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    message = models.TextField(_("message"), blank=True)
    old_status = models.CharField(_("from"), max_length=15, blank=True)
    new_status = models.CharField(_("to"), max_length=15, blank=True)
    reference = models.CharField(
        _("reference"),
        max_length=200,
        null=True,
        blank=True,
        help_text=_("An event with this reference is recorded once per order."),
    )
    signal = models.CharField(_("signal"), max_length=50, blank=True, editable=False)
    payload = models.JSONField(_("payload"), default=dict, editable=False)
    created_at = models.DateTimeField(_("at"), default=timezone.now)
    announced_at = models.DateTimeField(_("announced at"), null=True, blank=True, editable=False)
    attempts = models.PositiveIntegerField(_("attempts"), default=0, editable=False)
    next_attempt_at = models.DateTimeField(_("next attempt at"), default=timezone.now, editable=False)
    last_error = models.CharField(_("last error"), max_length=500, blank=True, editable=False)

    order_id: int
    actor_id: Any

    objects: ClassVar[OrderEventManager] = OrderEventManager()

    class Meta:
        verbose_name = _("order event")
        verbose_name_plural = _("order events")
        ordering = ("order", "id")
        constraints = [
            models.UniqueConstraint(fields=("order", "reference"), name="shop_orders_event_reference_once"),
        ]
        indexes = [
            models.Index(
                fields=("next_attempt_at", "id"),
                condition=Q(announced_at=None) & ~Q(signal=""),
                name="shop_orders_event_waiting",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.order_id} {self.kind}"

    @property
    def is_waiting(self) -> bool:
        """Whether the event has a signal that at least one receiver has not accepted yet."""
        return bool(self.signal) and self.announced_at is None
