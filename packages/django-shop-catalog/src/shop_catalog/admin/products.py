"""Products: one page with images, variants, categories, prices and stock; stock changes with a reason; import."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib import admin, messages
from django.db.models import JSONField, QuerySet
from django.forms import Textarea
from django.http import HttpRequest
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from shop_catalog import images, money, products
from shop_catalog.admin.downloads import ExportPages
from shop_catalog.admin.forms import (
    ImageForm,
    LabelledFormSet,
    LabelsAutocomplete,
    ProductForm,
)
from shop_catalog.admin.pages import staff_user
from shop_catalog.admin.stock import StockFilter, StockPages
from shop_catalog.admin.uploads import ImportPages
from shop_catalog.exceptions import ShopCatalogError
from shop_catalog.models import Product, ProductCategory, ProductImage, ProductKind, StockMovement
from shop_catalog.search import backend

GENERATED_REFERENCE = re.compile("[0-9a-f]{32}")
"""A reference that the ledger generated because none was given."""

VARIANT_FIELDS = {"parent", "options", "position"}
SELLABLE_FIELDS = {
    "is_free",
    "compare_at_price",
    "price_history",
    "on_hand",
    "reserved",
    "available",
    "low_stock_threshold",
    "stock_history",
}
"""Fields of simple products and variants."""

MAX_NAMED = 10
"""Products named in the message of an action that could not change them."""

MAX_FOUND = 200
"""The maximum number of products that a search of the list finds."""

MOST_SORTED = 20_000
"""With more products than this, the list has one order: the newest first."""

HISTORY = 10
"""Price changes and stock movements shown on a product's page."""


class CategoryInline(LabelsAutocomplete, admin.TabularInline):
    model = ProductCategory
    formset = LabelledFormSet
    extra = 0
    fields = ("category", "position")
    autocomplete_fields = ("category",)
    verbose_name = _("category")
    verbose_name_plural = _("categories")


class ImageInline(admin.TabularInline):
    model = ProductImage
    form = ImageForm
    formset = LabelledFormSet
    extra = 0
    fields = ("preview", "file", "alt", "position", "is_primary")
    readonly_fields = ("preview",)

    class Media:
        js = ("shop_catalog/image_order.js",)

    @admin.display(description=_("Preview"))
    def preview(self, image: ProductImage) -> SafeString | str:
        if not image.file:
            return ""
        if image.renditions_for and not image.renditions:
            return gettext("This file cannot be read. Upload the image again.")
        return format_html('<img src="{}" alt="{}" width="80">', image.rendition_url("thumb"), image.alt)


class VariantInline(admin.TabularInline):
    """The variants of a group, each with a page of its own."""

    model = Product
    fk_name = "parent"
    extra = 0
    can_delete = False
    show_change_link = True
    verbose_name = _("variant")
    verbose_name_plural = _("variants")
    fields = ("sku", "options", "price_now", "stock_quantity", "reserved_quantity", "is_active")
    readonly_fields = fields

    @admin.display(description=_("Price"))
    def price_now(self, product: Product) -> str:
        return _amount(product)

    def get_view_on_site_url(self, obj: Product | None = None) -> str | None:
        return _page_url(obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False


@admin.register(Product)
class ProductAdmin(LabelsAutocomplete, StockPages, ImportPages, ExportPages):
    form = ProductForm
    change_form_template = "admin/shop_catalog/product/change_form.html"
    change_list_template = "admin/shop_catalog/product/change_list.html"
    list_display = ("name", "sku", "kind", "price_now", "on_hand", "reserved", "available", "is_active", "is_featured")
    list_filter = ("kind", StockFilter, "is_active", "is_featured")
    list_select_related = ("parent",)
    search_fields = ("name", "sku", "slug")
    show_full_result_count = False
    prepopulated_fields = {"slug": ("name",)}
    autocomplete_fields = ("parent",)
    actions = ("publish", "unpublish", "change_stock")
    readonly_fields = ("on_hand", "reserved", "available", "rating", "price_history", "stock_history")
    inlines = (CategoryInline, ImageInline, VariantInline)
    formfield_overrides = {JSONField: {"widget": Textarea(attrs={"rows": 3, "cols": 60})}}
    fieldsets = (
        (None, {"fields": ("name", "slug", "sku", "kind", "parent", "options", "description", "attributes")}),
        (_("Images"), {"fields": ("new_images",)}),
        (_("Price"), {"fields": ("price", "is_free", "compare_at_price", "tax_class", "price_history")}),
        (
            _("Publication"),
            {"fields": ("is_active", "is_featured", "publish_from", "publish_until", "position", "rating")},
        ),
        (
            _("Stock"),
            {"fields": ("on_hand", "reserved", "available", "low_stock_threshold", "weight", "stock_history")},
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Product | None = None) -> Any:
        fixed = super().get_readonly_fields(request, obj)
        if obj is None:
            return fixed
        return (*fixed, "sku", "kind", "parent", "price_now")

    def get_fieldsets(self, request: HttpRequest, obj: Product | None = None) -> Any:
        """An existing product shows the fields of its kind. A new one shows the fields that can be set."""
        if obj is None:
            hidden = set(self.readonly_fields)
        elif obj.kind == ProductKind.GROUP:
            hidden = VARIANT_FIELDS | SELLABLE_FIELDS
        else:
            hidden = set() if obj.kind == ProductKind.VARIANT else VARIANT_FIELDS
        if not (self.has_change_permission(request, obj) if obj is not None else self.has_add_permission(request)):
            hidden = hidden | {"is_free"}  # the price is shown, and nothing can be entered
        if not self._may_add_images(request):
            hidden = hidden | {"new_images"}
        is_group = obj is not None and obj.kind == ProductKind.GROUP
        fieldsets = []
        for title, options in super().get_fieldsets(request, obj):
            names = ["price_now" if is_group and name == "price" else name for name in options["fields"]]
            shown = [name for name in names if name not in hidden]
            if shown:
                fieldsets.append((title, {**options, "fields": shown}))
        return fieldsets

    def get_view_on_site_url(self, obj: Product | None = None) -> str | None:
        return _page_url(obj)

    def get_prepopulated_fields(self, request: HttpRequest, obj: Product | None = None) -> Any:
        return {} if obj is not None else super().get_prepopulated_fields(request, obj)

    def get_inlines(self, request: HttpRequest, obj: Product | None) -> Any:  # noqa: ARG002
        if obj is None:
            return (CategoryInline, ImageInline)
        if obj.kind == ProductKind.VARIANT:
            return (ImageInline,)
        return self.inlines if obj.kind == ProductKind.GROUP else (CategoryInline, ImageInline)

    @admin.display(description=_("Price"), ordering="price")
    def price_now(self, product: Product) -> str:
        return _amount(product)

    @admin.display(description=_("On hand"), ordering="stock_quantity")
    def on_hand(self, product: Product) -> int:
        return product.stock_quantity

    @admin.display(description=_("Reserved"), ordering="reserved_quantity")
    def reserved(self, product: Product) -> int:
        return product.reserved_quantity

    @admin.display(description=_("Available"))
    def available(self, product: Product) -> str:
        warning = " ⚠" if product.is_low_on_stock else ""
        return f"{product.available_quantity}{warning}"

    @admin.display(description=_("Rating"))
    def rating(self, product: Product) -> str:
        return f"{product.rating_average} ({product.rating_count})"

    @admin.display(description=_("Earlier prices"))
    def price_history(self, product: Product) -> SafeString | str:
        changes = product.price_changes.all()[:HISTORY]
        return _lines(
            (_time(change.changed_at), f"{_text(change.old_price)} → {_text(change.new_price)}") for change in changes
        )

    @admin.display(description=_("Last movements"))
    def stock_history(self, product: Product) -> SafeString | str:
        moves = product.stock_movements.all()[:HISTORY]
        return _lines(
            (
                _time(move.created_at),
                move.get_kind_display(),
                f"{move.stock_change or move.reserved_change:+d}",
                move.reason,
                "" if GENERATED_REFERENCE.fullmatch(move.reference) else move.reference,
            )
            for move in moves
        )

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Save nothing if somebody else changed or deleted the product after the form was checked."""
        try:
            return super().changeform_view(request, *args, **kwargs)
        except ShopCatalogError as error:
            self.message_user(request, str(error), messages.ERROR)
            return redirect(request.get_full_path())

    def save_model(self, request: HttpRequest, obj: Product, form: Any, change: bool) -> None:  # noqa: FBT001
        """Write the changed fields with ``products.create`` and ``products.change``."""
        fields = products.ProductValues.__annotations__.keys() - {"categories"}
        names = form.changed_data if change else form.cleaned_data
        names = {"price" if name == "is_free" else name for name in names}
        values: Any = {name: form.cleaned_data[name] for name in names if name in fields and name in form.cleaned_data}
        if change:
            written = products.change(products.get(obj.sku), by=staff_user(request), **values)
        else:
            written = products.create(obj.sku, kind=obj.kind, parent=obj.parent, by=staff_user(request), **values)
        obj.pk = written.pk
        obj.refresh_from_db()
        obj._state.adding = False  # noqa: SLF001 - another instance of the same row was saved

    def get_sortable_by(self, request: HttpRequest) -> Any:
        """All columns, or none in a large shop: to sort a million products takes 8 seconds."""
        is_large = Product.objects.order_by()[MOST_SORTED : MOST_SORTED + 1].exists()
        return () if is_large else super().get_sortable_by(request)

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        """The ``MAX_FOUND`` best matches of the shop's own search, variants included."""
        if not search_term.strip():
            return super().get_search_results(request, queryset, search_term)
        found = backend(Product).suggest(queryset.select_related(None).only("pk"), search_term, limit=MAX_FOUND)
        return queryset.filter(pk__in=[product.pk for product in found]), False

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Delete a product's stock movements with it, though staff may not delete a movement by itself."""
        to_delete, counts, perms_needed, protected = super().get_deleted_objects(objs, request)
        return to_delete, counts, perms_needed - {StockMovement._meta.verbose_name}, protected

    def delete_model(self, request: HttpRequest, obj: Product) -> None:  # noqa: ARG002
        products.delete(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:  # noqa: ARG002
        variants_first = sorted(queryset, key=lambda product: product.parent_id is None)
        for product in variants_first:
            products.delete(product)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:  # noqa: FBT001
        super().save_related(request, form, formsets, change)
        if self._may_add_images(request):
            for file in form.cleaned_data.get("new_images") or ():
                images.add(form.instance, file=file)

    def _may_add_images(self, request: HttpRequest) -> bool:
        may_change = self.has_change_permission(request) or self.has_add_permission(request)
        return may_change and request.user.has_perm("shop_catalog.add_productimage")

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:  # noqa: FBT001
        if formset.model is ProductCategory:
            self._save_categories(form.instance, formset)
        elif formset.model is ProductImage:
            self._save_images(form.instance, formset)
        else:
            super().save_formset(request, form, formset, change)

    @admin.action(description=_("Publish selected products"), permissions=["change"])
    def publish(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._set_active(request, queryset, is_active=True)

    @admin.action(description=_("Unpublish selected products"), permissions=["change"])
    def unpublish(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._set_active(request, queryset, is_active=False)

    def _set_active(self, request: HttpRequest, queryset: QuerySet[Any], *, is_active: bool) -> None:
        refused: defaultdict[str, list[str]] = defaultdict(list)
        for product in queryset.select_related("parent"):
            try:
                products.change(product, is_active=is_active, by=staff_user(request))
            except ShopCatalogError as error:
                refused[str(error)].append(product.sku)
        count = len(queryset) - sum(map(len, refused.values()))
        if count or not refused:
            self.message_user(request, gettext("%(count)d products changed.") % {"count": count}, messages.SUCCESS)
        for reason, skus in refused.items():
            names = ", ".join(skus[:MAX_NAMED]) + (" …" if len(skus) > MAX_NAMED else "")
            message = gettext("Not changed: %(names)s. %(reason)s") % {"names": names, "reason": reason}
            self.message_user(request, message, messages.ERROR)

    def _save_categories(self, product: Product, formset: Any) -> None:
        kept = [
            form
            for form in formset.forms
            if form.cleaned_data.get("category") is not None and form not in formset.deleted_forms
        ]
        kept.sort(key=lambda form: form.cleaned_data.get("position") or 0)
        _report_no_objects(formset)
        if formset.has_changed():
            products.change(product, categories=[form.cleaned_data["category"] for form in kept])

    def _save_images(self, product: Product, formset: Any) -> None:
        _report_no_objects(formset)
        for form in formset.forms:
            values = form.cleaned_data
            if form in formset.deleted_forms:
                if form.instance.pk is not None:
                    images.remove(form.instance)
            elif "file" in form.changed_data:
                old = ProductImage.objects.filter(pk=form.instance.pk).first() if form.instance.pk else None
                images.add(product, file=values["file"], alt=values["alt"], is_primary=values["is_primary"])
                if old is not None:
                    images.remove(old)
            elif form.has_changed():
                images.change(form.instance, alt=values["alt"], position=values["position"])
                if values["is_primary"]:
                    images.make_primary(form.instance)


def _report_no_objects(formset: Any) -> None:
    """Set the attributes that Django's admin log reads. ``formset.save()``, which would set them, is not called."""
    formset.new_objects = []
    formset.changed_objects = []
    formset.deleted_objects = []


def _amount(product: Product) -> str:
    return "-" if product.price is None else f"{_text(product.price)}\N{NO-BREAK SPACE}{product.currency}"


def _text(price: Decimal | None) -> str:
    return money.as_text(price) or "-"


def _page_url(product: Product | None) -> str | None:
    """The URL of the product's page, by ``PRODUCT_URL``; None if it is not set, so that the admin shows no link."""
    return (product.get_absolute_url() if product is not None else "") or None


def _time(moment: datetime) -> str:
    """The time in the site's time zone, as in the forms."""
    local = timezone.localtime(moment) if timezone.is_aware(moment) else moment
    return date_format(local, "SHORT_DATETIME_FORMAT")


def _lines(rows: Iterable[tuple[Any, ...]]) -> SafeString | str:
    return (
        format_html_join("", "<div>{}</div>", ((" · ".join(str(part) for part in row if part),) for row in rows))
        or "-"
    )
