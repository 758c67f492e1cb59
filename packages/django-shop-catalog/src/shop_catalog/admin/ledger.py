"""Read-only pages: stock movements and runs of periodic jobs."""

from __future__ import annotations

from django.contrib import admin
from shop_core.model_admins import ReadOnly, SafeList

from shop_catalog.admin.bases import LongList
from shop_catalog.models import JobRun, StockMovement


@admin.register(StockMovement)
class StockMovementAdmin(ReadOnly, LongList):
    list_display = ("created_at", "product", "kind", "stock_change", "reserved_change", "reason", "reference")
    list_filter = ("kind",)
    list_select_related = ("product",)
    search_fields = ("product__sku", "reference")


@admin.register(JobRun)
class JobRunAdmin(ReadOnly, SafeList):
    list_display = ("name", "last_started_at", "last_finished_at", "last_error")
