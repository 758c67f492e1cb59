"""Messages written in the admin: plain values in an engine of their own."""

from __future__ import annotations

from typing import Any

from shop_notify.models import Notification, TemplateOverride


def render(notification: Notification, languages: list[str], values: dict[str, Any]) -> dict[str, str]:
    """The parts (subject, text, html) that the admin's nearest template gives; none where there is no template."""
    rows = {
        (row.audience, row.language): row
        for row in TemplateOverride.objects.filter(
            event=notification.event, channel=notification.channel, is_active=True
        )
    }
    if not rows:
        return {}
    return {}
