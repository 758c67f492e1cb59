"""The page of money that customers sent by hand: staff record it for an order, or dismiss it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from shop_orders import payments
from shop_orders.admin.amounts import amount_of
from shop_orders.admin.bases import OrderRecordAdmin
from shop_orders.exceptions import ShopOrdersError
from shop_orders.models import IncomingPayment, Order
from shop_orders.payments import candidates

AMOUNT = amount_of(IncomingPayment, "amount")


class AssignForm(forms.Form):
    """Choose the order that the money was meant for."""

    number = forms.CharField(label=gettext_lazy("Order"), max_length=40)
    is_seen = forms.BooleanField(
        label=gettext_lazy("I have seen this money on the provider's statement"),
        help_text=gettext_lazy("The provider has not confirmed it, so the report may be untrue."),
    )
    notify = forms.BooleanField(label=gettext_lazy("Notify the customer"), required=False, initial=True)

    def __init__(self, *args: Any, incoming: IncomingPayment, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if incoming.is_confirmed:
            del self.fields["is_seen"]

    def clean_number(self) -> Order:
        number = self.cleaned_data["number"].strip()
        order = Order.objects.numbered(number).first()
        if order is None:
            raise forms.ValidationError(_("There is no order with the number %(number)s.") % {"number": number})
        return order


class DismissForm(forms.Form):
    comment = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=500,
        help_text=gettext_lazy("For example: sent back in the provider's portal, or not for an order."),
    )


@admin.register(IncomingPayment)
class IncomingPaymentAdmin(OrderRecordAdmin):
    list_display = ("receipt", "status", AMOUNT, "account", "payer_name", "payer_phone", "order", "received_at")
    list_filter = ("status", "received_at")
    search_fields = (
        *("receipt__icontains", "account__icontains", "payer_name__icontains", "payer_phone__contains"),
        "order__number__icontains",
    )
    list_select_related = ("order",)
    change_form_template = "admin/shop_orders/incomingpayment/change_form.html"
    fields = (
        "status",
        "reason",
        AMOUNT,
        "order",
        "account",
        "payer_name",
        "payer_phone",
        "provider",
        "receipt",
        "is_confirmed",
        "paid_at",
        "received_at",
        "payment",
        "actor",
        "comment",
    )
    readonly_fields = fields

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        if row is None or not self.has_view_permission(request, row):
            return super().change_view(request, object_id, form_url, extra_context)
        may_decide = request.user.has_perm("shop_orders.refund_order")
        if request.method == "POST" and not may_decide:
            raise PermissionDenied
        wanted = request.POST.get("decision") if request.method == "POST" else None
        named = row.order.number if row.order else ""
        assign = AssignForm(request.POST if wanted == "assign" else None, incoming=row, initial={"number": named})
        dismiss = DismissForm(request.POST if wanted == "dismiss" else None)
        if wanted == "assign" and assign.is_valid():
            return self._decide(request, row, assign)
        if wanted == "dismiss" and dismiss.is_valid():
            return self._decide(request, row, dismiss)
        context = {"assign_form": assign, "dismiss_form": dismiss, "candidates": candidates.of(row)}
        is_open = may_decide and row.status == IncomingPayment.Status.HELD
        if wanted is not None:
            request.method = "GET"  # shows the refused form again; the model's own form cannot be sent
        return super().change_view(
            request, object_id, form_url, {**(extra_context or {}), **context, "is_open": is_open}
        )

    def _decide(self, request: HttpRequest, row: IncomingPayment, form: AssignForm | DismissForm) -> HttpResponse:
        values = form.cleaned_data
        try:
            if isinstance(form, AssignForm):
                payments.assign_incoming(row.pk, values["number"].pk, by=request.user, notify=values["notify"])
                text = _("The money was recorded for the order %(number)s.") % {"number": values["number"]}
            else:
                payments.dismiss_incoming(row.pk, comment=values["comment"], by=request.user)
                text = _("The money was dismissed.")
        except ShopOrdersError as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            self.message_user(request, text, messages.SUCCESS)
        page = reverse("admin:shop_orders_incomingpayment_change", args=[row.pk], current_app=self.admin_site.name)
        return redirect(page)
