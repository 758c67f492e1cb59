"""Which addresses a user has proved to own: ``SHOP_ORDERS["VERIFIED_EMAILS"]`` names ``verified_emails``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from allauth.account.models import EmailAddress


def verified_emails(user: Any) -> Iterable[str]:
    """The addresses that allauth has seen verified; orders of guests with one of them can be claimed."""
    return list(EmailAddress.objects.filter(user=user, verified=True).values_list("email", flat=True))
