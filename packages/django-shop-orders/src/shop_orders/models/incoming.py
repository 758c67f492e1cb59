from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from shop_orders.models.amounts import amount_field
from shop_orders.models.orders import Order
from shop_orders.models.payments import Payment


class IncomingPayment(models.Model):
    """Money that a customer sent by hand, such as to a paybill or till. ``payment`` is empty until it is recorded.

    The unique constraint ensures that each transaction is stored once.
    """

    class Status(models.TextChoices):
        HELD = "held", _("held for review")
        RECORDED = "recorded", _("recorded")
        DUPLICATE = "duplicate", _("recorded before")
        DISMISSED = "dismissed", _("dismissed")

    class Reason(models.TextChoices):
        UNCONFIRMED = "unconfirmed", _("The provider has not confirmed this transaction.")
        REFUTED = "refuted", _("The provider does not know this transaction, or it was not completed.")
        NO_ORDER = "no_order", _("No order has this number.")
        SEVERAL_ORDERS = "several_orders", _("Several orders could have this number.")
        NOT_PAYABLE = "not_payable", _("The order is cancelled, or nothing is due.")
        OTHER_AMOUNT = "other_amount", _("The amount differs from the amount due.")
        REQUEST_OPEN = "request_open", _("A payment of the order is still open, and this money may belong to it.")
        MAY_BE_RECORDED = "may_be_recorded", _("This money may belong to a payment that is already recorded.")

    public_id = models.UUIDField(_("public id"), default=uuid.uuid4, unique=True, editable=False)
    provider = models.CharField(_("provider"), max_length=50)
    receipt = models.CharField(_("receipt"), max_length=100, help_text=_("The provider's number of the transaction."))
    amount = amount_field(_("amount"))
    currency = models.CharField(_("currency"), max_length=3)
    account = models.CharField(
        _("account"), max_length=100, blank=True, help_text=_("The order's number as the customer typed it.")
    )
    payer_name = models.CharField(_("name"), max_length=300, blank=True)
    payer_phone = models.CharField(
        _("phone"), max_length=100, blank=True, help_text=_("Often masked by the provider.")
    )
    paid_at = models.DateTimeField(_("paid at"), null=True, blank=True)
    is_confirmed = models.BooleanField(_("confirmed"), default=False)
    order = models.ForeignKey(
        Order,
        verbose_name=_("order"),
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="incoming_payments",
        help_text=_("The order that the account names."),
    )
    payment = models.ForeignKey(
        Payment, verbose_name=_("payment"), on_delete=models.PROTECT, null=True, blank=True, related_name="incoming"
    )
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.HELD)
    reason = models.CharField(_("reason"), max_length=20, choices=Reason, blank=True)
    comment = models.CharField(_("comment"), max_length=500, blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("by"),
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt at"), default=timezone.now)
    received_at = models.DateTimeField(_("received at"), default=timezone.now)

    order_id: int | None
    payment_id: int | None
    actor_id: Any
    get_status_display: Callable[[], str]
    get_reason_display: Callable[[], str]

    class Meta:
        verbose_name = _("incoming payment")
        verbose_name_plural = _("incoming payments")
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(fields=("provider", "receipt"), name="shop_orders_incoming_once"),
            models.CheckConstraint(
                condition=Q(status__in=("held", "recorded", "duplicate", "dismissed")),
                name="shop_orders_incoming_status",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=("recorded", "duplicate")) | Q(payment__isnull=False),
                name="shop_orders_incoming_has_payment",
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="shop_orders_incoming_amount"),
        ]
        indexes = [
            models.Index(fields=("status", "-id"), name="shop_orders_incoming_status"),
            models.Index(fields=("received_at",), name="shop_orders_incoming_received"),
            models.Index(fields=("next_attempt_at",), condition=Q(status="held"), name="shop_orders_incoming_held"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.receipt}"
