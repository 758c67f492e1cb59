"""Pages of shipments, order events, job runs and idempotency keys."""

from __future__ import annotations

from django.contrib import admin
from shop_core.model_admins import ReadOnly, SafeList

from shop_orders.admin.bases import OrderRecordAdmin
from shop_orders.models import IdempotencyKey, JobRun, OrderEvent, Shipment, ShipmentLine


@admin.register(OrderEvent)
class OrderEventAdmin(OrderRecordAdmin):
    list_display = ("created_at", "order", "kind", "new_status", "signal", "announced_at", "attempts", "last_error")
    list_filter = ("kind", "signal", ("announced_at", admin.EmptyFieldListFilter))
    search_fields = ("order__number",)
    list_select_related = ("order",)


class ShipmentLineInline(ReadOnly, admin.TabularInline):
    model = ShipmentLine
    fields = ("order_line", "quantity")


@admin.register(Shipment)
class ShipmentAdmin(OrderRecordAdmin):
    list_display = ("number", "carrier", "tracking_number", "shipped_at")
    search_fields = ("number", "tracking_number", "order__number")
    inlines = (ShipmentLineInline,)


@admin.register(JobRun)
class JobRunAdmin(ReadOnly, SafeList):
    list_display = ("name", "last_started_at", "last_finished_at", "last_error")


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(OrderRecordAdmin):
    list_display = ("route", "key", "status", "created_at")
    exclude = ("body",)
