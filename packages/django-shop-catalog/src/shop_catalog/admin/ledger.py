"""Read-only pages: stock movements and runs of periodic jobs."""

from __future__ import annotations

from django.contrib import admin
from shop_core.model_admins import ReadOnly, SafeList

from shop_catalog.models import JobRun, StockMovement


@admin.register(StockMovement)
class StockMovementAdmin(ReadOnly, SafeList):
    list_display = ("created_at", "product", "kind", "stock_change", "reserved_change", "reason", "reference")
    list_filter = ("kind", "crossing", "created_at")
    list_select_related = ("product",)
    search_fields = ("product__sku", "product__name", "=reference")
    show_full_result_count = False


@admin.register(JobRun)
class JobRunAdmin(ReadOnly, SafeList):
    list_display = ("name", "last_started_at", "last_finished_at", "last_error")
