from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from shop_core.money import as_text

from shop_orders.models.amounts import amount_field
from shop_orders.models.orders import Order
from shop_orders.models.payments import Refund


class Credit(models.Model):
    """An amount that the customer no longer owes. Negative where the amount is owed again."""

    class Kind(models.TextChoices):
        LINES = "lines", _("goods")
        SHIPPING = "shipping", _("shipping")
        GOODWILL = "goodwill", _("goodwill")
        CANCELLATION = "cancellation", _("order cancelled")
        EXPIRY = "expiry", _("order expired")
        REINSTATEMENT = "reinstatement", _("order reinstated")

    order = models.ForeignKey(Order, verbose_name=_("order"), on_delete=models.CASCADE, related_name="credits")
    amount = amount_field(_("amount"))
    kind = models.CharField(_("kind"), max_length=15, choices=Kind)
    lines = models.JSONField(_("lines"), default=dict, blank=True, help_text=_("The units of each credited product."))
    tax_lines = models.JSONField(_("tax lines"), default=list, blank=True)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("by"), on_delete=models.SET_NULL, null=True, related_name="+"
    )
    refund = models.ForeignKey(
        Refund, verbose_name=_("refund"), on_delete=models.SET_NULL, null=True, blank=True, related_name="credits"
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now)

    order_id: int
    actor_id: Any
    refund_id: int | None
    get_kind_display: Callable[[], str]

    class Meta:
        verbose_name = _("credit")
        verbose_name_plural = _("credits")
        ordering = ("order", "id")
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=("lines", "shipping", "goodwill", "cancellation", "expiry", "reinstatement")),
                name="shop_orders_credit_kind",
            ),
            models.CheckConstraint(
                condition=Q(amount__gt=0) & ~Q(kind="reinstatement")
                | Q(amount__lt=0, kind__in=("reinstatement", "goodwill")),
                name="shop_orders_credit_sign",
            ),
        ]

    def __str__(self) -> str:
        return f"{as_text(self.amount, self.order.currency)} {self.kind}"
