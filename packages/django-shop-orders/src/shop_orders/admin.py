"""A workplace for shopkeepers. Statuses are read-only: actions run the verbs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from shop_orders import exports, lifecycle, payments
from shop_orders.exceptions import NotPayable, ShopOrdersError
from shop_orders.forms import CancelForm, NoteForm, PayForm, RefundForm, ResolveForm, ShipForm, StepForm, TellForm
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
    OrderStatus,
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


@dataclass(frozen=True)
class Step:
    """What staff can do with an order on its page: the verb, and a form for what there is to say."""

    label: Any
    permission: str
    verb: Callable[..., Any]
    form: type[StepForm]


def _capture(order_id: int, **options: Any) -> None:
    for payment in Payment.objects.filter(order_id=order_id, status=Payment.Status.AUTHORISED).order_by("id"):
        payments.capture(payment.pk, **options)


def _resolve(order_id: int, **options: Any) -> None:
    held = Payment.objects.filter(order_id=order_id, status=Payment.Status.HELD).order_by("id").first()
    if held is None:
        raise NotPayable
    payments.resolve(held.pk, **options)


STEPS: Mapping[str, Step] = {
    "confirm": Step(gettext_lazy("Confirm"), "process_order", lifecycle.confirm, TellForm),
    "process": Step(gettext_lazy("Start processing"), "process_order", lifecycle.start_processing, TellForm),
    "ship": Step(gettext_lazy("Ship"), "process_order", lifecycle.ship, ShipForm),
    "deliver": Step(gettext_lazy("Note as delivered"), "process_order", lifecycle.deliver, TellForm),
    "capture": Step(gettext_lazy("Take the money"), "refund_order", _capture, TellForm),
    "resolve": Step(gettext_lazy("Look at the held payment"), "refund_order", _resolve, ResolveForm),
    "pay": Step(gettext_lazy("Record the payment"), "refund_order", payments.record_payment, PayForm),
    "refund": Step(gettext_lazy("Refund"), "refund_order", payments.refund, RefundForm),
    "cancel": Step(gettext_lazy("Cancel the order"), "cancel_order", lifecycle.cancel, CancelForm),
    "note": Step(gettext_lazy("Write a note"), "change_order", lifecycle.note, NoteForm),
}


def possible_steps(order: Order) -> list[str]:
    """The names of the steps that make sense now."""
    statuses = lifecycle.allowed(order.status)
    by_status = {
        "confirm": "confirmed",
        "process": "processing",
        "ship": "shipped",
        "deliver": "delivered",
        "cancel": "cancelled",
    }
    names = [name for name, status in by_status.items() if status in statuses]
    states = set(order.payments.values_list("status", flat=True))
    if Payment.Status.AUTHORISED in states and order.status != OrderStatus.CANCELLED:
        names.append("capture")
    if Payment.Status.HELD in states:
        names.append("resolve")
    manual = {provider.alias for provider in payments.ways_to_pay() if provider.is_manual}
    if order.amount_due and order.payment_provider in manual:
        names.append("pay")
    if order.refundable_amount:
        names.append("refund")
    return [*names, "note"]


def _address_lines(address: Mapping[str, str]) -> list[str]:
    """An address below its name, as it is written on a parcel."""
    lines = [
        ("company",),
        ("line1",),
        ("line2",),
        ("postal_code", "city"),
        ("region",),
        ("country",),
    ]
    written = (" ".join(filter(None, (address.get(field, "") for field in fields))) for fields in lines)
    return [line for line in written if line]


class RefundDueFilter(admin.SimpleListFilter):
    """Orders of which money must go back: paid too much, or paid and cancelled."""

    title = gettext_lazy("refund due")
    parameter_name = "refund_due"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ARG002
        return [("yes", gettext_lazy("Yes"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:  # noqa: ARG002
        return queryset.refund_due() if self.value() else queryset  # type: ignore[attr-defined]


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    list_display = ("number", "status", "payment_status", "total_text", "contact_name", "email", "placed_at")
    list_filter = ("status", "payment_status", RefundDueFilter, "payment_provider", "placed_at")
    search_fields = ("number", "email", "phone", "contact_name", "lines__sku", "shipments__tracking_number")
    date_hierarchy = "placed_at"
    list_select_related = ("customer",)
    inlines = (OrderLineInline, ChargeInline, PaymentInline, ShipmentInline, OrderEventInline)
    actions = ("confirm", "start_processing", "deliver", "cancel", "export_csv")
    change_form_template = "admin/shop_orders/order/change_form.html"

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

    def get_urls(self) -> list[Any]:
        own = [
            path("<int:order_id>/step/<str:name>/", self.admin_site.admin_view(self.step), name="shop_orders_step"),
            path("<int:order_id>/slip/", self.admin_site.admin_view(self.packing_slip), name="shop_orders_slip"),
        ]
        return own + super().get_urls()

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        order = self.get_object(request, object_id)
        names = possible_steps(order) if order else []
        steps = [(name, STEPS[name].label) for name in names if self._may(request, STEPS[name])]
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "steps": steps})

    def step(self, request: HttpRequest, order_id: int, name: str) -> HttpResponse:
        """Ask what there is to say, then run the verb of one step."""
        order = get_object_or_404(Order, pk=order_id)
        if name not in STEPS:
            raise Http404
        step = STEPS[name]
        if not self._may(request, step):
            raise PermissionDenied
        form = step.form(request.POST if request.method == "POST" else None, order=order)
        if form.is_valid():
            try:
                step.verb(order.pk, by=request.user, **form.options())
            except ShopOrdersError as error:
                self.message_user(request, str(error), messages.ERROR)
            else:
                self.message_user(request, _("Done: %(step)s.") % {"step": step.label}, messages.SUCCESS)
            return redirect("admin:shop_orders_order_change", order_id)
        context = {**self.admin_site.each_context(request), "order": order, "form": form, "title": step.label}
        return render(request, "admin/shop_orders/order/step.html", {**context, "opts": self.opts})

    def packing_slip(self, request: HttpRequest, order_id: int) -> HttpResponse:
        """A page that prints well, without prices."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        order = get_object_or_404(Order, pk=order_id)
        context = {"order": order, "lines": order.lines.all(), "address": _address_lines(order.shipping_address)}
        return render(request, "shop_orders/packing_slip.html", context)

    @admin.display(description=gettext_lazy("total"), ordering="total")
    def total_text(self, order: Order) -> str:
        return f"{as_text(order.total, order.currency)} {order.currency}"

    @admin.action(description=gettext_lazy("Confirm"), permissions=["process"])
    def confirm(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        self._run(request, orders, lifecycle.confirm)

    @admin.action(description=gettext_lazy("Start processing"), permissions=["process"])
    def start_processing(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        self._run(request, orders, lifecycle.start_processing)

    @admin.action(description=gettext_lazy("Note as delivered"), permissions=["process"])
    def deliver(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        self._run(request, orders, lifecycle.deliver)

    @admin.action(description=gettext_lazy("Cancel"), permissions=["cancel"])
    def cancel(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        self._run(request, orders, lifecycle.cancel)

    @admin.action(description=gettext_lazy("Export as CSV"), permissions=["view"])
    def export_csv(self, request: HttpRequest, orders: Any) -> StreamingHttpResponse:  # noqa: ARG002
        response = StreamingHttpResponse(exports.orders_csv(orders), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = 'attachment; filename="orders.csv"'
        return response

    def _may(self, request: HttpRequest, step: Step) -> bool:
        return request.user.has_perm(f"shop_orders.{step.permission}")

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
            text = ngettext("%(count)s order changed.", "%(count)s orders changed.", done)
            self.message_user(request, text % {"count": done}, messages.SUCCESS)


@admin.register(OrderEvent)
class OrderEventAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("created_at", "order", "kind", "new_status", "signal", "announced_at", "attempts", "last_error")
    list_filter = ("kind", "signal", ("announced_at", admin.EmptyFieldListFilter))
    search_fields = ("order__number",)
    list_select_related = ("order",)


class RefundStatusFilter(admin.ChoicesFieldListFilter):
    """Payments of which money is on its way back, or did not arrive."""

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
