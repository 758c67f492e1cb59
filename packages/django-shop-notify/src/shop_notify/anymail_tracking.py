"""Delivery reports of e-mail, from django-anymail's normalised tracking events (extra ``[anymail]``).

Connected when ``anymail`` is in INSTALLED_APPS. Its webhook views authenticate the provider.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
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
_KIND_KEYS = frozenset({"event", "type", "bouncetype", "bounce_type", "severity"})
_TEMPORARY = ("soft", "transient", "undetermined", "temporary", "blocked")
_SPARKPOST_TEMPORARY = frozenset({"20", "21", "22", "23", "40", "70"})
MAX_DEPTH = 4
_STATUS = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?!\.?\d)")
_OF_ADDRESS = re.compile(r"5\.1\.(?:[0-3]|6|10)|5\.2\.1|5\.0\.0")
"""Codes about the address itself (RFC 3463, RFC 7505), and the one that gives no reason."""
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
        suppress=_reason(event),
    )
    receive_reports(_alias_of(report.provider_id), [report])


def _reason(event: Any) -> str:
    """The reason to suppress the address, empty for none.

    Providers also report temporary problems as bounces, such as a holiday reply or a full mailbox, and problems of the
    sender, such as a block.
    """
    reason = SUPPRESS.get(event.event_type, "")
    return "" if reason == "bounce" and _is_temporary(event) else reason


def _is_temporary(event: Any) -> bool:
    if event.reject_reason not in {None, "", "invalid", "bounced"}:
        return True
    if any(word in kind.lower() for kind in _kinds(event.esp_event) for word in _TEMPORARY):
        return True
    code = _STATUS.search(f"{event.mta_response or ''} {event.description or ''}")
    return code is not None and _OF_ADDRESS.fullmatch(code[0]) is None


def _kinds(value: Any, depth: int = 0) -> Iterator[str]:
    """The texts by which a provider names the kind of a bounce in its own event."""
    if not isinstance(value, Mapping) or depth == MAX_DEPTH:
        return
    for name, item in value.items():
        if isinstance(item, str) and str(name).lower() in _KIND_KEYS:
            yield item
        elif (name, item) == ("hard_bounce", False) or (name == "bounce_class" and str(item) in _SPARKPOST_TEMPORARY):
            yield "soft"  # Mailjet and SparkPost
        else:
            yield from _kinds(item, depth + 1)


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
