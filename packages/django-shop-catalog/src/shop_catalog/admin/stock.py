"""Stock in the product admin: the low-stock filter, and changes of stock with a reason."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from shop_core.db.transactions import in_transaction

from shop_catalog import inventory
from shop_catalog.admin.forms import StockForm
from shop_catalog.admin.pages import PageAdmin, staff_user
from shop_catalog.exceptions import MovementConflict, ShopCatalogError
from shop_catalog.models import Product, ProductKind, SentForm, StockMovement


class StockFilter(admin.SimpleListFilter):
    """Products that are low on stock, sold out or in stock."""

    title = _("stock")
    parameter_name = "stock"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ARG002
        return [("low", _("Below its threshold")), ("out", _("Sold out")), ("in", _("In stock"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        has_stock = Q(stock_quantity__gt=F("reserved_quantity"))
        match self.value():
            case "low":
                return queryset.filter(low_stock_threshold__gt=F("stock_quantity") - F("reserved_quantity"))
            case "out":
                return queryset.exclude(has_stock).exclude(kind=ProductKind.GROUP)
            case "in":
                return queryset.filter(has_stock)
        return queryset


class StockPages(PageAdmin):
    """The action that changes the stock of the selected products, and its page."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.stock_view)
        return [path("stock/", view, name="shop_catalog_product_stock"), *super().get_urls()]

    @admin.action(description=_("Receive, adjust or count stock"), permissions=["change"])
    def change_stock(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse:  # noqa: ARG002
        ids = ",".join(str(pk) for pk in queryset.values_list("pk", flat=True))
        return self.redirect_to_page("stock", query=f"?ids={ids}")

    def stock_view(self, request: HttpRequest) -> HttpResponse:
        """A form for quantity and reason; POST changes the stock of the products named in ``ids``."""
        if not self.has_change_permission(request) or not request.user.has_perm("shop_catalog.add_stockmovement"):
            raise PermissionDenied
        ids = [int(pk) for pk in request.GET.get("ids", "").split(",") if pk.isascii() and pk.isdigit()]
        chosen = list(Product.objects.filter(pk__in=ids[:1000]).exclude(kind=ProductKind.GROUP).order_by("name"))
        form = StockForm(request.POST or None)
        if chosen and form.is_valid() and self._change_stock(request, form, chosen):
            return self.redirect_to_page("changelist")
        return self.render_page(
            request, "stock", gettext("Receive, adjust or count stock"), {"form": form, "products": chosen}
        )

    def _change_stock(self, request: HttpRequest, form: StockForm, chosen: Iterable[Product]) -> bool:
        values = form.cleaned_data
        action = {"receive": inventory.receive, "adjust": inventory.adjust, "count": inventory.count}[values["kind"]]
        quantities = {product.sku: values["quantity"] for product in chosen}
        change = partial(
            action, quantities, reason=values["reason"], reference=values["reference"], by=staff_user(request)
        )
        try:
            is_done_now = _change_once(values, change)
        except ShopCatalogError as error:
            form.add_error(None, str(error))
            return False
        if is_done_now:
            self.message_user(request, gettext("The stock was changed."), messages.SUCCESS)
        else:
            self.message_user(request, gettext("This was already done. Nothing was changed."), messages.WARNING)
        return True


@in_transaction(StockMovement)
def _change_once(values: Mapping[str, Any], change: partial[None]) -> bool:
    """Change the stock unless the form was already submitted. A second submission waits for the first.

    Raises:
        MovementConflict: the form was already submitted with other values.
    """
    submitted = [values["kind"], *map(str, change.args), values["reason"], values["reference"]]
    digest = hashlib.sha256(json.dumps(submitted).encode()).hexdigest()
    sent, is_new = SentForm.objects.get_or_create(token=values["form_token"], defaults={"digest": digest})
    if not is_new and sent.digest != digest:
        raise MovementConflict(gettext("This form was sent before, with other values. Open the page again."))
    if is_new:
        change()
    return is_new
