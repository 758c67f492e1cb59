"""Delivery reports of e-mail, from django-anymail's normalised tracking events (extra ``[anymail]``).

Connected when ``anymail`` is in INSTALLED_APPS. Its webhook views authenticate the provider.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shop_notify.conf import app_settings
from shop_notify.delivery import receive_reports
from shop_notify.models import Notification
from shop_notify.notifiers import registry
from shop_notify.notifiers.base import Report
from shop_notify.storable import stored_id

STATES: Mapping[str, str] = {
    "queued": "sent",
    "sent": "sent",
    "deferred": "sent",
    "delivered": "delivered",
    "opened": "read",
    "clicked": "read",
    "complained": "delivered",
    "unsubscribed": "delivered",
    "bounced": "failed",
    "rejected": "failed",
    "failed": "failed",
}
SUPPRESS: Mapping[str, str] = {"bounced": "bounce", "complained": "complaint", "unsubscribed": "stop"}


def connect() -> None:
    from anymail.signals import tracking

    tracking.connect(apply_event, dispatch_uid="shop_notify.anymail_tracking")


def apply_event(sender: Any, *, event: Any, **kwargs: Any) -> None:  # noqa: ARG001 - anymail's signal
    """Apply one tracking event to the notification that it reports on."""
    state = STATES.get(event.event_type)
    if state is None or not event.message_id:
        return
    report = Report(
        provider_id=str(event.message_id),
        status=event.event_type,
        state=state,
        address=event.recipient or "",
        detail=" ".join(str(part) for part in (event.reject_reason, event.mta_response, event.description) if part),
        suppress=SUPPRESS.get(event.event_type, ""),
    )
    receive_reports(_alias_of(report.provider_id), [report])


def _alias_of(message_id: str) -> str:
    """The alias that sent a message, or the first e-mail alias if the sending is not recorded yet."""
    known = (
        Notification.objects.filter(channel="email", provider_id=stored_id(message_id, 200))
        .values_list("alias", flat=True)
        .first()
    )
    return known or next(
        alias for alias in app_settings.NOTIFIERS if registry.notifier_class(alias).channel == "email"
    )
