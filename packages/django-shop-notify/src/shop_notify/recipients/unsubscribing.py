"""One-click unsubscribing (RFC 8058) from messages that may be muted."""

from __future__ import annotations

from collections.abc import Mapping

from django.core import signing
from django.urls import NoReverseMatch, reverse

from shop_notify.conf import app_settings
from shop_notify.models import Notification
from shop_notify.recipients import preferences

SALT = "shop_notify.unsubscribe"


def headers(row: Notification) -> Mapping[str, str]:
    """The unsubscribe headers of an e-mail that can be muted; none for others, or without BASE_URL."""
    url = unsubscribe_link(row) if row.channel == "email" else ""
    return {"List-Unsubscribe": f"<{url}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"} if url else {}


def unsubscribe_link(row: Notification) -> str:
    """The absolute URL that mutes this group and alias for this recipient. It never changes or expires."""
    if not row.group or not row.recipient_key or not app_settings.BASE_URL:
        return ""
    token = signing.Signer(salt=SALT).sign_object([row.recipient_key, row.group, row.alias], compress=True)
    try:
        return app_settings.BASE_URL + reverse("shop_notify:unsubscribe", args=[token])
    except NoReverseMatch:
        return ""


def read_token(token: str) -> tuple[str, str, str]:
    """Recipient key, group and alias of a link.

    Raises:
        BadSignature: the link was not made by this site.
    """
    key, group, alias = signing.Signer(salt=SALT).unsign_object(token)
    return key, group, alias


def unsubscribe(token: str) -> None:
    """Mute the group and alias of the link. A second call changes nothing.

    Raises:
        BadSignature: the link was not made by this site.
        NotMutable: the group can no longer be muted.
    """
    key, group, alias = read_token(token)
    preferences.write_preferences(key, {group: {alias: False}})
