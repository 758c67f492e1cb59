"""Previews: a message as it was sent, or as it would be sent now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from shop_notify import routes
from shop_notify.exceptions import AddressRefused, RouteRefused, ShopNotifyError
from shop_notify.messages import rendering
from shop_notify.models import Notification
from shop_notify.notifiers import registry


@dataclass(frozen=True, kw_only=True)
class Preview:
    """One message. ``problem`` is the reason why it cannot be sent, or empty."""

    event: str
    alias: str
    channel: str
    address: str
    recipient_name: str
    language: str
    subject: str = ""
    text: str = ""
    html: str = ""
    problem: str = ""


def preview_signal(signal: str, payload: Mapping[str, Any]) -> list[Preview]:
    """The messages that a signal with this payload would send. Nothing is written.

    Raises:
        RouteRefused: a route of the signal cannot read this payload.
    """
    try:
        planned = routes.plan(signal, payload=payload, event_id="preview")
    except ShopNotifyError:
        raise
    except Exception as error:
        # A person has typed the payload, and the route's callables are the site's code: either may raise any error.
        raise RouteRefused(
            _("A route of “%(signal)s” cannot read this payload: %(error)s")
            % {"signal": signal, "error": f"{type(error).__name__}: {error}"}
        ) from error
    return [preview_notification(row) for row in planned]


def preview_notification(row: Notification) -> Preview:
    """A notification as it was sent, or as it would be sent now."""
    shown = {
        "event": row.event,
        "alias": row.alias,
        "channel": row.channel,
        "address": row.address,
        "recipient_name": row.recipient_name,
        "language": row.language,
    }
    if row.text:
        return Preview(**shown, subject=row.subject, text=row.text, html=row.html)
    try:
        notifier = registry.get_notifier(row.alias)
        content = rendering.render(row, max_text=notifier.max_text)
        text = notifier.cut(content.text)
    except ShopNotifyError as error:
        return Preview(**shown, problem=str(error))
    except Exception as error:  # noqa: BLE001 - a template of the site may raise anything
        return Preview(**shown, problem=f"{type(error).__name__}: {error}")
    try:
        notifier.check_address(row.address)
        problem = ""
    except AddressRefused as error:
        problem = str(error)
    return Preview(**shown, subject=content.subject, text=text, html=content.html, problem=problem)
