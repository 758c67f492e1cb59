"""Pages of customers and their carts."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.forms.models import BaseInlineFormSet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from shop_core.model_admins import ReadOnly, SafeList

from shop_orders import customers
from shop_orders.models import Address, Cart, CartItem, Customer


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
class CustomerAdmin(SafeList):
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
class CartAdmin(ReadOnly, SafeList):
    list_display = ("public_id", "customer", "status", "updated_at")
    list_filter = ("status",)
    list_select_related = ("customer",)
    inlines = (CartItemInline,)
