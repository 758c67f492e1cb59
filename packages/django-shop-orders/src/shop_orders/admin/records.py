"""Pages of shipments, order events, job runs and idempotency keys."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy
from shop_core.model_admins import ReadOnly, SafeList

from shop_orders.admin.bases import OrderRecordAdmin
from shop_orders.models import IdempotencyKey, JobRun, OrderEvent, Shipment, ShipmentLine


class WaitingFilter(admin.SimpleListFilter):
    """Events that at least one receiver has not accepted yet."""

    title = gettext_lazy("announced")
    parameter_name = "waiting"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ARG002
        return [("yes", gettext_lazy("Not yet"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[OrderEvent]) -> QuerySet[OrderEvent]:  # noqa: ARG002
        return queryset.waiting() if self.value() else queryset  # type: ignore[attr-defined]


@admin.register(OrderEvent)
class OrderEventAdmin(OrderRecordAdmin):
    list_display = ("created_at", "order", "kind", "new_status", "signal", "announced_at", "attempts", "last_error")
    list_filter = (WaitingFilter,)
    search_fields = ("order__number__icontains",)
    list_select_related = ("order",)


class ShipmentLineInline(ReadOnly, admin.TabularInline):
    model = ShipmentLine
    fields = ("order_line", "quantity")


@admin.register(Shipment)
class ShipmentAdmin(OrderRecordAdmin):
    list_display = ("number", "carrier", "tracking_number", "shipped_at")
    search_fields = ("number__iexact", "tracking_number__iexact", "order__number__icontains")
    inlines = (ShipmentLineInline,)


@admin.register(JobRun)
class JobRunAdmin(ReadOnly, SafeList):
    list_display = ("name", "last_started_at", "last_finished_at", "last_error")


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(OrderRecordAdmin):
    list_display = ("route", "key", "status", "created_at")
    exclude = ("body",)
