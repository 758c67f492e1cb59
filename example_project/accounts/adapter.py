"""The shop's changes to allauth's defaults."""

from __future__ import annotations

import logging
import uuid
from typing import Any

from allauth.account.internal.flows.email_verification_by_code import EMAIL_VERIFICATION_CODE_SESSION_KEY
from allauth.account.models import EmailAddress
from allauth.account.utils import setup_user_email
from allauth.core.internal.httpkit import is_headless_request
from django.db import transaction
from shop_core import limits
from shop_core.addresses import comparable
from shop_core.exceptions import TooManyRequests
from shop_orders import customers
from shop_orders.contrib.allauth import adapter
from shop_orders.contrib.allauth.emails import run_skipped_lookup

from accounts import mails
from accounts.models import User

logger = logging.getLogger(__name__)

MAILS_PER_ADDRESS = "5/h"
"""E-mails about a new password for one address, as in ACCOUNT_RATE_LIMITS."""


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
        return self._new_code()

    def generate_password_reset_code(self) -> str:
        return self._new_code()

    def generate_login_code(self) -> str:
        return self._new_code()

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Put the e-mail into the outbox: no page waits for a mail server.

        An address for which too many new passwords were requested gets no e-mail; the response stays the same. This
        limit counts all spellings of an address together; that of allauth's API (65.21) counts each by itself.
        """
        email = comparable(email)
        if template_prefix in mails.RESETS:
            try:
                limits.check("accounts.mails_about_passwords", MAILS_PER_ADDRESS, email)
            except TooManyRequests:
                logger.warning("Too many requests for new passwords of one address.")
                return
            run_skipped_lookup(email)
        seeds = getattr(self.request, "seeds_of_codes", {})
        mails.request_mail(template_prefix, email, context, seed=seeds.get(context.get("code"), ""))

    def send_notification_mail(
        self, template_prefix: str, user: User, context: dict[str, Any] | None = None, email: str | None = None
    ) -> None:
        """Name the owner of the account, to whom the address may no longer belong."""
        super().send_notification_mail(template_prefix, user, {**(context or {}), "account_owner": user}, email)

    def _new_code(self) -> str:
        """A new code. Its seed stays with the request, for the e-mail with the code."""
        code, seed = mails.new_code()
        self.request.seeds_of_codes = {**getattr(self.request, "seeds_of_codes", {}), code: seed}
        return code

    def _make_and_undo_account(self, password: str | None) -> None:
        with transaction.atomic():
            user = User.objects.create_user(f"{uuid.uuid4().hex}@example.invalid", password)
            customers.for_user(user)
            setup_user_email(self.request, user, [EmailAddress(email=user.email)])
            self._look_up_as_if_new(user)
            transaction.set_rollback(True)

    def _look_up_as_if_new(self, user: User) -> None:
        """The lookups that allauth (65.21) does when the address of a new account has to be verified."""
        EmailAddress.objects.filter(user=user, verified=True).exists()
        EmailAddress.objects.get_primary(user)
        EmailAddress.objects.filter(user=user, email=user.email).first()
        for _session in range(2 if is_headless_request(self.request) else 1):
            User.objects.get(pk=user.pk)
