"""Personal data of accounts: users, their addresses and log-ins, and their sessions. Named in PERSONAL_DATA."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _
from shop_core import admin_log

from accounts.models import User

Person = Mapping[str, Any]


def export_personal_data(person: Person) -> dict[str, Any]:
    """The account, its e-mail addresses, its log-ins with other providers and its sessions."""
    user = _user(person)
    if user is None:
        return {}
    return {
        "email": user.email,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "date_joined": user.date_joined.isoformat(),
        "last_login": user.last_login.isoformat() if user.last_login else None,
        "email_addresses": list(EmailAddress.objects.filter(user=user).values("email", "verified", "primary")),
        "other_log_ins": list(SocialAccount.objects.filter(user=user).values("provider", "uid", "extra_data")),
        "sessions": [
            {"ip": row.ip, "user_agent": row.user_agent, "last_seen_at": row.last_seen_at.isoformat()}
            for row in UserSession.objects.filter(user=user)
        ],
    }


def erase_personal_data(person: Person) -> list[dict[str, str]]:
    """Delete the account with its sessions and tokens, and its names in the log of the admin.

    Accounts of staff wait until their rights are taken away. A second call changes nothing.
    """
    user = _user(person)
    if user is None:
        return []
    if user.is_staff or user.is_superuser:
        return [
            {
                "what": _("The account"),
                "reason": _("It belongs to staff. An administrator must take away its rights first."),
            }
        ]
    with transaction.atomic():
        for rows in ([user], EmailAddress.objects.filter(user=user), SocialAccount.objects.filter(user=user)):
            admin_log.erase([*rows])
        sessions = import_module(settings.SESSION_ENGINE).SessionStore
        for session in UserSession.objects.filter(user=user):
            sessions(session_key=session.session_key).delete()
        user.delete()
    return []


def _user(person: Person) -> User | None:
    key = person.get("user")
    try:
        return User.objects.filter(pk=key).first() if key else None
    except ValidationError:
        return None  # the key of another kind of user
