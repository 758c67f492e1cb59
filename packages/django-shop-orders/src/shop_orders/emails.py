"""E-mail addresses: refused when they are entered if no mail can be sent to them, and stored in a form to compare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _
from shop_core.addresses import comparable, delivery_problem, supports_utf8

EMAIL_KEY_LENGTH = 320

MESSAGES: Mapping[str, Any] = {
    "invalid": _("This e-mail address is not valid."),
    "not_ascii": _("The shop cannot send e-mail to this address. Use one with plain letters (a-z) before the @."),
    "look_alike": _("A letter before the @ could be mistaken for another one. Write it with plain letters (a-z)."),
    "too_long": _("This e-mail address is too long."),
    "domain": _("Write the part after the @ in full, such as example.org."),
}
"""A sentence for each code of ``shop_core.addresses.delivery_problem``."""


def problem(email: str) -> str:
    """``delivery_problem`` of ``shop_core.addresses`` for the site's default mail backend, which may support UTF-8."""
    return delivery_problem(email, utf8=not email.isascii() and supports_utf8())


def validate(email: str) -> None:
    """A validator of form and model fields: refuses an address that mail cannot be sent to.

    Raises:
        ValidationError: with the code of ``delivery_problem``.
    """
    if code := problem(email):
        raise ValidationError(MESSAGES[code], code=code)


class EmailField(forms.EmailField):
    """Accepts the addresses that mail can be sent to. Django's field refuses letters other than a-z before the @."""

    default_validators = [validate]


class EmailModelField(models.EmailField):  # type: ignore[type-arg]
    """As ``EmailField``, for a model. Migrations see Django's field."""

    default_validators = [validate]

    def formfield(self, **kwargs: Any) -> Any:
        return super().formfield(**{"form_class": EmailField, **kwargs})

    def deconstruct(self) -> Any:
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.EmailField", args, kwargs


def email_key(email: str) -> str:
    """The e-mail address in the form in which addresses are compared."""
    return comparable(email)[:EMAIL_KEY_LENGTH]
