"""The tables: notifications of the outbox, attempts, reports, preferences, templates, counts, workers."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from shop_notify.managers import NotificationManager, SetupProblemManager

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager

    from shop_notify.managers import RelatedNotifications


class State(models.TextChoices):
    """The state of a notification. Delivery reports change it only as ``FORWARD`` allows."""

    QUEUED = "queued", _("queued")
    SENDING = "sending", _("sending")
    SENT = "sent", _("sent")
    DELIVERED = "delivered", _("delivered")
    READ = "read", _("read")
    UNKNOWN = "unknown", _("outcome unknown")
    FAILED = "failed", _("refused")
    DEAD = "dead", _("given up")
    SKIPPED = "skipped", _("not sent")


FORWARD: Mapping[str, frozenset[str]] = {
    State.SENDING: frozenset({State.SENT, State.DELIVERED, State.READ, State.FAILED}),
    State.SENT: frozenset({State.DELIVERED, State.READ, State.FAILED}),
    State.UNKNOWN: frozenset({State.SENT, State.DELIVERED, State.READ, State.FAILED}),
    State.DELIVERED: frozenset({State.READ}),
    # It arrived after it was considered failed: a phone was off, or the reports came in the wrong order.
    State.FAILED: frozenset({State.DELIVERED, State.READ}),
    State.DEAD: frozenset({State.DELIVERED, State.READ}),
}
"""The changes that a delivery report may make: ``{state: new states}``."""


class Notification(models.Model):
    """One message to one address by one notifier: the outbox row, and its history."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    event_id = models.CharField(max_length=100)
    event = models.CharField(max_length=100)
    alias = models.CharField(max_length=50)
    channel = models.CharField(max_length=30)
    address = models.CharField(max_length=500)
    audience = models.CharField(max_length=100, blank=True, help_text=_("Key of the recipient in the route."))
    recipient_key = models.CharField(max_length=100, blank=True)
    recipient_name = models.CharField(max_length=200, blank=True)
    language = models.CharField(max_length=20, blank=True)
    group = models.CharField(
        max_length=50, blank=True, help_text=_("Event group that can be muted; empty: transactional.")
    )
    reference = models.CharField(max_length=100, blank=True, db_index=True)
    context = models.JSONField(default=dict)

    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    priority = models.PositiveSmallIntegerField(default=5, help_text=_("1 is sent first, 9 last."))
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now, help_text=_("While it is being sent, the end of its lease."))
    expires_at = models.DateTimeField(null=True, blank=True)
    lease = models.UUIDField(null=True, blank=True, editable=False)
    metered_at = models.DateTimeField(
        null=True, blank=True, help_text=_("When it was counted against the SMS limits.")
    )
    last_error = models.CharField(max_length=500, blank=True)

    provider_id = models.CharField(max_length=200, blank=True)
    segments = models.PositiveSmallIntegerField(null=True, blank=True)
    cost = models.DecimalField(max_digits=12, decimal_places=4, null=True, blank=True)
    cost_currency = models.CharField(max_length=3, blank=True)
    subject = models.CharField(max_length=500, blank=True, help_text=_("As it was sent."))
    text = models.TextField(blank=True, help_text=_("As it was sent."))
    html = models.TextField(blank=True, help_text=_("As it was sent."))

    fallback = models.JSONField(
        default=dict, blank=True, help_text=_("Alias, channel and address to use if this one fails.")
    )
    fallback_at = models.DateTimeField(
        null=True, blank=True, help_text=_("When the fallback starts, unless the message is delivered before.")
    )
    origin = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="successors")

    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)

    origin_id: int | None
    successors: RelatedNotifications
    attempt_log: RelatedManager[Attempt]
    reports: RelatedManager[DeliveryReport]
    get_state_display: Callable[[], str]

    objects: ClassVar[NotificationManager] = NotificationManager()

    class Meta:
        verbose_name = _("notification")
        verbose_name_plural = _("notifications")
        permissions = [("resend_notification", _("Can send a notification again"))]
        constraints = [
            models.UniqueConstraint(fields=["event_id", "event", "alias", "address"], name="shop_notify_written_once"),
            models.CheckConstraint(condition=Q(state__in=State.values), name="shop_notify_state_known"),
            models.CheckConstraint(condition=Q(priority__range=(1, 9)), name="shop_notify_priority_range"),
            models.CheckConstraint(condition=~Q(address=""), name="shop_notify_address_given"),
        ]
        indexes = [
            models.Index(
                fields=["priority", "due_at", "id"],
                name="shop_notify_due",
                condition=Q(state__in=("queued", "sending")),
            ),
            models.Index(fields=["fallback_at"], name="shop_notify_fallback", condition=Q(fallback_at__isnull=False)),
            models.Index(fields=["provider_id", "alias"], name="shop_notify_provider"),
            models.Index(Upper("address"), name="shop_notify_address"),
            models.Index(
                fields=["state", "-created_at"],
                name="shop_notify_not_sent",
                condition=Q(state__in=("failed", "dead", "unknown", "skipped")),
            ),
            models.Index(fields=["recipient_key", "-created_at"], name="shop_notify_recipient"),
            models.Index(fields=["-created_at", "-id"], name="shop_notify_newest"),
            models.Index(fields=["alias"], name="shop_notify_health", condition=Q(state__in=("dead", "unknown"))),
        ]

    def __str__(self) -> str:
        return f"{self.event} ({self.alias}, {self.get_state_display()})"

    @property
    def is_transactional(self) -> bool:
        return not self.group

    def falls_back_before(self, when: datetime) -> bool:
        """Whether its fallback is due before ``when``."""
        return bool(self.fallback) and when > self.created_at + timedelta(minutes=self.fallback["after_minutes"])

    def summary(self) -> dict[str, Any]:
        """Plain values for signals and hooks, without address and text."""
        return {
            "version": 1,
            "id": str(self.public_id),
            "event": self.event,
            "event_id": self.event_id,
            "alias": self.alias,
            "channel": self.channel,
            "state": self.state,
            "reference": self.reference,
            "recipient_key": self.recipient_key,
        }


class Attempt(models.Model):
    """One attempt to send, inserted when it has ended. A gap in the numbers: a worker died or lost the database."""

    class Outcome(models.TextChoices):
        ACCEPTED = "accepted", _("accepted")
        TEMPORARY = "temporary", _("to be tried again")
        PERMANENT = "permanent", _("refused")
        SETUP = "setup", _("set-up refused")
        UNKNOWN = "unknown", _("outcome unknown")

    notification = models.ForeignKey(Notification, on_delete=models.CASCADE, related_name="attempt_log")
    number = models.PositiveSmallIntegerField()
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    provider_code = models.CharField(max_length=50, blank=True)
    detail = models.CharField(max_length=500, blank=True, help_text=_("Masked."))
    response = models.JSONField(default=dict, blank=True, help_text=_("The provider's response, masked."))

    notification_id: int
    get_outcome_display: Callable[[], str]

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        ordering = ["id"]
        indexes = [models.Index(fields=["finished_at"], name="shop_notify_attempt_finished")]

    def __str__(self) -> str:
        return f"{self.number}: {self.outcome}"


class DeliveryReport(models.Model):
    """A provider's report about a message. A duplicate is not stored; an early one waits for its notification."""

    notification = models.ForeignKey(
        Notification, on_delete=models.CASCADE, null=True, blank=True, related_name="reports"
    )
    alias = models.CharField(max_length=50)
    provider_id = models.CharField(max_length=200)
    status = models.CharField(max_length=50, help_text=_("The provider's status."))
    state = models.CharField(max_length=10, choices=State.choices, help_text=_("The state that this status means."))
    address = models.CharField(max_length=500, blank=True)
    detail = models.CharField(max_length=500, blank=True)
    received_at = models.DateTimeField(default=timezone.now)

    notification_id: int | None
    get_state_display: Callable[[], str]

    class Meta:
        verbose_name = _("delivery report")
        verbose_name_plural = _("delivery reports")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["alias", "provider_id", "status", "address"], name="shop_notify_reported_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.alias}: {self.status}"


class Preference(models.Model):
    """Whether a recipient wants one event group by one notifier. Without a row the recipient gets it."""

    recipient_key = models.CharField(max_length=100)
    group = models.CharField(max_length=50)
    alias = models.CharField(max_length=50)
    is_enabled = models.BooleanField(default=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("preference")
        verbose_name_plural = _("preferences")
        constraints = [
            models.UniqueConstraint(fields=["recipient_key", "group", "alias"], name="shop_notify_one_preference")
        ]

    def __str__(self) -> str:
        return f"{self.group} ({self.alias})"


class Suppression(models.Model):
    """An address to which messages are no longer sent."""

    class Reason(models.TextChoices):
        BOUNCE = "bounce", _("bounced")
        COMPLAINT = "complaint", _("complained")
        STOP = "stop", _("opted out")
        GONE = "gone", _("endpoint is gone")
        STAFF = "staff", _("entered by staff")

    channel = models.CharField(max_length=30)
    address = models.CharField(max_length=500)
    reason = models.CharField(max_length=10, choices=Reason.choices)
    note = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    get_reason_display: Callable[[], str]

    class Meta:
        verbose_name = _("suppressed address")
        verbose_name_plural = _("suppressed addresses")
        constraints = [models.UniqueConstraint(fields=["channel", "address"], name="shop_notify_suppressed_once")]

    def __str__(self) -> str:
        return f"{self.channel}: {self.reason}"


class TemplateOverride(models.Model):
    """A template written in the admin. Empty parts are taken from the files, but not the HTML if the text is given."""

    event = models.CharField(max_length=100)
    channel = models.CharField(max_length=30)
    audience = models.CharField(max_length=100, blank=True, help_text=_("Such as admins. Empty: all audiences."))
    language = models.CharField(max_length=20, blank=True, help_text=_("Empty: every language."))
    subject = models.CharField(max_length=300, blank=True)
    text = models.TextField(blank=True)
    html = models.TextField(blank=True)
    is_active = models.BooleanField(default=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("template")
        verbose_name_plural = _("templates")
        constraints = [
            models.UniqueConstraint(
                fields=["event", "channel", "audience", "language"], name="shop_notify_one_template"
            )
        ]

    def __str__(self) -> str:
        return f"{self.event}, {self.channel} {self.language}".rstrip()


class SendCount(models.Model):
    """The number of paid messages that started in one period, for the limits. Pruned with the notifications."""

    key = models.CharField(max_length=120, help_text=_("Hash of the phone, recipient key or visitor, or “all”."))
    seconds = models.PositiveIntegerField()
    starts_at = models.DateTimeField()
    used = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = _("send count")
        verbose_name_plural = _("send counts")
        constraints = [models.UniqueConstraint(fields=["key", "seconds", "starts_at"], name="shop_notify_one_count")]

    def __str__(self) -> str:
        return f"{self.used} in {self.seconds} s"


class Worker(models.Model):
    """A process or thread that is delivering. One alias never occupies more than half of them."""

    host = models.CharField(max_length=100)
    pid = models.PositiveIntegerField()
    alias = models.CharField(max_length=50, blank=True)
    started_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("worker")
        verbose_name_plural = _("workers")

    def __str__(self) -> str:
        return self.alias or str(_("idle"))


class JobRun(models.Model):
    """When a periodic job last ran."""

    name = models.CharField(max_length=100, unique=True)
    last_started_at = models.DateTimeField(null=True, blank=True)
    last_finished_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=500, blank=True)

    class Meta:
        verbose_name = _("job run")
        verbose_name_plural = _("job runs")

    def __str__(self) -> str:
        return self.name


class SetupProblem(models.Model):
    """The last time that a provider refused the set-up of an alias. Until it ends, the alias's messages wait."""

    alias = models.CharField(max_length=50, unique=True)
    error = models.CharField(max_length=500, help_text=_("Masked."))
    began_at = models.DateTimeField()
    retry_at = models.DateTimeField(help_text=_("When the next message is tried."))
    ended_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[SetupProblemManager] = SetupProblemManager()

    class Meta:
        verbose_name = _("problem of a set-up")
        verbose_name_plural = _("problems of set-ups")
        indexes = [models.Index(fields=["alias"], name="shop_notify_setup_open", condition=Q(ended_at=None))]

    def __str__(self) -> str:
        return self.alias


class AccountBalance(models.Model):
    """The last known balance of an alias's account at its provider."""

    alias = models.CharField(max_length=50, unique=True)
    amount = models.DecimalField(max_digits=16, decimal_places=4)
    currency = models.CharField(max_length=3, blank=True)
    checked_at = models.DateTimeField()
    low_since = models.DateTimeField(null=True, blank=True, help_text=_("Since when it is below the limit."))

    class Meta:
        verbose_name = _("account balance")
        verbose_name_plural = _("account balances")

    def __str__(self) -> str:
        return f"{self.alias}: {self.currency} {self.amount}"


class RouteFailure(models.Model):
    """The last time that the routes of an event failed, so that a message was not written."""

    event = models.CharField(max_length=100, unique=True)
    last_error = models.CharField(max_length=500)
    failed_at = models.DateTimeField()

    class Meta:
        verbose_name = _("failed route")
        verbose_name_plural = _("failed routes")

    def __str__(self) -> str:
        return self.event
