"""Preferences: which messages a recipient wants, by event group and alias."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

from django.http import HttpRequest
from django.utils.translation import gettext as _
from shop_core.db.transactions import in_transaction

from shop_notify import storable
from shop_notify.conf import app_settings
from shop_notify.exceptions import NotMutable
from shop_notify.history import label
from shop_notify.models import Preference


def mutable_groups() -> dict[str, list[str]]:
    """``{group: aliases}`` of all messages that may be muted, from the routes and their fallbacks."""
    found: dict[str, list[str]] = {}
    for entry in app_settings.ROUTES:
        group = entry.get("group")
        if group:
            known = found.setdefault(group, [])
            fallback_aliases = [wanted["via"] for wanted in entry.get("fallback", {}).values()]
            for alias in [*entry["via"], *fallback_aliases]:
                if alias in app_settings.NOTIFIERS and alias not in known:
                    known.append(alias)
    return found


class NotifierChoice(TypedDict):
    alias: str
    label: str
    is_enabled: bool
    is_fixed: bool


class GroupChoice(TypedDict):
    """One event group for a page of preferences. A fixed choice cannot be changed: it is always sent."""

    group: str
    label: str
    is_transactional: bool
    notifiers: list[NotifierChoice]


def preference_choices(recipient_key: str) -> list[GroupChoice]:
    """All messages a recipient may get: the transactional ones, which cannot be muted, and then the groups."""
    always = [
        alias for alias in app_settings.NOTIFIERS if any(_is_fixed(entry, alias) for entry in app_settings.ROUTES)
    ]
    fixed: GroupChoice = {
        "group": "",
        "label": _("About your orders and account"),
        "is_transactional": True,
        "notifiers": [_choice(alias, is_enabled=True, is_fixed=True) for alias in always],
    }
    optional: list[GroupChoice] = [
        {
            "group": group,
            "label": label(group),
            "is_transactional": False,
            "notifiers": [_choice(alias, is_enabled=on, is_fixed=False) for alias, on in by_alias.items()],
        }
        for group, by_alias in read_preferences(recipient_key).items()
    ]
    return [fixed, *optional] if always else optional


def _is_fixed(entry: Mapping[str, Any], alias: str) -> bool:
    return not entry.get("group") and alias in entry["via"] and list(entry.get("to", ())) != ["admins"]


def _choice(alias: str, *, is_enabled: bool, is_fixed: bool) -> NotifierChoice:
    return {"alias": alias, "label": label(alias), "is_enabled": is_enabled, "is_fixed": is_fixed}


def read_preferences(recipient_key: str) -> dict[str, dict[str, bool]]:
    """``{group: {alias: is wanted}}`` of one recipient."""
    stored = Preference.objects.filter(recipient_key=storable.stored_id(recipient_key))
    changes = {(row.group, row.alias): row.is_enabled for row in stored}
    return {
        group: {alias: changes.get((group, alias), True) for alias in aliases}
        for group, aliases in mutable_groups().items()
    }


@in_transaction(Preference)
def write_preferences(recipient_key: str, changes: dict[str, dict[str, bool]]) -> dict[str, dict[str, bool]]:
    """Change preferences, all or none, and return all of them.

    Raises:
        NotMutable: a group or alias cannot be muted.
    """
    recipient_key = storable.stored_id(recipient_key)
    known = mutable_groups()
    for group, by_alias in changes.items():
        for alias, is_enabled in by_alias.items():
            if alias not in known.get(group, ()):
                raise NotMutable(
                    _("“%(group)s” cannot be changed for “%(alias)s”: it is always sent, or does not exist.")
                    % {"group": group, "alias": alias}
                )
            Preference.objects.update_or_create(
                recipient_key=recipient_key, group=group, alias=alias, defaults={"is_enabled": is_enabled}
            )
    return read_preferences(recipient_key)


def muted(recipient_keys: Iterable[str]) -> set[tuple[str, str, str]]:
    """The combinations ``(recipient key, group, alias)`` that these recipients have muted."""
    keys = {key for key in recipient_keys if key}
    if not keys:
        return set()
    return set(
        Preference.objects.filter(recipient_key__in=keys, is_enabled=False).values_list(
            "recipient_key", "group", "alias"
        )
    )


def recipient_of_user(request: HttpRequest) -> str:
    """The default of ``REQUEST_RECIPIENT``: ``user:<primary key>`` of the user who is logged in."""
    user = getattr(request, "user", None)
    return f"user:{user.pk}" if user is not None and user.is_authenticated else ""
