"""The sign-up form's own fields, for pages and the API: ``ACCOUNT_SIGNUP_FORM_CLASS`` names it."""

from typing import Any

from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.core.ratelimit import respond_429
from django import forms
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from shop_orders import customers, emails, phones, visitors
from shop_orders.exceptions import InvalidPhone, TooManyRequests


class SignupForm(forms.Form):
    """allauth stores the names with the user; the phone number is stored with the customer."""

    first_name = forms.CharField(
        label=_("First name"), max_length=150, widget=forms.TextInput({"autocomplete": "given-name"})
    )
    last_name = forms.CharField(
        label=_("Last name"), max_length=150, widget=forms.TextInput({"autocomplete": "family-name"})
    )
    phone = forms.CharField(
        label=_("Phone (optional)"),
        max_length=40,
        required=False,
        widget=forms.TextInput({"autocomplete": "tel", "type": "tel"}),
    )

    def clean_phone(self) -> str:
        try:
            return phones.normalise(self.cleaned_data["phone"])
        except InvalidPhone as error:
            raise ValidationError(str(error), code=error.code)

    def clean(self) -> dict[str, Any] | None:
        """Validate the e-mail address as it was typed: allauth's lower case turns the Kelvin sign into a plain k."""
        cleaned = super().clean()
        try:
            emails.validate(str(self.data.get(self.add_prefix("email")) or "").strip())
        except ValidationError as error:
            if "email" not in self.errors:
                self.add_error("email", error)
        if not self.errors:
            _limit_registrations(context.request)
        return cleaned

    def signup(self, request: HttpRequest, user: AbstractBaseUser) -> None:  # noqa: ARG002 - allauth's signature
        """Called by allauth when the user is saved."""
        customer = customers.for_user(user)
        if self.cleaned_data["phone"]:
            customers.update(customer, phone=self.cleaned_data["phone"])


def _limit_registrations(request: HttpRequest | None) -> None:
    """Refuse a registration beyond ``THROTTLES["registrations"]`` with allauth's page or response for this."""
    if request is None:
        return
    try:
        visitors.limit(request, "registrations")
    except TooManyRequests as error:
        response = respond_429(request)
        response["Retry-After"] = str(error.extra["retry_after"])
        raise ImmediateHttpResponse(response) from None
