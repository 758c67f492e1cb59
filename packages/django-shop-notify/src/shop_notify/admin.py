"""Admin pages: the outbox with its history, suppressed addresses, wishes, templates."""

# mypy: disable-error-code="type-arg"
# Django's admin classes are generic in the stubs only.
from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from shop_notify import outbox
from shop_notify.exceptions import ShopNotifyError
from shop_notify.models import Attempt, DeliveryReport, JobRun, Notification, Preference, Suppression, TemplateOverride


class ReadOnly:
    """What only the app itself writes."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False


class AttemptInline(ReadOnly, admin.TabularInline):
    model = Attempt
    extra = 0
    fields = ["number", "started_at", "finished_at", "outcome", "provider_code", "detail", "answer"]


class DeliveryReportInline(ReadOnly, admin.TabularInline):
    model = DeliveryReport
    extra = 0
    fields = ["received_at", "status", "state", "detail"]


@admin.register(Notification)
class NotificationAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["event", "reference", "address", "alias", "state", "attempts", "created_at", "sent_at"]
    list_filter = ["state", "alias", "event", "created_at"]
    search_fields = ["reference", "address", "recipient_key", "event_id", "provider_id"]
    date_hierarchy = "created_at"
    ordering = ["-created_at", "-id"]
    show_full_result_count = False
    inlines = [AttemptInline, DeliveryReportInline]
    actions = ["resend", "retry"]
    fieldsets = [
        (None, {"fields": ["event", "reference", "state", "last_error", "alias", "channel", "address", "language"]}),
        (gettext_lazy("As it was sent"), {"fields": ["subject", "text"]}),
        (
            gettext_lazy("History"),
            {"fields": ["attempts", "created_at", "due_at", "sent_at", "delivered_at", "expires_at", "provider_id"]},
        ),
        (gettext_lazy("Cost"), {"fields": ["segments", "cost", "cost_currency"]}),
        (
            gettext_lazy("Origin"),
            {"fields": ["event_id", "audience", "recipient_key", "recipient_name", "group", "context", "origin"]},
        ),
    ]

    def has_resend_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("shop_notify.resend_notification")

    @admin.action(description=gettext_lazy("Send again, to the same address"), permissions=["resend"])
    def resend(self, request: HttpRequest, queryset: QuerySet[Notification]) -> None:
        self._each(request, queryset, outbox.resend)

    @admin.action(description=gettext_lazy("Retry what was given up or refused"), permissions=["resend"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Notification]) -> None:
        self._each(request, queryset, outbox.retry)

    def _each(self, request: HttpRequest, queryset: QuerySet[Notification], verb: Any) -> None:
        done = 0
        for row in queryset:
            try:
                verb(row)
                done += 1
            except ShopNotifyError as error:
                self.message_user(request, f"{row}: {error}", messages.WARNING)
        if done:
            said = ngettext("%(count)d message will be sent.", "%(count)d messages will be sent.", done)
            self.message_user(request, said % {"count": done}, messages.SUCCESS)
        elif not queryset:
            self.message_user(request, _("Nothing was chosen."), messages.WARNING)


@admin.register(Suppression)
class SuppressionAdmin(admin.ModelAdmin):
    list_display = ["address", "channel", "reason", "created_at"]
    list_filter = ["channel", "reason"]
    search_fields = ["address"]


@admin.register(Preference)
class PreferenceAdmin(admin.ModelAdmin):
    list_display = ["recipient_key", "group", "alias", "is_enabled"]
    list_filter = ["group", "alias", "is_enabled"]
    search_fields = ["recipient_key"]


@admin.register(TemplateOverride)
class TemplateOverrideAdmin(admin.ModelAdmin):
    list_display = ["event", "channel", "audience", "language", "is_active", "updated_at"]
    list_filter = ["event", "channel", "language", "is_active"]


@admin.register(JobRun)
class JobRunAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["name", "last_started_at", "last_finished_at", "last_error"]
