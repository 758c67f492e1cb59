from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from shop_orders import emails
from shop_orders.models.carts import Cart
from shop_orders.models.customers import EmailKeyField


class CartReminder(models.Model):
    """The consent to be reminded of a cart that is left unordered, and whether ``cart_abandoned`` was sent for it."""

    cart = models.OneToOneField(Cart, verbose_name=_("cart"), on_delete=models.CASCADE, related_name="reminder")
    email = emails.EmailModelField(_("e-mail address"), max_length=254)
    email_key = EmailKeyField(_("e-mail address, to compare"), max_length=320, blank=True, db_index=True)
    language = models.CharField(_("language"), max_length=20, blank=True)
    agreed_at = models.DateTimeField(_("agreed at"), default=timezone.now)
    event_id = models.UUIDField(_("event id"), default=uuid.uuid4, unique=True, editable=False)
    announced_at = models.DateTimeField(_("announced at"), null=True, blank=True, editable=False)
    attempts = models.PositiveIntegerField(_("attempts"), default=0, editable=False)
    next_attempt_at = models.DateTimeField(_("next attempt at"), default=timezone.now, editable=False)

    cart_id: int

    class Meta:
        verbose_name = _("cart reminder")
        verbose_name_plural = _("cart reminders")
        ordering = ("-id",)
        indexes = [
            models.Index(
                fields=("next_attempt_at",), condition=Q(announced_at=None), name="shop_orders_reminder_waiting"
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class RemindedAddress(models.Model):
    """An address that gets no further reminder until its pause ends. It is stored as a hash, and apart from the cart,
    since the person who entered the address can change or delete the cart."""

    address_hash = models.CharField(_("hash of the address"), max_length=64, unique=True)
    event_id = models.UUIDField(_("event id"))
    reminded_at = models.DateTimeField(_("reminded at"), db_index=True)

    class Meta:
        verbose_name = _("reminded address")
        verbose_name_plural = _("reminded addresses")

    def __str__(self) -> str:
        return f"#{self.pk}"
