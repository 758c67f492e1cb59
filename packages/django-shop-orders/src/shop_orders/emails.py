"""E-mail addresses: refused when they are entered if no mail can be sent to them, and stored in a form to compare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from shop_core.addresses import comparable, delivery_problem

EMAIL_KEY_LENGTH = 320

MESSAGES: Mapping[str, Any] = {
    "invalid": _("This e-mail address is not valid."),
    "not_ascii": _("The shop cannot send e-mail to this address. Use one with plain letters (a-z) before the @."),
    "too_long": _("This e-mail address is too long."),
    "domain": _("Write the part after the @ in full, such as example.org."),
}
"""A sentence for each code of ``shop_core.addresses.delivery_problem``."""


def validate(email: str) -> None:
    """A validator of form and model fields: refuses an address that mail cannot be sent to.

    Raises:
        ValidationError: with the code of ``delivery_problem``.
    """
    if code := delivery_problem(email):
        raise ValidationError(MESSAGES[code], code=code)


def email_key(email: str) -> str:
    """The e-mail address in the form in which addresses are compared."""
    return comparable(email)[:EMAIL_KEY_LENGTH]
