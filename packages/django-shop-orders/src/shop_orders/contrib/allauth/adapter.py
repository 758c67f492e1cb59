"""An account adapter with which every spelling of an e-mail address is one account.

ACCOUNT_ADAPTER = "shop_orders.contrib.allauth.adapter.AccountAdapter"
"""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.apps import apps
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest
from shop_core.addresses import comparable

from shop_orders import emails
from shop_orders.contrib.allauth.emails import run_skipped_lookup

ALLAUTH = "65.21"
"""The version of allauth whose private methods this package overrides or calls; a test compares it."""


class AccountAdapter(DefaultAccountAdapter):
    """Addresses are stored in the form in which they are compared, so that allauth's comparisons find them."""

    def clean_email(self, email: str) -> str:
        """Refuse an address that mail cannot be sent to; return the form to store.

        allauth calls this for addresses that are typed, and for those that an identity provider sends.
        """
        cleaned: str = super().clean_email(email)
        emails.validate(cleaned.strip())
        return comparable(cleaned)

    def get_logout_redirect_url(self, request: HttpRequest) -> str:
        """Log out at the OpenID Provider too, if the log-in was there and the app's settings have ``end_session``."""
        url: str = super().get_logout_redirect_url(request)
        if not apps.is_installed("allauth.socialaccount"):
            return url
        from shop_orders.contrib.allauth.openid_rights import logout_url

        return logout_url(request, url) or url

    def authenticate(self, request: HttpRequest, **credentials: Any) -> AbstractBaseUser | None:
        """Find the account, and count wrong passwords, by the form in which addresses are compared."""
        names = credentials.keys() & {"email", "username"}
        compared = {name: comparable(str(credentials[name] or "")) for name in names}
        user: AbstractBaseUser | None = super().authenticate(request, **{**credentials, **compared})
        if user is None:
            run_skipped_lookup(compared.get("email") or compared.get("username") or "")
        return user

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:  # noqa: ARG002
        """Count wrong passwords by the address only, in the form in which addresses are compared.

        allauth counts by the Host header too, so that a changed port would begin a new count, and by the address in
        lower case. It has no public hook for this.
        """
        return comparable(str(credentials.get("email") or credentials.get("username") or ""))
