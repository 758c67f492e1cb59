"""The shop's forms."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy, pgettext_lazy
from shop_orders.contrib.pages import countries
from shop_orders.contrib.pages import forms as pages_forms
from shop_orders.contrib.pages.forms import AddressFields, PhoneField, ShopForm, text

TEXT_LIMIT = 5000
RATINGS = [
    (5, gettext_lazy("5 stars: excellent")),
    (4, gettext_lazy("4 stars: good")),
    (3, gettext_lazy("3 stars: all right")),
    (2, gettext_lazy("2 stars: weak")),
    (1, gettext_lazy("1 star: poor")),
]


class ReviewForm(ShopForm):
    rating = forms.TypedChoiceField(
        label=gettext_lazy("Your rating"), choices=RATINGS, coerce=int, widget=forms.RadioSelect
    )
    title = text(gettext_lazy("In a few words"), max_length=200, required=False)
    body = forms.CharField(
        label=gettext_lazy("Your review"), max_length=TEXT_LIMIT, required=False, widget=forms.Textarea({"rows": 5})
    )


class FromOurCountry(AddressFields):
    """The fields of an address, with SHOP_COUNTRY selected."""

    def countries(self) -> list[tuple[str, Any]]:
        return countries.choices([settings.SHOP_COUNTRY])


class CheckoutForm(FromOurCountry, pages_forms.CheckoutForm):
    """Everything an order needs, on one page."""


class AddressForm(FromOurCountry):
    """A saved address of a customer."""

    label = text(pgettext_lazy("of an address", "Name of this address"), max_length=50, required=False)
    name = text(gettext_lazy("Recipient"), autocomplete="name")
    phone = PhoneField(required=False)
    is_default = forms.BooleanField(label=gettext_lazy("Deliver my orders here"), required=False)
    field_order = ("label", "name", *AddressFields.ADDRESS, "phone", "is_default")


class ProfileForm(ShopForm):
    first_name = text(gettext_lazy("First name"), max_length=150, autocomplete="given-name")
    last_name = text(gettext_lazy("Last name"), max_length=150, autocomplete="family-name", required=False)
    phone = PhoneField(required=False, help_text=gettext_lazy("For SMS about your orders."))
    language = forms.ChoiceField(label=gettext_lazy("Language of our messages"), choices=lambda: settings.LANGUAGES)
