"""Admin pages: the outbox with its history, notifiers, suppressed addresses, preferences, templates."""

from __future__ import annotations

import uuid
from typing import Any

import django
from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from shop_core.model_admins import LongList, ReadOnly, SafeList

from shop_notify import health, outbox
from shop_notify.conf import app_settings
from shop_notify.exceptions import NotRetryable, ShopNotifyError, TemplateRefused
from shop_notify.masking import mask
from shop_notify.messages import overrides, preview_notification, sample_values
from shop_notify.models import (
    Attempt,
    DeliveryReport,
    JobRun,
    Notification,
    Preference,
    RouteFailure,
    Suppression,
    TemplateOverride,
)
from shop_notify.notifiers.registry import aliases

RESEND = "shop_notify.resend_notification"


class AttemptInline(ReadOnly, admin.TabularInline):
    model = Attempt
    extra = 0
    fields = ["number", "started_at", "finished_at", "outcome", "provider_code", "detail", "response"]


class DeliveryReportInline(ReadOnly, admin.TabularInline):
    model = DeliveryReport
    extra = 0
    fields = ["received_at", "status", "state", "detail"]


class FormToken(forms.UUIDField):
    """A hidden field that is different on each page, so that a form that is submitted twice takes effect once."""

    widget = forms.HiddenInput

    def __init__(self, **options: Any) -> None:
        super().__init__(label="", initial=uuid.uuid4, **options)
        text = gettext_lazy("Check the form and send it again.")
        self.error_messages = dict.fromkeys(self.error_messages, text)

    def bound_data(self, data: Any, initial: Any) -> Any:
        return data or initial


class SingleUseActionForm(ActionForm):
    form_token = FormToken(required=False)


class ResendForm(forms.Form):
    form_token = FormToken()
    address = forms.CharField(
        label=gettext_lazy("Address"), max_length=200, help_text=gettext_lazy("You may enter another one.")
    )


class AliasFilter(admin.SimpleListFilter):
    """Messages of one of the configured notifiers: the aliases of millions of messages are not collected."""

    title = gettext_lazy("alias")
    parameter_name = "alias"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ARG002
        return [(alias, alias) for alias in aliases()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Notification]) -> QuerySet[Notification]:  # noqa: ARG002
        return queryset.filter(alias=self.value()) if self.value() else queryset


class EventFilter(admin.SimpleListFilter):
    """Messages about one of the events of the configured routes."""

    title = gettext_lazy("event")
    parameter_name = "event"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ARG002
        events = {str(route.get("event", "")) for route in app_settings.ROUTES}
        return [(event, event) for event in sorted(events - {""})]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Notification]) -> QuerySet[Notification]:  # noqa: ARG002
        return queryset.filter(event=self.value()) if self.value() else queryset


@admin.register(Notification)
class NotificationAdmin(ReadOnly, LongList):
    more_rows_text = gettext_lazy("More than %(count)s. The list ends there: search, or filter, to see others.")
    more_found_text = gettext_lazy("%(count)s or more were found. The newest of them are listed.")
    list_display = ["event", "state", "attempts", "address", "alias", "reference", "created_at", "sent_at"]
    list_filter = ["state", AliasFilter, EventFilter, "created_at"]
    search_fields = ["reference", "address__iexact", "recipient_key", "event_id", "provider_id"]
    ordering = ["-created_at", "-id"]
    inlines = [AttemptInline, DeliveryReportInline]
    actions = ["resend", "retry"]
    action_form = SingleUseActionForm
    change_list_template = "admin/shop_notify/notification/change_list.html"
    change_form_template = "admin/shop_notify/notification/change_form.html"
    fieldsets = [
        (None, {"fields": ["event", "reference", "state", "last_error", "alias", "channel", "address", "language"]}),
        (gettext_lazy("Text"), {"fields": ["content"]}),
        (
            gettext_lazy("History"),
            {"fields": ["attempts", "created_at", "due_at", "sent_at", "delivered_at", "expires_at", "provider_id"]},
        ),
        (gettext_lazy("Cost"), {"fields": ["segments", "cost", "cost_currency"]}),
        (
            gettext_lazy("Origin"),
            {
                "classes": ["collapse"],
                "fields": ["event_id", "audience", "recipient_key", "recipient_name", "group", "context", "origin"],
            },
        ),
    ]

    @admin.display(description=gettext_lazy("As sent, or as it would be sent now"))
    def content(self, row: Notification) -> str:
        shown = preview_notification(row)
        url = self._url("html", row) if shown.html else ""
        page = format_html('<p><a href="{}" target="_blank" rel="noopener">{}</a></p>', url, _("See the HTML"))
        return format_html(
            '<p><strong>{}</strong></p><pre style="white-space:pre-wrap">{}</pre>{}{}',
            shown.subject,
            shown.text,
            page if url else "",
            shown.problem,
        )

    def _url(self, name: str, row: Notification) -> str:
        return reverse(f"admin:shop_notify_notification_{name}", args=[row.pk], current_app=self.admin_site.name)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/html/", view(self.html_view), name="shop_notify_notification_html"),
            path("<int:pk>/resend/", view(self.resend_view), name="shop_notify_notification_resend"),
            path("notifiers/", view(self.notifiers_view), name="shop_notify_notifiers"),
            *super().get_urls(),
        ]

    def html_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The HTML part on a page of its own, without scripts."""
        row = self._row(request, pk)
        response = HttpResponse(preview_notification(row).html)
        response["Content-Security-Policy"] = (
            "default-src 'none'; style-src 'unsafe-inline'; img-src https: data:; sandbox"
        )
        return response

    def resend_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Send one message again, to the same or another address."""
        row = self._row(request, pk)
        if not self.has_resend_permission(request):
            raise PermissionDenied
        form = ResendForm(request.POST or None, initial={"address": row.address})
        if form.is_valid():
            try:
                token, address = form.cleaned_data["form_token"], form.cleaned_data["address"]
                resent, is_new = outbox.resend_once(row, key=token.hex, address=address)
            except ShopNotifyError as error:
                form.add_error("address", str(error))
            else:
                again = _("This form was already submitted. The message to %(to)s is not sent a second time.")
                text = _("It will be sent to %(to)s.") if is_new else again
                level = messages.SUCCESS if is_new else messages.WARNING
                self.message_user(request, text % {"to": mask(resent.address)}, level)
                return HttpResponseRedirect(self._url("change", resent))
        context = {**self._page(request, _("Send again")), "form": form, "original": row}
        return TemplateResponse(request, "admin/shop_notify/notification/resend.html", context)

    def notifiers_view(self, request: HttpRequest) -> HttpResponse:
        """Health of every notifier."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {**self._page(request, _("Notifiers and their health")), "notifiers": health.notifiers()}
        return TemplateResponse(request, "admin/shop_notify/notification/notifiers.html", context)

    def _page(self, request: HttpRequest, title: str) -> dict[str, Any]:
        is_list = django.VERSION >= (6, 1)
        site = self.admin_site.each_context(request)
        return {**site, "opts": self.opts, "title": title, "has_breadcrumb_list": is_list}

    def _row(self, request: HttpRequest, pk: int) -> Notification:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return get_object_or_404(Notification, pk=pk)

    def has_resend_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(RESEND))

    @admin.action(description=gettext_lazy("Send again, to the same address"), permissions=["resend"])
    def resend(self, request: HttpRequest, queryset: QuerySet[Notification]) -> None:
        form = SingleUseActionForm(request.POST)
        form.is_valid()
        token = form.cleaned_data.get("form_token") or uuid.uuid4()

        def resend(row: Notification) -> None:
            if not outbox.resend_once(row, key=token.hex)[1]:
                raise NotRetryable(_("This form was already submitted. The message is not sent a second time."))

        self._apply_to_each(request, queryset, resend)

    @admin.action(
        description=gettext_lazy("Retry messages that were given up or refused, or have an unknown outcome"),
        permissions=["resend"],
    )
    def retry(self, request: HttpRequest, queryset: QuerySet[Notification]) -> None:
        self._apply_to_each(request, queryset, outbox.retry)

    def _apply_to_each(self, request: HttpRequest, queryset: QuerySet[Notification], action: Any) -> None:
        done = 0
        for row in queryset:
            try:
                action(row)
                done += 1
            except ShopNotifyError as error:
                self.message_user(request, f"{row}: {error}", messages.WARNING)
        if done:
            text = ngettext("%(count)d message will be sent.", "%(count)d messages will be sent.", done)
            self.message_user(request, text % {"count": done}, messages.SUCCESS)


@admin.register(Suppression)
class SuppressionAdmin(SafeList):
    list_display = ["address", "channel", "reason", "created_at"]
    list_filter = ["channel", "reason"]
    search_fields = ["address"]


@admin.register(Preference)
class PreferenceAdmin(SafeList):
    list_display = ["recipient_key", "group", "alias", "is_enabled"]
    list_filter = ["group", "alias", "is_enabled"]
    search_fields = ["recipient_key"]


class TemplateForm(forms.ModelForm):
    """Renders the template with sample data before it is saved."""

    class Meta:
        model = TemplateOverride
        fields = ["event", "channel", "audience", "language", "subject", "text", "html", "is_active"]

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if cleaned and not self.errors:
            row = TemplateOverride(**{name: cleaned[name] for name in ("event", "channel", "subject", "text", "html")})
            try:
                overrides.validate_override(row, sample_values(row.event))
            except TemplateRefused as error:
                raise forms.ValidationError(str(error)) from error
        return cleaned


@admin.register(TemplateOverride)
class TemplateOverrideAdmin(SafeList):
    form = TemplateForm
    list_display = ["event", "channel", "audience", "language", "is_active", "updated_at"]
    list_filter = ["event", "channel", "language", "is_active"]
    readonly_fields = ["preview"]

    @admin.display(description=gettext_lazy("With sample data, as saved"))
    def preview(self, row: TemplateOverride) -> str:
        if not row.pk:
            return ""
        try:
            parts = overrides.render_row(row, sample_values(row.event))
        except TemplateRefused as error:
            return str(error)
        page = format_html(
            '<iframe sandbox srcdoc="{}" title="HTML" width="100%" height="400"></iframe>', parts.get("html", "")
        )
        return format_html(
            '<p><strong>{}</strong></p><pre style="white-space:pre-wrap">{}</pre>{}',
            parts.get("subject", ""),
            parts.get("text", ""),
            page if "html" in parts else "",
        )


@admin.register(JobRun)
class JobRunAdmin(ReadOnly, SafeList):
    list_display = ["name", "last_started_at", "last_finished_at", "last_error"]


@admin.register(RouteFailure)
class RouteFailureAdmin(ReadOnly, SafeList):
    list_display = ["event", "last_error", "failed_at"]
    ordering = ["-failed_at"]
