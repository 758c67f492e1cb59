"""Delivery reports: the ``messages`` webhook, its signature and its verification.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/status
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from shop_notify.notifiers import Report, ReportRefused

from shop_notify_whatsapp.errors import describe

__all__ = ["check_signature", "reports_in", "verification_response"]

ID = re.compile(r"[!-~]{1,500}")
STATES: Mapping[str, str] = {
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    "played": "read",  # a voice message was listened to
    "failed": "failed",
}


def verification_response(request: HttpRequest, verify_token: str) -> HttpResponse | None:
    """The response to Meta's verification of the URL: its challenge. None if the verify token is wrong."""
    given = request.GET.get("hub.verify_token", "")
    if request.method != "GET" or request.GET.get("hub.mode") != "subscribe":
        return None
    if not hmac.compare_digest(given.encode(), verify_token.encode()):
        return None
    headers = {"X-Content-Type-Options": "nosniff"}  # a browser must not take the text for HTML
    return HttpResponse(request.GET.get("hub.challenge", ""), content_type="text/plain", headers=headers)


def check_signature(request: HttpRequest, app_secret: str) -> None:
    """Compare the header with the HMAC of the body as it arrived.

    Raises:
        ReportRefused: the header is missing or wrong.
    """
    wanted = "sha256=" + hmac.new(app_secret.encode(), request.body, "sha256").hexdigest()
    given = request.headers.get("X-Hub-Signature-256", "")
    if not hmac.compare_digest(given.encode(), wanted.encode()):
        raise ReportRefused("X-Hub-Signature-256 is not the signature of this body with the app secret.")


def reports_in(body: bytes, phone_number_id: str) -> Iterator[Report]:
    """The reports about messages of this number. Messages of customers and other webhooks of the app have none."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return
    for entry in _mappings(data, "entry"):
        for change in _mappings(entry, "changes"):
            value = change.get("value")
            metadata = value.get("metadata") if isinstance(value, Mapping) else None
            if isinstance(metadata, Mapping) and metadata.get("phone_number_id") == phone_number_id:
                for status in _mappings(value, "statuses"):
                    yield from _report(status)


def _report(status: Mapping[str, Any]) -> Iterator[Report]:
    """``recipient_id`` is left out: WhatsApp writes some numbers differently, such as those of Brazil and Mexico."""
    name, provider_id = status.get("status"), status.get("id")
    if not isinstance(name, str) or name not in STATES or not isinstance(provider_id, str):
        return
    if not ID.fullmatch(provider_id):
        return
    errors = _mappings(status, "errors")
    detail = describe(errors[0]) if errors else ""
    shown = f"{name} {detail.partition(' ')[0]}".strip()
    yield Report(provider_id=provider_id, status=shown, state=STATES[name], detail=detail)


def _mappings(parent: Any, key: str) -> Sequence[Mapping[str, Any]]:
    items = parent.get(key) if isinstance(parent, Mapping) else None
    return [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []
