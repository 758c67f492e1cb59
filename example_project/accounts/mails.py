"""The e-mails of accounts: each is an event of the outbox, so that no page waits for a mail server.

A code is secret, so the outbox has only a random value, the seed. ``code_of`` makes the code from the seed and
SECRET_KEY, once for the session that waits for it and again when the e-mail is sent (``SHOP_NOTIFY["SECRETS"]``). The
seed is signed, which shows the key that it belongs to while SECRET_KEY is being changed.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.formats import date_format
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.signals import mail_requested

SALT = "accounts.mails.seed"
LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
LENGTH = 8
"""As in allauth's codes (RFC 8628, 6.1): consonants, so that a code spells no word."""

CODES: Mapping[str, str] = {
    "account/email/email_confirmation": "confirm",
    "account/email/email_confirmation_signup": "confirm",
    "account/email/login_code": "login",
    "account/email/password_reset_code": "reset",
}
"""What a code is for, by the prefix of allauth's templates."""

RESETS = frozenset({"account/email/password_reset_code", "account/email/unknown_account"})
"""What a request for a new password sends, to an address with an account and to one without."""

CHANGES: Mapping[str, Any] = {
    "account/email/email_changed": _("The e-mail address was changed from %(from_email)s to %(to_email)s."),
    "account/email/email_confirm": _("The e-mail address was confirmed."),
    "account/email/email_deleted": _("The e-mail address %(deleted_email)s was removed."),
    "account/email/password_changed": _("The password was changed."),
    "account/email/password_reset": _("The password was reset."),
    "account/email/password_set": _("A password was set."),
    "mfa/email/recovery_codes_generated": _("New recovery codes were generated."),
    "mfa/email/totp_activated": _("An authenticator app was added."),
    "mfa/email/totp_deactivated": _("The authenticator app was removed."),
    "mfa/email/webauthn_added": _("A passkey or security key was added."),
    "mfa/email/webauthn_removed": _("A passkey or security key was removed."),
    "socialaccount/email/account_connected": _("The log-in with %(provider)s was connected."),
    "socialaccount/email/account_disconnected": _("The log-in with %(provider)s was disconnected."),
}
"""The sentence about a change of the account, by the prefix of allauth's templates."""


def new_code() -> tuple[str, str]:
    """A new code, and the seed from which it can be made again."""
    seed = Signer(salt=SALT).sign(secrets.token_urlsafe(16))
    return code_of({"seed": seed}), seed


def code_of(context: Mapping[str, Any]) -> str:
    """The code of a seed. Whoever has the seed but not SECRET_KEY cannot find it.

    Raises:
        BadSignature: the seed was not signed with SECRET_KEY or one of SECRET_KEY_FALLBACKS.
    """
    key = _key_of(context["seed"])
    digest = salted_hmac("accounts.mails.code", context["seed"], secret=key, algorithm="sha256").digest()
    number, letters = int.from_bytes(digest), ""
    for _position in range(LENGTH):
        number, index = divmod(number, len(LETTERS))
        letters += LETTERS[index]
    return f"{letters[: LENGTH // 2]}-{letters[LENGTH // 2 :]}"


def _key_of(seed: str) -> str | bytes:
    """The key with which a seed was signed."""
    for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        with suppress(BadSignature):
            Signer(key=key, salt=SALT, fallback_keys=[]).unsign(seed)
            return key
    raise BadSignature("The seed was signed with another SECRET_KEY.")


def request_mail(prefix: str, email: str, context: Mapping[str, Any], *, seed: str = "") -> None:
    """Put one of allauth's e-mails into the outbox: the one whose templates begin with ``prefix``.

    Without ``account_owner`` in the context, each call reads one row and inserts one, whether or not the address has
    an account.

    Raises:
        KeyError: allauth sends an e-mail that this module does not know.
    """
    user = context.get("account_owner")
    key = user.pk if user else EmailAddress.objects.filter(email=email).values_list("user_id", flat=True).first()
    recipient = {"key": f"user:{key}" if key else "", "email": email, "language": get_language() or ""}
    payload = {"version": 1, **_values(prefix, context, seed), "recipients": {"customer": recipient}}
    mail_requested.send(sender=User, payload=payload, event_id=uuid.uuid4())


def _values(prefix: str, context: Mapping[str, Any], seed: str) -> dict[str, Any]:
    if prefix in CODES:
        return {"kind": "code", "purpose": CODES[prefix], "seed": seed, "minutes": settings.CODE_MINUTES}
    if prefix == "account/email/account_already_exists":
        return {"kind": "taken", "reset_url": _url("account_reset_password")}
    if prefix == "account/email/unknown_account":
        return {"kind": "unknown", "signup_url": _url("account_signup")}
    provider = getattr(context.get("provider"), "name", "")
    return {
        "kind": "changed",
        "change": str(CHANGES[prefix]) % {**context, "provider": provider},
        "changed_at": date_format(timezone.localtime(), "SHORT_DATETIME_FORMAT"),
        "reset_url": _url("account_reset_password"),
    }


def _url(name: str) -> str:
    return f"{settings.SITE_URL}{reverse(name)}"
