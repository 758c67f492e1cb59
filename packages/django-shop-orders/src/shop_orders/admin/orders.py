"""The page of an order. Statuses are read-only. Staff change them by steps, each of which runs an action."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from shop_core.db.transactions import non_atomic
from shop_core.model_admins import ReadOnly
from shop_core.money import as_text

from shop_orders import lifecycle
from shop_orders.admin import exports, states
from shop_orders.admin.amounts import amount_of
from shop_orders.admin.bases import LongList
from shop_orders.admin.forms import StepForm
from shop_orders.admin.steps import STEPS, Step, possible_steps, take_step, was_taken
from shop_orders.conf import app_settings
from shop_orders.exceptions import ShopOrdersError, UnknownPaymentProvider
from shop_orders.models import (
    Charge,
    Credit,
    IncomingPayment,
    Order,
    OrderEvent,
    OrderLine,
    OrderStatus,
    Payment,
    Shipment,
)
from shop_orders.payment_providers import awaits_online_payment, label_of, payment_provider


class OrderLineInline(ReadOnly, admin.TabularInline):
    model = OrderLine
    fields = (
        *("sku", "name", "options_text", "quantity", "unit_price", "line_total", "discount", "tax_rate", "net", "tax"),
        *("shipped_quantity", "cancelled_quantity", "restocked_quantity"),
    )
    readonly_fields = ("options_text",)

    @admin.display(description=gettext_lazy("options"))
    def options_text(self, line: OrderLine) -> str:
        return line.options_text


class ChargeInline(ReadOnly, admin.TabularInline):
    model = Charge
    fields = ("kind", "label", "amount", "is_included", "tax_rate", "base", "discount", "net", "tax")


class CreditInline(ReadOnly, admin.TabularInline):
    model = Credit
    fields = ("kind", amount_of(Credit, "amount"), "lines", "reason", "actor", "created_at")
    readonly_fields = fields


class PaymentInline(ReadOnly, admin.TabularInline):
    model = Payment
    fields = (
        "provider",
        "status",
        amount_of(Payment, "amount"),
        amount_of(Payment, "captured_amount"),
        amount_of(Payment, "refunded_amount"),
        "provider_reference",
        "receipt",
        "error",
    )
    readonly_fields = fields
    show_change_link = True


class IncomingPaymentInline(ReadOnly, admin.TabularInline):
    model = IncomingPayment
    fields = ("receipt", amount_of(IncomingPayment, "amount"), "status", "reason", "payer_name", "received_at")
    readonly_fields = fields
    show_change_link = True


class ShipmentInline(ReadOnly, admin.TabularInline):
    model = Shipment
    fields = ("number", "carrier", "tracking_number", "tracking_url", "shipped_at")


class OrderEventInline(ReadOnly, admin.TabularInline):
    model = OrderEvent
    fields = ("created_at", "kind", "old_status", "new_status", "actor", "message", "is_public", "is_announced")
    readonly_fields = ("is_announced",)

    @admin.display(boolean=True, description=gettext_lazy("announced"))
    def is_announced(self, event: OrderEvent) -> bool:
        return not event.is_waiting


class RefundDueFilter(admin.SimpleListFilter):
    """Orders with money to refund: overpaid, or paid and cancelled."""

    title = gettext_lazy("refund due")
    parameter_name = "refund_due"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ARG002
        return [("yes", gettext_lazy("Yes"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:  # noqa: ARG002
        return queryset.refund_due() if self.value() else queryset  # type: ignore[attr-defined]


class DecisionFilter(admin.SimpleListFilter):
    """Orders about which staff have to enter what a provider's page shows."""

    title = gettext_lazy("needs a decision")
    parameter_name = "needs_decision"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ARG002
        return [("yes", gettext_lazy("Yes"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:  # noqa: ARG002
        return queryset.needs_decision() if self.value() else queryset  # type: ignore[attr-defined]


class ProviderFilter(admin.SimpleListFilter):
    """Orders of a configured payment provider: the names in a table with millions of rows are not collected."""

    title = gettext_lazy("payment provider")
    parameter_name = "payment_provider"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ARG002
        return [(name, label_of(name)) for name in app_settings.PAYMENT_PROVIDERS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:  # noqa: ARG002
        return queryset.filter(payment_provider=self.value()) if self.value() else queryset


@admin.register(Order)
class OrderAdmin(LongList):
    list_display = (
        "number",
        "status_text",
        "payment_status",
        "payment_method",
        "total_text",
        "contact_name",
        "email",
        "placed_at",
    )
    list_filter = (
        "status",
        states.StateFilter,
        "payment_status",
        RefundDueFilter,
        DecisionFilter,
        ProviderFilter,
        "placed_at",
    )
    search_fields = ("number",)
    ordering = ("-placed_at", "-id")
    list_select_related = ("customer",)
    inlines = (
        OrderLineInline,
        ChargeInline,
        CreditInline,
        PaymentInline,
        IncomingPaymentInline,
        ShipmentInline,
        OrderEventInline,
    )
    actions = ("confirm", "start_processing", "deliver", "cancel", "export_csv")
    change_form_template = "admin/shop_orders/order/change_form.html"

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:  # noqa: ARG002
        """As the staff API searches."""
        text = search_term.replace("\0", "").strip()
        return queryset.search(text) if text else queryset, False  # type: ignore[attr-defined]

    def get_readonly_fields(self, request: HttpRequest, obj: Order | None = None) -> tuple[str, ...]:  # noqa: ARG002
        names = [field.name for field in self.model._meta.fields if field.name != "email_key"]
        names[names.index("payment_provider")] = "payment_method"
        return tuple(names)

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Order | None = None) -> bool:  # noqa: ARG002
        return False

    def has_process_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("shop_orders.process_order")

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("shop_orders.cancel_order")

    def get_actions(self, request: HttpRequest, action_location: Any = None) -> dict[str, Any]:
        """With an action for each state of the site's own. Django 5.2 has no ``action_location``."""
        where = {} if action_location is None else {"action_location": action_location}
        found: dict[str, Any] = super().get_actions(request, **where)
        if not found or not self.has_process_permission(request):
            return found
        own = {change.__name__: self.get_action(change, **where) for change in states.actions(self._run)}
        return {**found, **{name: action for name, action in own.items() if action}}

    def get_urls(self) -> list[Any]:
        own = [
            path(
                "<int:order_id>/step/<str:name>/",
                non_atomic(self.admin_site.admin_view(self.step)),  # some steps call a payment provider
                name="shop_orders_step",
            ),
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
        """Show the form of one step, then run its action."""
        order = get_object_or_404(Order, pk=order_id)
        if name not in STEPS:
            raise Http404
        step = STEPS[name]
        if not self._may(request, step):
            raise PermissionDenied
        page = reverse("admin:shop_orders_order_change", args=[order_id], current_app=self.admin_site.name)
        form = step.form(request.POST if request.method == "POST" else None, order=order)
        if form.is_bound:
            try:
                if self.take_step(request, name, order, form):
                    return redirect(page)
            except ShopOrdersError as error:
                self.message_user(request, str(error), messages.ERROR)
                return redirect(page)
        context = {**self.admin_site.each_context(request), "order": order, "form": form, "title": step.label}
        return render(request, "admin/shop_orders/order/step.html", {**context, "opts": self.opts})

    def take_step(self, request: HttpRequest, name: str, order: Order, form: StepForm) -> bool:
        """Take a step once and say so. Returns False, and does nothing, if the form is not valid.

        Raises:
            ShopOrdersError: as ``shop_orders.admin.take_step``.
        """
        label = {"step": STEPS[name].label}
        if not was_taken(name, order, form, by=request.user):
            if not form.is_valid():
                return False
            if take_step(name, order, form, by=request.user):
                self.message_user(request, _("Done: %(step)s.") % label, messages.SUCCESS)
                return True
        self.message_user(request, _("This was already done: %(step)s.") % label, messages.WARNING)
        return True

    def packing_slip(self, request: HttpRequest, order_id: int) -> HttpResponse:
        """A page to print, without prices."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        order = get_object_or_404(Order, pk=order_id)
        context = {
            "order": order,
            "lines": order.lines.all(),
            "address": _address_lines(order.shipping_address),
            "payment_method": label_of(order.payment_provider),
            "to_collect": _to_collect(order),
        }
        return render(request, "shop_orders/packing_slip.html", context)

    @admin.display(description=gettext_lazy("payment method"), ordering="payment_provider")
    def payment_method(self, order: Order) -> str:
        """The provider's label, and whether the shop waits for the customer to pay online."""
        label = label_of(order.payment_provider)
        if order.status == OrderStatus.PENDING and awaits_online_payment(order):
            return _("%(provider)s, not paid yet") % {"provider": label}
        return label

    @admin.display(description=gettext_lazy("status"), ordering="status")
    def status_text(self, order: Order) -> str:
        """The label of the state, or of the status if it has none of the site's own."""
        return order.get_status_display()

    @admin.display(description=gettext_lazy("total"), ordering="total")
    def total_text(self, order: Order) -> str:
        return f"{as_text(order.total, order.currency)} {order.currency}"

    @admin.action(description=gettext_lazy("Confirm"), permissions=["process"])
    def confirm(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        self._run(request, orders, partial(lifecycle.confirm, accept_unpaid=False))

    @admin.action(description=gettext_lazy("Start processing"), permissions=["process"])
    def start_processing(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        self._run(request, orders, lifecycle.start_processing)

    @admin.action(description=gettext_lazy("Mark as delivered"), permissions=["process"])
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
        """Whether the user may take a step. Its page shows the order, so the user must be able to view it too."""
        return self.has_view_permission(request) and request.user.has_perm(f"shop_orders.{step.permission}")

    def _run(self, request: HttpRequest, orders: QuerySet[Order], action: Callable[..., Any]) -> None:
        """Run an action for each order in a transaction of its own, and show the errors."""
        done = 0
        for order in orders:
            try:
                action(order.pk, by=request.user)
                done += 1
            except ShopOrdersError as error:
                self.message_user(request, f"{order.number}: {error}", messages.ERROR)
        if done:
            text = ngettext("%(count)s order changed.", "%(count)s orders changed.", done)
            self.message_user(request, text % {"count": done}, messages.SUCCESS)


def _to_collect(order: Order) -> str:
    """The amount to collect on delivery; "" if there is none."""
    try:
        is_paid_on_delivery = payment_provider(order.payment_provider).confirms_at_placement
    except UnknownPaymentProvider:
        is_paid_on_delivery = False
    return as_text(order.amount_due, order.currency) if is_paid_on_delivery and order.amount_due else ""


def _address_lines(address: Mapping[str, str]) -> list[str]:
    """The lines of an address below the name, as they are written on a parcel."""
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
