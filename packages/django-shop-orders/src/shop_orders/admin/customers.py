"""Pages of customers and their carts."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.db.models import QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from shop_core.model_admins import ReadOnly, SafeList

from shop_orders import customers, personal_data
from shop_orders.admin.bases import LongList
from shop_orders.models import Address, Cart, CartItem, CartReminder, Customer, Erasure


class AddressForm(forms.ModelForm):
    """The formset checks that one address at most is the default: a single form cannot see the others."""

    class Meta:
        model = Address
        fields = ("label", *customers.ADDRESS_FIELDS, "is_default")

    def _get_validation_exclusions(self) -> set[str]:
        """Django 5.2 has no public hook for this; ``validate_constraints`` came with 6.0."""
        return {*super()._get_validation_exclusions(), "is_default"}  # type: ignore[misc]


class AddressFormSet(BaseInlineFormSet):
    def clean(self) -> None:
        super().clean()
        if len(self._defaults()) > 1:
            raise forms.ValidationError(_("Only one address can be the default."))

    def save(self, commit: bool = True) -> Any:  # noqa: FBT001, FBT002 - Django's signature
        """Save the addresses. The customer is locked, and the old default is unset first: there is one at most."""
        Customer.objects.select_for_update(of=("self",)).filter(pk=self.instance.pk).first()
        if self._defaults():
            Address.objects.filter(customer=self.instance, is_default=True).update(is_default=False)
        saved = super().save(commit=commit)
        for form in self._defaults():
            Address.objects.filter(pk=form.instance.pk).update(is_default=True)
        return saved

    def _defaults(self) -> list[Any]:
        kept = (form for form in self.forms if form not in self.deleted_forms)
        return [form for form in kept if getattr(form, "cleaned_data", {}).get("is_default")]


class AddressInline(admin.StackedInline):
    model = Address
    form = AddressForm
    formset = AddressFormSet
    extra = 0


@admin.register(Customer)
class CustomerAdmin(LongList):
    list_display = ("__str__", "email", "phone", "language", "is_guest", "created_at")
    search_fields = (
        *("first_name__icontains", "last_name__icontains", "email__icontains", "phone__contains"),
        "public_id",
    )
    readonly_fields = ("public_id", "created_at", "updated_at", "anonymised_at")
    raw_id_fields = ("user",)
    inlines = (AddressInline,)
    actions = ("export_personal_data", "erase_personal_data")

    def has_erase_permission(self, request: HttpRequest) -> bool:
        """For the actions, which ask for a permission of their own."""
        return bool(request.user.has_perm("shop_orders.erase_customer")) and self.has_view_permission(request)

    @admin.action(description=gettext_lazy("Export personal data"), permissions=["erase"])
    def export_personal_data(self, request: HttpRequest, queryset: QuerySet[Customer]) -> HttpResponse:  # noqa: ARG002
        """A JSON file with what is stored about the chosen customers."""
        found = [personal_data.export_everywhere(personal_data.person_of_customer(row)) for row in queryset]
        response = JsonResponse({"people": found}, json_dumps_params={"indent": 2, "ensure_ascii": False})
        response["Content-Disposition"] = 'attachment; filename="personal-data.json"'
        return response

    @admin.action(description=gettext_lazy("Erase personal data"), permissions=["erase"])
    def erase_personal_data(self, request: HttpRequest, queryset: QuerySet[Customer]) -> HttpResponse | None:
        """Ask for confirmation, since this cannot be undone. Then erase, and list what is erased later."""
        if "confirmed" in request.POST:
            for customer in queryset:
                self._erase(request, customer)
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": _("Erase personal data"),
            "opts": self.opts,
            "customers": queryset,
            "checkbox": helpers.ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/shop_orders/customer/erase.html", context)

    def _erase(self, request: HttpRequest, customer: Customer) -> None:
        erasure = personal_data.erase_everywhere(personal_data.person_of_customer(customer), by=request.user)
        for entry in erasure.waiting:
            text = _("%(what)s: %(reason)s It will be erased later. Everything else is erased.")
            self.message_user(request, text % entry, messages.WARNING)
        if not erasure.waiting:
            done = _("The personal data of customer %(customer)s is erased.")
            self.message_user(request, done % {"customer": customer.public_id}, messages.SUCCESS)

    @admin.display(boolean=True, description=gettext_lazy("guest"))
    def is_guest(self, customer: Customer) -> bool:
        return customer.is_guest


class CartItemInline(ReadOnly, admin.TabularInline):
    model = CartItem
    extra = 0


class CartReminderInline(ReadOnly, admin.TabularInline):
    model = CartReminder
    fields = ("email", "language", "agreed_at", "announced_at")
    readonly_fields = ("announced_at",)
    extra = 0


@admin.register(Cart)
class CartAdmin(ReadOnly, LongList):
    list_display = ("public_id", "customer", "status", "updated_at")
    list_select_related = ("customer",)
    inlines = (CartItemInline, CartReminderInline)


@admin.register(Erasure)
class ErasureAdmin(ReadOnly, SafeList):
    list_display = ("__str__", "requested_at", "actor", "waits_for", "finished_at")
    list_select_related = ("actor",)
    fields = ("requested_at", "actor", "waits_for", "finished_at")

    @admin.display(description=gettext_lazy("waiting for"))
    def waits_for(self, erasure: Erasure) -> str:
        return " ".join(f"{entry['what']}: {entry['reason']}" for entry in erasure.waiting)
