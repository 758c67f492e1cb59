"""The order's pages as a workplace, over those of shop_orders: what the packages cannot know of each other."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from shop_catalog import category_tree
from shop_orders.admin import OrderAdmin
from shop_orders.models import Order, OrderLine, OrderStatus

from backoffice import sales


class SalesFilter(admin.SimpleListFilter):
    """What the figures count."""

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


class ShelfFilter(admin.SimpleListFilter):
    """Orders with a product of a category or below it."""

    title = _("category")
    parameter_name = "shelf"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ARG002
        roots = category_tree.current().children.get(None, ())
        return [*((node.slug, node.name) for node in roots), (sales.NO_CATEGORY, _("In no category any more"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:  # noqa: ARG002
        slug = self.value()
        if not slug:
            return queryset
        lines = OrderLine.objects.filter(sales.lines_on_shelf(slug), order=OuterRef("pk"))
        return queryset.filter(Exists(lines))


admin.site.unregister(Order)


@admin.register(Order)
class OrderWorkplace(OrderAdmin):
    list_filter = ("status", "payment_status", SalesFilter, ShelfFilter, "payment_provider", "currency", "placed_at")
