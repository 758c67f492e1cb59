"""The forms of the pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.renderers import DjangoTemplates
from django.forms.utils import flatatt
from django.template import loader
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from shop_orders import emails, payments, phones
from shop_orders.conf import app_settings
from shop_orders.contrib.pages import countries
from shop_orders.contrib.pages.delivery import DeliveryOption
from shop_orders.exceptions import InvalidPhone
from shop_orders.models import Address
from shop_orders.models.options import ALLOWED_INVISIBLE, BIDIRECTIONAL, INVISIBLE
from shop_orders.pricing import Draft

REMOVED = BIDIRECTIONAL | INVISIBLE


class FieldRenderer(DjangoTemplates):
    """Django's renderer with a field template of the site: label, widget, help text and errors."""

    field_template_name = "shop_orders_pages/field.html"

    def get_template(self, template_name: str) -> Any:
        """The site's engine finds the field template, so that the site can replace it; Django's, those of widgets."""
        is_ours = template_name == self.field_template_name
        return loader.get_template(template_name) if is_ours else super().get_template(template_name)


class ShopForm(forms.Form):
    """A form whose fields are written by ``shop_orders_pages/field.html``."""

    default_renderer = FieldRenderer()  # shared by all forms: each instance loads a template engine
    required_css_class = "required"


class LongSelect(forms.Select):
    """A select with hundreds of options, such as countries. Django's widget renders a template for each option."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        choices = list(self.choices)
        if any(isinstance(label, list | tuple) for _code, label in choices):  # groups of choices
            return super().render(name, value, attrs, renderer)
        texts = tuple((str(code), str(label)) for code, label in choices)
        chosen = "" if value is None else str(value)
        options = _options(texts, chosen if chosen in dict(texts) else None)
        return format_html(
            "<select{}>{}</select>", flatatt(self.build_attrs({**self.attrs, "name": name}, attrs)), options
        )


@lru_cache(maxsize=100)
def _options(choices: tuple[tuple[str, str], ...], chosen: str | None) -> SafeString:
    rows = ((code, " selected" if code == chosen else "", label) for code, label in choices)
    return format_html_join("", '<option value="{}"{}>{}</option>', rows)


class PlainField(forms.CharField):
    """Removes invisible characters and those that change the order of the text, which some programs add.

    A text without a visible character is empty.
    """

    def to_python(self, value: Any) -> Any:
        seen = "".join(character for character in str(value or "") if character not in REMOVED)
        return super().to_python(seen if seen.strip(ALLOWED_INVISIBLE + " ") else "")


def text(label: Any, *, max_length: int = 200, required: bool = True, autocomplete: str = "", **options: Any) -> Any:
    """A one-line text field that the browser can fill in."""
    widget = forms.TextInput({"autocomplete": autocomplete} if autocomplete else {})
    return PlainField(label=label, max_length=max_length, required=required, widget=widget, **options)


class PhoneField(forms.CharField):
    """A phone number in any usual form; cleaned to E.164."""

    def __init__(self, **options: Any) -> None:
        widget = forms.TextInput({"type": "tel", "autocomplete": "tel"})
        super().__init__(label=gettext_lazy("Phone"), max_length=40, widget=widget, **options)

    def clean(self, value: Any) -> str:
        try:
            return phones.normalise(super().clean(value))
        except InvalidPhone as error:
            raise ValidationError(str(error), code=error.code)


class FindOrderForm(ShopForm):
    """An order number with the address of its buyer."""

    number = text(
        gettext_lazy("Order number"),
        max_length=40,
        autocomplete="off",
        help_text=gettext_lazy("Such as ABCDE-FGHIJ."),
    )
    email = emails.EmailField(
        label=gettext_lazy("E-mail address"),
        max_length=254,
        widget=forms.EmailInput({"autocomplete": "email"}),
        help_text=gettext_lazy("The address that you gave when you ordered."),
    )


class AddressFields(ShopForm):
    """The fields of an address, named as in ``shop_orders.customers.ADDRESS_FIELDS``."""

    line1 = text(gettext_lazy("Street and house, or how to find it"), autocomplete="address-line1")
    line2 = text(gettext_lazy("Flat, floor, landmark"), required=False, autocomplete="address-line2")
    city = text(gettext_lazy("Town or city"), max_length=100, autocomplete="address-level2")
    region = text(gettext_lazy("County or region"), max_length=100, required=False, autocomplete="address-level1")
    postal_code = text(gettext_lazy("Postal code"), max_length=20, required=False, autocomplete="postal-code")
    country = forms.ChoiceField(label=gettext_lazy("Country"), widget=LongSelect({"autocomplete": "country"}))

    ADDRESS = ("line1", "line2", "city", "region", "postal_code", "country")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer("country", self.countries())

    def countries(self) -> list[tuple[str, Any]]:
        """The countries to choose from, as ISO 3166-1 codes with names. The first one is selected."""
        return countries.choices()

    def offer(self, name: str, choices: list[tuple[str, Any]]) -> None:
        """Let the customer choose from ``choices``; the first one is selected."""
        field: Any = self.fields[name]
        field.choices = choices
        field.initial = choices[0][0] if choices else None


class CheckoutForm(AddressFields):
    """Everything an order needs, on one page."""

    email = emails.EmailField(
        label=gettext_lazy("E-mail address"),
        max_length=254,
        widget=forms.EmailInput({"autocomplete": "email"}),
    )
    name = text(gettext_lazy("First and last name"), autocomplete="name")
    phone = PhoneField(
        required=False, help_text=gettext_lazy("For SMS about your delivery. You can write it in any usual form.")
    )
    remind = forms.BooleanField(
        label=gettext_lazy("Remind me once by e-mail if I do not finish this order"), required=False
    )
    delivery = forms.ChoiceField(label=gettext_lazy("Delivery"), widget=forms.RadioSelect)
    address = forms.ChoiceField(label=gettext_lazy("Where to"), widget=forms.RadioSelect, required=False)
    save_address = forms.BooleanField(label=gettext_lazy("Keep this address for next time"), required=False)
    payment = forms.ChoiceField(label=gettext_lazy("Payment"), widget=forms.RadioSelect)
    note = PlainField(
        label=gettext_lazy("A note for us"), max_length=1000, required=False, widget=forms.Textarea({"rows": 3})
    )

    field_order = (
        "email",
        "name",
        "phone",
        "remind",
        "delivery",
        "address",
        *AddressFields.ADDRESS,
        "save_address",
        "payment",
        "note",
    )

    def __init__(
        self,
        *args: Any,
        addresses: Iterable[Address] = (),
        deliveries: Mapping[str, DeliveryOption] | None = None,
        draft: Draft | None = None,
        **kwargs: Any,
    ) -> None:
        """``addresses`` are the saved ones of the customer, ``deliveries`` the options by their codes.

        ``draft`` has the total of the cart, which some payment providers may refuse.
        """
        super().__init__(*args, **kwargs)
        self.saved = {str(address.public_id): address for address in addresses}
        self.deliveries = deliveries or {"": DeliveryOption()}
        self.offer("delivery", [(code, option.label) for code, option in self.deliveries.items()])
        draft = draft or Draft(lines=(), currency=app_settings.CURRENCY)
        ways = payments.provider_choices(amount=draft.total, currency=draft.currency)
        self.offer("payment", [(way.alias, way.label) for way in ways])
        self.obstacles = {way.alias: way.obstacle.message for way in ways if way.obstacle}
        known = [(key, _in_a_line(row)) for key, row in self.saved.items()]
        self.offer("address", [*known, ("", _("Another address"))])
        if app_settings.CART_ABANDONED_AFTER is None:
            del self.fields["remind"]
        if not self.saved:
            del self.fields["address"]
        if [*self.deliveries] == [""]:
            del self.fields["delivery"]
        self.needs_address = any(option.needs_address for option in self.deliveries.values())
        for name in self.ADDRESS:
            field: Any = self.fields[name]
            field.is_needed, field.required = field.required, False

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        delivery = self.deliveries.get(values.get("delivery", ""))
        if delivery is not None and delivery.needs_address and not values.get("address"):
            for name in self.ADDRESS:
                if getattr(self.fields[name], "is_needed", False) and not values.get(name) and name not in self.errors:
                    self.add_error(name, _("We need this for the delivery."))
        return values

    def shipping_address(self) -> dict[str, str]:
        """The address of a valid form; {} if the customer collects the order."""
        values = self.cleaned_data
        if not self.deliveries[values.get("delivery", "")].needs_address:
            return {}
        saved = self.saved.get(values.get("address", ""))
        if saved is not None:
            return {**saved.as_data(), "name": saved.name or values["name"]}
        return {"name": values["name"], **{name: values[name] for name in self.ADDRESS}}


def _in_a_line(address: Address) -> str:
    """A saved address, with the name of its country."""
    return ", ".join(part for part in (address.line1, address.city, str(countries.name_of(address.country))) if part)
