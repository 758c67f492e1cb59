"""Pages of payments, refunds and the events of payment providers."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy

from shop_orders.admin.read_only import ReadOnly
from shop_orders.models import Payment, ProviderEvent, Refund


class RefundStatusFilter(admin.ChoicesFieldListFilter):
    """Payments by the status of their refunds, such as failed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = gettext_lazy("status of its refunds")


class RefundInline(ReadOnly, admin.TabularInline):
    model = Refund
    fields = ("amount", "status", "provider_reference", "reason", "actor", "error", "created_at")


@admin.register(Payment)
class PaymentAdmin(ReadOnly, admin.ModelAdmin):
    list_display = (
        "order",
        "provider",
        "status",
        "amount",
        "currency",
        "captured_amount",
        "refunded_amount",
        "created_at",
    )
    list_filter = ("status", "provider", ("refunds__status", RefundStatusFilter))
    search_fields = ("order__number", "provider_reference", "receipt")
    list_select_related = ("order",)
    inlines = (RefundInline,)


@admin.register(ProviderEvent)
class ProviderEventAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("received_at", "provider", "kind", "provider_reference", "outcome", "detail")
    list_filter = ("outcome", "provider", "kind")
    search_fields = ("provider_reference", "provider_event_id")
