"""A workplace for shopkeepers. Statuses are read-only: actions run the verbs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from shop_orders import lifecycle, payments
from shop_orders.exceptions import ShopOrdersError
from shop_orders.models import (
    Address,
    Cart,
    CartItem,
    Charge,
    Customer,
    IdempotencyKey,
    JobRun,
    Order,
    OrderEvent,
    OrderLine,
    Payment,
    ProviderEvent,
    Refund,
    Shipment,
    ShipmentLine,
)
from shop_orders.money import as_text


class ReadOnly:
    """Rows that only the verbs write."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False


class AddressInline(admin.StackedInline):
    model = Address
    extra = 0


@admin.register(Customer)
class CustomerAdmin(admin.ModelAdmin):
    list_display = ("__str__", "email", "phone", "language", "is_guest", "created_at")
    search_fields = ("first_name", "last_name", "email", "phone", "public_id")
    readonly_fields = ("public_id", "created_at", "updated_at", "anonymised_at")
    raw_id_fields = ("user",)
    inlines = (AddressInline,)

    @admin.display(boolean=True, description=gettext_lazy("guest"))
    def is_guest(self, customer: Customer) -> bool:
        return customer.is_guest


class CartItemInline(ReadOnly, admin.TabularInline):
    model = CartItem
    extra = 0


@admin.register(Cart)
class CartAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("public_id", "customer", "status", "updated_at")
    list_filter = ("status",)
    list_select_related = ("customer",)
    inlines = (CartItemInline,)


class OrderLineInline(ReadOnly, admin.TabularInline):
    model = OrderLine
    fields = ("sku", "name", "quantity", "unit_price", "line_total", "shipped_quantity", "restocked_quantity")


class ChargeInline(ReadOnly, admin.TabularInline):
    model = Charge
    fields = ("kind", "label", "amount", "is_included")


class PaymentInline(ReadOnly, admin.TabularInline):
    model = Payment
    fields = ("provider", "status", "amount", "captured_amount", "refunded_amount", "provider_reference", "error")
    show_change_link = True


class ShipmentInline(ReadOnly, admin.TabularInline):
    model = Shipment
    fields = ("number", "carrier", "tracking_number", "tracking_url", "shipped_at")


class OrderEventInline(ReadOnly, admin.TabularInline):
    model = OrderEvent
    fields = ("created_at", "kind", "old_status", "new_status", "actor", "message", "is_public", "is_told")
    readonly_fields = ("is_told",)

    @admin.display(boolean=True, description=gettext_lazy("announced"))
    def is_told(self, event: OrderEvent) -> bool:
        return not event.is_waiting


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    list_display = ("number", "status", "payment_status", "total_text", "contact_name", "email", "placed_at")
    list_filter = ("status", "payment_status", "payment_provider", "placed_at")
    search_fields = ("number", "email", "phone", "contact_name", "lines__sku", "shipments__tracking_number")
    date_hierarchy = "placed_at"
    list_select_related = ("customer",)
    inlines = (OrderLineInline, ChargeInline, PaymentInline, ShipmentInline, OrderEventInline)
    actions = ("confirm", "start_processing", "ship", "deliver", "cancel", "record_payment", "refund")

    def get_readonly_fields(self, request: HttpRequest, obj: Order | None = None) -> tuple[str, ...]:  # noqa: ARG002
        return tuple(field.name for field in self.model._meta.fields)

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Order | None = None) -> bool:  # noqa: ARG002
        return False

    def has_process_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("shop_orders.process_order")

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("shop_orders.cancel_order")

    def has_refund_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("shop_orders.refund_order")

    @admin.display(description=gettext_lazy("total"), ordering="total")
    def total_text(self, order: Order) -> str:
        return f"{as_text(order.total, order.currency)} {order.currency}"

    @admin.action(description=gettext_lazy("Confirm"), permissions=["process"])
    def confirm(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        self._run(request, orders, lifecycle.confirm)

    @admin.action(description=gettext_lazy("Start processing"), permissions=["process"])
    def start_processing(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        self._run(request, orders, lifecycle.start_processing)

    @admin.action(description=gettext_lazy("Ship all that is left"), permissions=["process"])
    def ship(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        self._run(request, orders, lifecycle.ship)

    @admin.action(description=gettext_lazy("Note as delivered"), permissions=["process"])
    def deliver(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        self._run(request, orders, lifecycle.deliver)

    @admin.action(description=gettext_lazy("Cancel"), permissions=["cancel"])
    def cancel(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        self._run(request, orders, lifecycle.cancel)

    @admin.action(description=gettext_lazy("Record the whole payment"), permissions=["refund"])
    def record_payment(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        self._run(request, orders, payments.record_payment)

    @admin.action(description=gettext_lazy("Refund all that was paid"), permissions=["refund"])
    def refund(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        self._run(request, orders, payments.refund)

    def _run(self, request: HttpRequest, orders: QuerySet[Order], verb: Callable[..., Any]) -> None:
        """Run a verb for each order in a transaction of its own, and say what did not work."""
        done = 0
        for order in orders:
            try:
                verb(order.pk, by=request.user)
                done += 1
            except ShopOrdersError as error:
                self.message_user(request, f"{order.number}: {error}", messages.ERROR)
        if done:
            self.message_user(request, _("%(count)s orders changed.") % {"count": done}, messages.SUCCESS)


@admin.register(OrderEvent)
class OrderEventAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("created_at", "order", "kind", "new_status", "signal", "announced_at", "attempts", "last_error")
    list_filter = ("kind", "signal", ("announced_at", admin.EmptyFieldListFilter))
    search_fields = ("order__number",)
    list_select_related = ("order",)


class RefundInline(ReadOnly, admin.TabularInline):
    model = Refund
    fields = ("amount", "status", "reason", "actor", "error", "created_at")


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
    list_filter = ("status", "provider")
    search_fields = ("order__number", "provider_reference")
    list_select_related = ("order",)
    inlines = (RefundInline,)


@admin.register(ProviderEvent)
class ProviderEventAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("received_at", "provider", "kind", "provider_reference", "outcome", "detail")
    list_filter = ("outcome", "provider", "kind")
    search_fields = ("provider_reference", "provider_event_id")


class ShipmentLineInline(ReadOnly, admin.TabularInline):
    model = ShipmentLine
    fields = ("order_line", "quantity")


@admin.register(Shipment)
class ShipmentAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("number", "carrier", "tracking_number", "shipped_at")
    search_fields = ("number", "tracking_number", "order__number")
    inlines = (ShipmentLineInline,)


@admin.register(JobRun)
class JobRunAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("name", "last_started_at", "last_finished_at", "last_error")


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("route", "key", "status", "created_at")
