"""The verified addresses of a user, for ``SHOP_ORDERS["VERIFIED_EMAILS"]``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from allauth.account.models import EmailAddress


def verified_emails(user: Any) -> Iterable[str]:
    """The addresses that allauth has verified; the user can claim guest orders with one of them."""
    return list(EmailAddress.objects.filter(user=user, verified=True).values_list("email", flat=True))
