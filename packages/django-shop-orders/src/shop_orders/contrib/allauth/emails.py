"""The verified addresses of a user, for ``SHOP_ORDERS["VERIFIED_EMAILS"]``, and the same work for every address."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from allauth.account import app_settings
from allauth.account.models import EmailAddress
from django.contrib.auth import get_user_model


def verified_emails(user: Any) -> Iterable[str]:
    """The addresses that allauth has verified; the user can claim guest orders with one of them."""
    return list(EmailAddress.objects.filter(user=user, verified=True).values_list("email", flat=True))


def equal_lookups(email: str) -> None:
    """Do for a verified address the statement that allauth does for all other addresses.

    ``filter_users_by_email`` of allauth (65.21) searches the users only if no address is verified, so that the time
    would show which addresses have an account.
    """
    if EmailAddress.objects.filter(email=email, verified=True).exists():
        field = app_settings.USER_MODEL_EMAIL_FIELD
        list(get_user_model()._default_manager.filter(**{field: email}) if field else ())
