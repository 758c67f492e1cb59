from __future__ import annotations

import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from shop_core.money import as_text

from shop_orders.models.amounts import amount_field
from shop_orders.models.orders import Order

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager

    from shop_orders.models.credits import Credit
    from shop_orders.models.incoming import IncomingPayment


class Payment(models.Model):
    """One attempt to pay an order with one provider."""

    class Status(models.TextChoices):
        STARTED = "started", _("started")
        PENDING = "pending", _("waiting")
        PROCESSING = "processing", _("on its way")
        AUTHORISED = "authorised", _("authorised")
        CAPTURED = "captured", _("captured")
        HELD = "held", _("held for review")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")

    OPEN = (Status.STARTED, Status.PENDING, Status.PROCESSING, Status.AUTHORISED)
    NEEDS_DECISION = Q(status="held") | (Q(status__in=OPEN) & ~Q(error=""))
    """The rows whose ``needs_decision`` is true."""

    public_id = models.UUIDField(_("public id"), default=uuid.uuid4, unique=True, editable=False)
    order = models.ForeignKey(Order, verbose_name=_("order"), on_delete=models.PROTECT, related_name="payments")
    provider = models.CharField(_("provider"), max_length=50)
    status = models.CharField(_("status"), max_length=12, choices=Status, default=Status.STARTED)
    amount = amount_field(_("amount"))
    currency = models.CharField(_("currency"), max_length=3)
    captured_amount = amount_field(_("captured"), default=Decimal(0))
    refunded_amount = amount_field(_("refunded"), default=Decimal(0))
    provider_reference = models.CharField(_("provider's reference"), max_length=255, blank=True)
    receipt = models.CharField(
        _("receipt"),
        max_length=100,
        blank=True,
        help_text=_("The provider's number of the transaction, which the customer sees too."),
    )
    redirect_url = models.TextField(_("payment page"), blank=True)
    instructions = models.TextField(_("instructions"), blank=True)
    error = models.CharField(_("error"), max_length=500, blank=True)
    data = models.JSONField(_("provider's data"), default=dict, blank=True, editable=False)
    request = models.JSONField(
        _("request"), default=dict, blank=True, editable=False, help_text=_("What a repeated start sends again.")
    )
    unknown_starts = models.PositiveSmallIntegerField(_("starts without a known result"), default=0, editable=False)
    refused_starts = models.PositiveSmallIntegerField(_("refused starts"), default=0, editable=False)
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    checks = models.PositiveSmallIntegerField(_("checks"), default=0, editable=False)
    next_check_at = models.DateTimeField(_("next check at"), default=timezone.now, null=True, editable=False)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    order_id: int
    refunds: RelatedManager[Refund]
    inbox: RelatedManager[ProviderEvent]
    incoming: RelatedManager[IncomingPayment]
    get_status_display: Callable[[], str]

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        ordering = ("order", "id")
        constraints = [
            models.UniqueConstraint(
                fields=("provider_reference", "provider"),
                condition=~Q(provider_reference=""),
                name="shop_orders_payment_reference_once",
            ),
            models.UniqueConstraint(
                fields=("receipt", "provider"), condition=~Q(receipt=""), name="shop_orders_payment_receipt_once"
            ),
            models.CheckConstraint(
                condition=Q(
                    status__in=(
                        *("started", "pending", "processing", "authorised"),
                        *("captured", "held", "failed", "cancelled"),
                    )
                ),
                name="shop_orders_payment_status",
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="shop_orders_payment_amount"),
            models.CheckConstraint(
                condition=Q(refunded_amount__gte=0, refunded_amount__lte=F("captured_amount")),
                name="shop_orders_payment_refunded_within_captured",
            ),
        ]
        indexes = [
            models.Index(fields=("status", "-id"), name="shop_orders_payment_by_status"),
            models.Index(
                fields=("next_check_at",),
                condition=Q(next_check_at__isnull=False),
                name="shop_orders_payment_to_check",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {as_text(self.amount, self.currency)} {self.currency}"

    @property
    def is_open(self) -> bool:
        return self.status in self.OPEN

    @property
    def needs_decision(self) -> bool:
        """Whether staff have to enter the amount received: the payment is held, or its state cannot be fetched."""
        return self.status == self.Status.HELD or (self.is_open and bool(self.error))

    @property
    def refundable_amount(self) -> Decimal:
        return self.captured_amount - self.refunded_amount


class Refund(models.Model):
    """A refund. It is stored before the provider is called, so no crash can lose it."""

    class Kind(models.TextChoices):
        REFUND = "refund", _("refund")
        DISPUTE = "dispute", _("dispute")

    class Status(models.TextChoices):
        QUEUED = "queued", _("queued")
        PENDING = "pending", _("waiting")
        SUCCEEDED = "succeeded", _("succeeded")
        FAILED = "failed", _("failed")

    RESERVING = (Status.QUEUED, Status.PENDING, Status.SUCCEEDED)

    public_id = models.UUIDField(_("public id"), default=uuid.uuid4, unique=True, editable=False)
    request_id = models.UUIDField(
        _("request"), default=uuid.uuid4, editable=False, help_text=_("The same for the refunds of one request.")
    )
    payment = models.ForeignKey(Payment, verbose_name=_("payment"), on_delete=models.PROTECT, related_name="refunds")
    kind = models.CharField(
        _("kind"),
        max_length=10,
        choices=Kind,
        default=Kind.REFUND,
        help_text=_("Dispute: the provider took the money back."),
    )
    amount = amount_field(_("amount"))
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.QUEUED)
    provider_reference = models.CharField(_("provider's reference"), max_length=255, blank=True)
    notify = models.BooleanField(_("notify"), default=True)
    is_announced = models.BooleanField(_("announced"), default=False, editable=False)
    is_loss_decided = models.BooleanField(
        _("loss decided"),
        default=False,
        editable=False,
        help_text=_("The dispute was lost, and what the customer owed of it was credited."),
    )
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("by"), on_delete=models.SET_NULL, null=True, related_name="+"
    )
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt at"), default=timezone.now)
    error = models.CharField(_("error"), max_length=500, blank=True)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    payment_id: int
    actor_id: Any
    credits: RelatedManager[Credit]
    get_kind_display: Callable[[], str]
    get_status_display: Callable[[], str]

    class Meta:
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        ordering = ("payment", "id")
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=("queued", "pending", "succeeded", "failed")),
                name="shop_orders_refund_status",
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="shop_orders_refund_amount"),
            models.CheckConstraint(condition=Q(kind__in=("refund", "dispute")), name="shop_orders_refund_kind"),
        ]

    def __str__(self) -> str:
        return f"{as_text(self.amount, self.payment.currency)} {self.status}"


class ProviderEvent(models.Model):
    """An event from a payment provider. The unique constraint ensures that each event is stored once."""

    class Outcome(models.TextChoices):
        RECEIVED = "received", _("received")
        APPLIED = "applied", _("applied")
        IGNORED = "ignored", _("ignored")
        WAITING = "waiting", _("waiting for an earlier event")
        HELD = "held", _("held for review")
        UNMATCHED = "unmatched", _("no such payment")

    provider = models.CharField(_("provider"), max_length=50)
    provider_event_id = models.CharField(_("event id"), max_length=255)
    kind = models.CharField(_("kind"), max_length=30)
    claimed_kind = models.CharField(
        _("claimed kind"),
        max_length=30,
        blank=True,
        help_text=_("The kind before the provider corrected it."),
    )
    is_confirmed = models.BooleanField(_("confirmed"), default=True)
    payment = models.ForeignKey(
        Payment, verbose_name=_("payment"), on_delete=models.PROTECT, null=True, blank=True, related_name="inbox"
    )
    provider_reference = models.CharField(_("provider's reference"), max_length=255, blank=True)
    named_payment = models.CharField(_("our payment id in the event"), max_length=255, blank=True)
    refund_id = models.CharField(_("our refund id in the event"), max_length=255, blank=True)
    refund_reference = models.CharField(_("provider's reference of the refund"), max_length=255, blank=True)
    receipt = models.CharField(_("receipt"), max_length=100, blank=True)
    amount = amount_field(_("amount"), null=True, blank=True)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    data = models.JSONField(_("data"), default=dict, blank=True)
    outcome = models.CharField(_("outcome"), max_length=10, choices=Outcome, default=Outcome.RECEIVED)
    detail = models.CharField(_("detail"), max_length=500, blank=True)
    received_at = models.DateTimeField(_("received at"), default=timezone.now)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt at"), default=timezone.now)

    payment_id: int | None
    get_outcome_display: Callable[[], str]

    class Meta:
        verbose_name = _("provider event")
        verbose_name_plural = _("provider events")
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(fields=("provider_event_id", "provider"), name="shop_orders_inbox_once"),
            models.CheckConstraint(
                condition=Q(outcome__in=("received", "applied", "ignored", "waiting", "held", "unmatched")),
                name="shop_orders_inbox_outcome",
            ),
        ]
        indexes = [
            models.Index(fields=("outcome", "-id"), name="shop_orders_inbox_by_outcome"),
            models.Index(fields=("provider_reference", "provider"), name="shop_orders_inbox_reference"),
            models.Index(
                fields=("next_attempt_at",),
                condition=Q(outcome__in=("received", "waiting", "unmatched")),
                name="shop_orders_inbox_undecided",
            ),
            models.Index(fields=("payment",), condition=Q(outcome="held"), name="shop_orders_inbox_held"),
            models.Index(fields=("refund_id",), condition=~Q(refund_id=""), name="shop_orders_inbox_refund"),
            models.Index(
                fields=("refund_reference",), condition=~Q(refund_reference=""), name="shop_orders_inbox_refunded"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.kind}"
