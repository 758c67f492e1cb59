"""Pages of customers and their carts."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy

from shop_orders.admin.read_only import ReadOnly
from shop_orders.models import Address, Cart, CartItem, Customer


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
