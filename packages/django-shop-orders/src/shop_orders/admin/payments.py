"""Pages of payments, refunds and the events of payment providers."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy
from shop_core.model_admins import ReadOnly

from shop_orders.admin.amounts import amount_of
from shop_orders.admin.bases import OrderRecordAdmin
from shop_orders.models import Payment, ProviderEvent, Refund

AMOUNTS = tuple(amount_of(Payment, name) for name in ("amount", "captured_amount", "refunded_amount"))


class RefundStatusFilter(admin.ChoicesFieldListFilter):
    """Payments by the status of their refunds, such as failed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = gettext_lazy("status of its refunds")


class DecisionFilter(admin.SimpleListFilter):
    """Payments for which staff have to enter the amount received."""

    title = gettext_lazy("needs a decision")
    parameter_name = "needs_decision"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ARG002
        return [("yes", gettext_lazy("Yes"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:  # noqa: ARG002
        return queryset.filter(Payment.NEEDS_DECISION) if self.value() else queryset


class RefundInline(ReadOnly, admin.TabularInline):
    model = Refund
    fields = (
        "kind",
        amount_of(Refund, "amount"),
        "status",
        "provider_reference",
        "reason",
        "actor",
        "error",
        "created_at",
    )
    readonly_fields = fields


@admin.register(Payment)
class PaymentAdmin(OrderRecordAdmin):
    list_display = (
        "order",
        "provider",
        "status",
        *AMOUNTS,
        "created_at",
    )
    fields = (
        "order",
        "provider",
        "status",
        "error",
        *AMOUNTS,
        "provider_reference",
        "receipt",
        "instructions",
        "redirect_url",
        "expires_at",
        "created_at",
        "updated_at",
    )
    readonly_fields = fields  # type: ignore[assignment]
    list_filter = (DecisionFilter, "status", ("refunds__status", RefundStatusFilter))
    search_fields = ("order__number__icontains", "provider_reference", "receipt")
    list_select_related = ("order",)
    inlines = (RefundInline,)


@admin.register(ProviderEvent)
class ProviderEventAdmin(OrderRecordAdmin):
    list_display = ("received_at", "provider", "kind", "provider_reference", "outcome", "detail")
    list_filter = ("outcome",)
    search_fields = ("provider_reference", "provider_event_id", "refund_reference", "refund_id")
