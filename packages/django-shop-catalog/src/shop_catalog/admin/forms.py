"""Forms of the admin, in which every field has a name for screen readers."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib.admin.options import BaseModelAdmin
from django.contrib.admin.widgets import AdminIntegerFieldWidget, AutocompleteSelect
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from shop_catalog import images, money, products
from shop_catalog.conf import app_settings
from shop_catalog.exceptions import DuplicateValue, InvalidImage, InvalidProduct
from shop_catalog.imports import FORMAT_BY_SUFFIX, Choices, Table, maps
from shop_catalog.imports.reading import encodings
from shop_catalog.models import Product, ProductImage, ProductKind
from shop_catalog.slugs import refuse_reserved


def unreserved_slug(form: forms.ModelForm) -> str:
    """The slug of a form. One that was typed now and is a part of the API's paths is refused."""
    slug = str(form.cleaned_data["slug"])
    if "slug" in form.changed_data:
        try:
            refuse_reserved(form._meta.model, slug)
        except DuplicateValue as error:
            raise ValidationError(str(error))
    return slug


MAX_NEW_IMAGES = 20


class SeveralFiles(forms.FileInput):
    allow_multiple_selected = True

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:  # noqa: ARG002
        return files.getlist(name) or None


class ImagesField(forms.FileField):
    """Several new images at once. Each is opened and checked like any upload; an error names the file."""

    widget = SeveralFiles

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        files = [super(ImagesField, self).clean(file, initial) for file in data or []]
        if len(files) > MAX_NEW_IMAGES:
            raise ValidationError(_("Choose at most %(most)d files at once.") % {"most": MAX_NEW_IMAGES})
        errors = [error for file in files if (error := image_error(file))]
        if errors:
            raise ValidationError(errors)
        return files


def image_error(file: Any) -> str:
    """Why a file cannot be an image, with its name; empty if it can."""
    try:
        images.open_checked(file)
    except InvalidImage as error:
        return f"{file.name}: {error}"
    file.seek(0)
    return ""


class ProductForm(forms.ModelForm):
    """Applies the checks of ``products``, so that each error is shown beside its field."""

    is_free = forms.BooleanField(label=_("Free of charge"), required=False)
    new_images = ImagesField(
        label=_("New images"),
        required=False,
        help_text=_("Choose one or several files. They are added after the images below."),
    )

    class Meta:
        model = Product
        fields = "__all__"  # noqa: DJ007 - the admin names them

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("price", "compare_at_price"):
            if isinstance(self.initial.get(name), Decimal):
                self.initial[name] = money.quantise(self.initial[name])
        if self.initial.get("price") == 0:
            self.initial["is_free"] = True

    def clean_slug(self) -> str:
        return unreserved_slug(self)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        kind = values.get("kind", self.instance.kind)
        parent = values.get("parent", self.instance.parent)
        checked = Product(kind=kind, parent=parent)
        try:
            has_price = values.get("price") is not None or bool(values.get("is_free"))
            products.check_kind(checked, has_price=has_price, has_categories=False)
            for name in ("price", "compare_at_price"):
                if values.get(name) is not None and kind != ProductKind.GROUP:
                    values[name] = money.check(values[name], field=name)
        except InvalidProduct as error:
            self.add_error(error.field if error.field in self.fields else None, str(error))
        if kind != ProductKind.GROUP:
            self._clean_price(values)
        start, end = values.get("publish_from"), values.get("publish_until")
        if start and end and start >= end:
            self.add_error("publish_until", _("The publication must end after it begins."))
        return values

    def _clean_price(self, values: dict[str, Any]) -> None:
        """Accept a price of 0 only if the box is ticked, so that a typing error does not make a product free."""
        if "price" not in values or "price" in self.errors:
            return
        if values.get("is_free"):
            if values["price"]:
                self.add_error(
                    "is_free", _("Clear this box or the price: a product with a price is not free of charge.")
                )
            else:
                values["price"] = Decimal(0)
        elif values["price"] == 0:
            self.add_error("price", _("To give it away, tick “Free of charge”. Otherwise enter a price above 0."))
        elif values["price"] is None and values.get("is_active", self.instance.is_active):
            message = _("Enter a price or tick “Free of charge”. A product without a price cannot be active.")
            self.add_error("price", message)


class LabelledFormSet(forms.BaseInlineFormSet):
    """Labels each field of a table with its column's name. Up to Django 6.1, the admin labels only the columns."""

    def add_fields(self, form: forms.ModelForm, index: int | None) -> None:
        super().add_fields(form, index)
        for field in form.fields.values():
            widget: Any = getattr(field.widget, "widget", field.widget)  # the admin wraps the widget of a relation
            widget.attrs.setdefault("aria-label", capfirst(str(field.label)))


class LabelledAutocomplete(AutocompleteSelect):
    """Shows the field's name in an empty box, since screen readers read only what the box shows."""

    def build_attrs(self, base_attrs: dict[str, Any], extra_attrs: dict[str, Any] | None = None) -> dict[str, Any]:
        attrs = super().build_attrs(base_attrs, extra_attrs=extra_attrs)
        return {**attrs, "data-placeholder": capfirst(str(self.field.verbose_name))}


class LabelsAutocomplete(BaseModelAdmin):
    """Labels ``autocomplete_fields`` for screen readers."""

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs["widget"] = LabelledAutocomplete(db_field, self.admin_site, using=kwargs.get("using"))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


class ImageForm(forms.ModelForm):
    """A new image is opened and checked like any upload."""

    class Meta:
        model = ProductImage
        fields = ("file", "alt", "position", "is_primary")
        widgets = {
            "file": forms.FileInput,
            "position": AdminIntegerFieldWidget(
                attrs={
                    "data-drag": _("Drag to another position"),
                    "data-up": _("Move the image up"),
                    "data-down": _("Move the image down"),
                }
            ),
        }

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if "file" in self.changed_data:
            try:
                images.open_checked(file)
            except InvalidImage as error:
                raise ValidationError(str(error))
            file.seek(0)
        return file


class FormToken(forms.UUIDField):
    """A hidden field that is different on each page, so that a form that is submitted twice takes effect once."""

    widget = forms.HiddenInput

    def __init__(self, **options: Any) -> None:
        super().__init__(label="", initial=uuid.uuid4, **options)
        self.error_messages = dict.fromkeys(self.error_messages, _("Check the form and send it again."))

    def bound_data(self, data: Any, initial: Any) -> Any:
        return data or initial


class StockForm(forms.Form):
    """One change of stock for the selected products."""

    form_token = FormToken()
    kind = forms.ChoiceField(
        label=_("Type of change"),
        choices=[
            ("receive", _("Receive: add delivered goods")),
            ("adjust", _("Adjust: correct by a difference, up or down")),
            ("count", _("Count: set the quantity on hand")),
        ],
    )
    quantity = forms.IntegerField(label=_("Quantity"), min_value=-(2**31) + 1, max_value=2**31 - 1)
    reason = forms.CharField(label=_("Reason"), max_length=200)
    reference = forms.CharField(
        label=_("Reference"),
        max_length=100,
        required=False,
        help_text=_("A delivery note, for example. The same reference is recorded only once."),
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        for message in self.errors.pop("form_token", ()):  # the field is hidden
            self.add_error(None, message)
        quantity = values.get("quantity")
        if quantity is not None and values.get("kind") != "adjust" and quantity < 0:
            self.add_error("quantity", _("Only an adjustment can be negative."))
        if quantity == 0 and values.get("kind") != "count":
            self.add_error("quantity", _("Enter a quantity other than 0."))
        return values


class UploadForm(forms.Form):
    """A file of products, shown as a preview before it is imported."""

    file = forms.FileField(
        label=_("File"), help_text=_("CSV, Excel, OpenDocument or JSON, also from Shopify and WooCommerce.")
    )

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > app_settings.BULK_MAX_BYTES:
            raise ValidationError(_("The file is larger than this shop accepts. Split it."))
        if file.name.rpartition(".")[2].lower() not in FORMAT_BY_SUFFIX:
            known = ", ".join(f".{suffix}" for suffix in FORMAT_BY_SUFFIX)
            raise ValidationError(_("The name of the file must end in one of: %(known)s.") % {"known": known})
        return file


class ChoicesForm(forms.Form):
    """How a file is read. Empty fields are found out. ``column_<letter>`` says what a column holds."""

    column_map = forms.ChoiceField(label=_("Kind of file"), required=False)
    encoding = forms.ChoiceField(label=_("Encoding"), required=False)
    delimiter = forms.ChoiceField(label=_("Delimiter"), required=False)
    sheet = forms.ChoiceField(label=_("Sheet"), required=False)
    header_row = forms.IntegerField(label=_("Row of the header"), required=False, min_value=1, max_value=100)
    decimal = forms.ChoiceField(label=_("Decimal sign"), required=False)
    date_order = forms.ChoiceField(label=_("Dates"), required=False)

    def __init__(self, data: Any = None, *, table: Table | None = None) -> None:
        super().__init__(data)
        found = ("", _("found automatically"))
        self.table = table
        fields: Any = self.fields
        fields["column_map"].choices = [found, *((name, name) for name in maps.names())]
        fields["encoding"].choices = [found, *((name, encodings.label(name)) for name in encodings.CHOICES)]
        fields["delimiter"].choices = [
            found,
            (",", _("comma")),
            (";", _("semicolon")),
            ("\t", _("tab")),
            ("|", _("vertical bar")),
        ]
        fields["decimal"].choices = [found, (",", _("comma: 1.234,56")), (".", _("point: 1,234.56"))]
        fields["date_order"].choices = [found, ("day", _("day before month")), ("month", _("month before day"))]
        if table is None:
            fields["sheet"] = forms.CharField(required=False)
            return
        fields["sheet"].choices = [found, *((name, name) for name in table.sheets)]
        for name in ["sheet"] if table.delimiter else ["encoding", "delimiter"]:
            del fields[name]

    def choices(self) -> Choices:
        """The valid choices; the others are found out."""
        self.full_clean()
        values = {name: value for name, value in self.cleaned_data.items() if value}
        columns = {
            "#" + name.removeprefix("column_"): value
            for name, value in self.data.items()
            if name.startswith("column_")
        }
        chosen = {letter: "" if value == "-" else value for letter, value in columns.items() if value}
        return Choices(**values, columns=chosen)
