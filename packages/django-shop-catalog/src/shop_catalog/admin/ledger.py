"""Read-only pages: stock movements and runs of periodic jobs."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from shop_catalog.models import JobRun, StockMovement


class ReadOnlyAdmin(admin.ModelAdmin):
    """Rows that staff cannot change."""

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False


@admin.register(StockMovement)
class StockMovementAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "product", "kind", "stock_change", "reserved_change", "reason", "reference")
    list_filter = ("kind", "created_at")
    list_select_related = ("product",)
    search_fields = ("product__sku", "product__name", "=reference")
    show_full_result_count = False


@admin.register(JobRun)
class JobRunAdmin(ReadOnlyAdmin):
    list_display = ("name", "last_started_at", "last_finished_at", "last_error")
