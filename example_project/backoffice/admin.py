"""The order pages of the admin: those of shop_orders with the information of the other packages."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from shop_catalog import categories
from shop_core.db.finding import MOST_COUNTED
from shop_notify import outbox
from shop_notify.exceptions import ShopNotifyError
from shop_notify.models import Notification
from shop_orders.admin import STEPS, OrderAdmin, possible_steps
from shop_orders.admin.forms import StepForm
from shop_orders.contrib.pages.templatetags.shop_orders_pages import money
from shop_orders.exceptions import ShopOrdersError
from shop_orders.models import IncomingPayment, Order, OrderLine, OrderStatus, PaymentStatus
from shop_orders.payment_providers import label_of
from storefront import shipping

from backoffice import order_page, sales, steps

FORWARD = frozenset({"confirm", "process", "ship", "deliver", "pay", "capture"})
"""Steps of the normal course of an order; the others are for exceptions."""


TONES: dict[str, str] = {
    OrderStatus.SHIPPED: "good",
    OrderStatus.DELIVERED: "good",
    OrderStatus.CANCELLED: "bad",
    PaymentStatus.PAID: "good",
    PaymentStatus.FAILED: "bad",
}


class SalesFilter(admin.SimpleListFilter):
    """Orders that count as sales, or those that do not."""

    title = _("counts as a sale")
    parameter_name = "sales"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ARG002
        return [("yes", _("Yes")), ("no", _("No, it is cancelled"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:  # noqa: ARG002
        match self.value():
            case "yes":
                return queryset.exclude(status=OrderStatus.CANCELLED)
            case "no":
                return queryset.filter(status=OrderStatus.CANCELLED)
        return queryset


class CategoryFilter(admin.SimpleListFilter):
    """Orders with a product of a category or of its subcategories, among the newest that match the other filters.


    Without this limit, a search for a category that no order has would read all order lines.
    """

    title = _("category (of the newest 10,000)")
    parameter_name = "category"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ARG002
        roots = categories.current_tree().children.get(None, ())
        return [*((node.slug, node.name) for node in roots), (sales.NO_CATEGORY, _("No longer in a category"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:  # noqa: ARG002
        slug = self.value()
        if not slug:
            return queryset
        lines = OrderLine.objects.filter(sales.lines_in_category(slug), order=OuterRef("pk"))
        newest = queryset.order_by("-placed_at", "-pk").values("pk")[:MOST_COUNTED]
        return queryset.filter(Exists(lines), pk__in=newest)


admin.site.unregister(Order)


@admin.register(Order)
class OrderWorkplace(OrderAdmin):
    list_filter = (*OrderAdmin.list_filter, SalesFilter, CategoryFilter)  # type: ignore[assignment]
    list_display = ("number", "status_pill", "payment_state", "payment_method", "amount", "contact_name", "placed")  # type: ignore[assignment]
    change_form_template = "backoffice/order.html"

    @admin.display(description=_("status"), ordering="status")
    def status_pill(self, order: Order) -> str:
        return _pill(order.get_status_display(), TONES.get(order.status, ""))

    @admin.display(description=_("payment"), ordering="payment_status")
    def payment_state(self, order: Order) -> str:
        return _pill(order.get_payment_status_display(), TONES.get(order.payment_status, ""))

    @admin.display(description=_("total"), ordering="total")
    def amount(self, order: Order) -> str:
        return money(order.total, order.currency)

    @admin.display(description=_("placed"), ordering="placed_at")
    def placed(self, order: Order) -> str:
        return date_format(localtime(order.placed_at), "SHORT_DATETIME_FORMAT")

    def get_urls(self) -> list[Any]:
        resend = self.admin_site.admin_view(require_POST(self.resend))
        own = path("<int:order_id>/resend/<uuid:public_id>/", resend, name="backoffice_resend")
        return [own, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The page of an order. It has no form to save; changes are made by steps."""
        order = self.get_object(request, unquote(object_id))
        if order is None:
            return super().change_view(request, object_id, form_url, extra_context)
        if request.method == "POST" or not self.has_view_permission(request, order):
            raise PermissionDenied
        names = [name for name in possible_steps(order) if self._may(request, STEPS[name])]
        may_see_messages = request.user.has_perm("shop_notify.view_notification")
        context = {
            **self.admin_site.each_context(request),
            **(extra_context or {}),
            "title": _("Order %(number)s") % {"number": order.number},
            "opts": self.opts,
            "original": order,
            "steps": [(name, STEPS[name].label, name in FORWARD) for name in names],
            "entries": order_page.entries(order, with_messages=may_see_messages),
            "may_resend": request.user.has_perm("shop_notify.resend_notification"),
            "lines": order.lines.all(),
            "charges": order.charges.all(),
            "payments": [
                (payment, label_of(payment.provider))
                for payment in order.payments.prefetch_related("refunds").order_by("pk")
            ],
            "held_money": order.incoming_payments.filter(status=IncomingPayment.Status.HELD).order_by("pk"),
            "credits": order.credits.order_by("pk"),
            "shipments": order.shipments.prefetch_related("lines__order_line"),
            "delivery": shipping.choices().get(order.delivery),
            "payment_method": self.payment_method(order),
            "form_token": uuid.uuid4(),
            "others": Order.objects.filter(customer=order.customer).exclude(pk=order.pk).order_by("-placed_at")[:5],
        }
        return TemplateResponse(request, self.change_form_template, context)

    def step(self, request: HttpRequest, order_id: int, name: str) -> HttpResponse:
        """Show the form of a step and a preview of its messages, then take the step."""
        order = get_object_or_404(Order.objects.select_related("customer"), pk=order_id)
        if name not in STEPS:
            raise Http404
        if not self._may(request, STEPS[name]):
            raise PermissionDenied
        form = STEPS[name].form(request.POST or None, order=order)
        if request.method == "POST" and "look" not in request.POST:
            try:
                is_done = self.take_step(request, name, order, form)
            except ShopOrdersError as error:
                form.add_error(None, str(error))
            else:
                if is_done:
                    return redirect("admin:shop_orders_order_change", order_id)
        context = {
            **self.admin_site.each_context(request),
            "title": STEPS[name].label,
            "opts": self.opts,
            "order": order,
            "form": form,
            "name": name,
            "preview": self._preview(request, name, order, form),
        }
        return TemplateResponse(request, "backoffice/step.html", context)

    def resend(self, request: HttpRequest, order_id: int, public_id: uuid.UUID) -> HttpResponse:
        """Send a message about the order once more, to the same address."""
        if not request.user.has_perm("shop_notify.resend_notification") or not self.has_view_permission(request):
            raise PermissionDenied
        order = get_object_or_404(Order, pk=order_id)
        row = get_object_or_404(Notification.objects.about(order.number), public_id=public_id)
        try:
            token = uuid.UUID(request.POST.get("form_token", ""))
            _resent, is_new = outbox.resend_once(row, key=token.hex)
        except (ShopNotifyError, ValueError) as error:
            problem = str(error) if isinstance(error, ShopNotifyError) else gettext("Press the button once more.")
            self.message_user(request, problem, messages.ERROR)
        else:
            text = gettext("It will be sent to %(to)s.")
            if not is_new:
                text = gettext("This form was already submitted. The message to %(to)s is not sent a second time.")
            self.message_user(request, text % {"to": row.address}, messages.SUCCESS if is_new else messages.WARNING)
        return redirect("admin:shop_orders_order_change", order_id)

    def _preview(self, request: HttpRequest, name: str, order: Order, form: StepForm) -> steps.StepPreview | None:
        """The messages that the step would send; None for a note, which sends none, and for an invalid form."""
        if name == "note":
            return None
        if not form.is_bound:
            form_class = STEPS[name].form
            blank = form_class(None, order=order)
            values = {field: blank.get_initial_for_field(blank.fields[field], field) for field in blank.fields}
            given = {field: value for field, value in values.items() if value is not None and value is not False}
            form = form_class(given, order=order)
        return steps.preview(name, order, form.options(), by=request.user) if form.is_valid() else None


def _pill(words: str, tone: str) -> str:
    return format_html('<span class="pill {}">{}</span>', tone, capfirst(words))
