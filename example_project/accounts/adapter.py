"""What the shop does differently from allauth's defaults."""

from __future__ import annotations

import logging
import smtplib
from types import SimpleNamespace
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.http import HttpRequest

logger = logging.getLogger(__name__)


class AccountAdapter(DefaultAccountAdapter):
    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:  # noqa: ARG002
        """Count bad passwords by address alone.

        allauth (65.21) counts by the Host header as well, and one with a port of its own begins a new count each time.
        """
        login = credentials.get("email") or credentials.get("username") or ""
        return str(login).lower()

    def send_account_already_exists_mail(self, email: str) -> None:
        """Tell the owner of a taken address, and hash a password: a new account's took that long, so this one does."""
        make_password("")
        super().send_account_already_exists_mail(email)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send at once, in the shop's name: a code is worth nothing in ten minutes.

        A mail server that does not answer is logged and changes no answer, so that it tells nobody which addresses
        have an account. The visitor can ask for another mail.
        """
        site = SimpleNamespace(name=settings.SHOP_NAME, domain=settings.SITE_URL.partition("://")[2])
        try:
            super().send_mail(template_prefix, email, {**context, "current_site": site})
        except (OSError, smtplib.SMTPException):
            logger.exception("The mail server did not take a mail of %s", template_prefix)
