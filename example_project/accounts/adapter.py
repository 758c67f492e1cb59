"""The shop's changes to allauth's defaults."""

from __future__ import annotations

import logging
import smtplib
import uuid
from types import SimpleNamespace
from typing import Any

from allauth.account.internal.flows.email_verification_by_code import EMAIL_VERIFICATION_CODE_SESSION_KEY
from allauth.account.models import EmailAddress
from allauth.account.utils import setup_user_email
from django.conf import settings
from django.db import transaction
from shop_orders import customers
from shop_orders.contrib.allauth import adapter

from accounts.models import User

logger = logging.getLogger(__name__)


class AccountAdapter(adapter.AccountAdapter):
    def clean_password(self, password: str, user: Any = None) -> str:
        """Record that the user chose a password; users who come from another provider have none."""
        self.request.chosen_password = password
        cleaned: str = super().clean_password(password, user=user)
        return cleaned

    def send_account_already_exists_mail(self, email: str) -> None:
        """E-mail the owner of a taken address, and do the work of a new account, so that both take the same time."""
        self._make_and_undo_account(getattr(self.request, "chosen_password", None))
        super().send_account_already_exists_mail(email)

    def generate_email_verification_code(self) -> str:
        """Make a code. If it is requested again for a taken address, write to the owner of the address again.

        allauth (65.21) sends nothing in that case, and the shorter time would show that the address is taken.
        """
        waiting = self.request.session.get(EMAIL_VERIFICATION_CODE_SESSION_KEY)
        if waiting and "user_id" not in waiting:
            super().send_account_already_exists_mail(waiting["email"])
        code: str = super().generate_email_verification_code()
        return code

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send at once, without the outbox: a code expires after ten minutes.

        A failing mail server is logged and does not change the response: a different response would show which
        addresses have an account. The visitor can ask for another e-mail.
        """
        site = SimpleNamespace(name=settings.SHOP_NAME, domain=settings.SITE_URL.partition("://")[2])
        try:
            super().send_mail(template_prefix, email, {**context, "current_site": site})
        except (OSError, smtplib.SMTPException):
            logger.exception("The mail server refused an e-mail of %s", template_prefix)

    def _make_and_undo_account(self, password: str | None) -> None:
        with transaction.atomic():
            user = User.objects.create_user(f"{uuid.uuid4().hex}@example.invalid", password)
            customers.for_user(user)
            setup_user_email(self.request, user, [EmailAddress(email=user.email)])
            transaction.set_rollback(True)
