"""The verified addresses of a user, for ``SHOP_ORDERS["VERIFIED_EMAILS"]``, and equal times for log-ins."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from allauth.account import app_settings
from allauth.account.models import EmailAddress
from django.contrib.auth import get_user_model
from django.core.validators import EmailValidator, validate_email

from shop_orders import emails


def verified_emails(user: Any) -> Iterable[str]:
    """The addresses that allauth has verified; the user can claim guest orders with one of them."""
    return list(EmailAddress.objects.filter(user=user, verified=True).values_list("email", flat=True))


def accept_other_letters() -> None:
    """Let Django's validator of e-mail addresses accept letters other than a-z where mail can be sent to them.

    Django refuses them always, and allauth calls its validator from forms, views and flows that no setting replaces.
    """
    validate_email.user_regex = _LocalPart()  # type: ignore[assignment]


class _LocalPart:
    """Stands for the pattern with which Django's validator matches the part before the @."""

    def match(self, text: str) -> object:
        if text.isascii():
            return EmailValidator.user_regex.match(text)
        emails.validate(f"{text}@example.org")
        return True


def run_skipped_lookup(email: str) -> None:
    """Run the query that allauth skips for a verified address, so that a log-in takes as long as for any other.

    ``filter_users_by_email`` of allauth (65.21) searches the users only if no address is verified; the time would show
    which addresses have an account.
    """
    if EmailAddress.objects.filter(email=email, verified=True).exists():
        field = app_settings.USER_MODEL_EMAIL_FIELD
        list(get_user_model()._default_manager.filter(**{field: email}) if field else ())
