"""WhatsApp by Africa's Talking, with the same SDK as SMS."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from shop_notify.exceptions import PermanentFailure, UnknownOutcome
from shop_notify.notifiers.base import Message, Receipt
from shop_notify.notifiers.http import failure_for
from shop_notify.notifiers.sms import SmsNotifier


class AfricasTalkingWhatsAppNotifier(SmsNotifier):
    """Sends text by WhatsApp from ``wa_number``, or the approved template of the event, if ``templates`` has one.

    ``templates`` is ``{event: {"id": template id, "values": [payload keys]}}``. WhatsApp accepts
    free text only within a conversation that the customer has started.
    """

    channel = "whatsapp"
    expires_after = None
    max_text = 4096
    extra = "django-shop-notify[africastalking]"
    secret_options = frozenset({"api_key"})

    def __init__(
        self,
        *,
        alias: str,
        username: str,
        api_key: str,
        wa_number: str,
        templates: dict[str, dict[str, Any]] | None = None,
        base_url: str = "",
    ) -> None:
        super().__init__(alias=alias)
        if not username or not api_key:
            raise ValueError(_("“username” and “api_key” are required."))
        try:
            from shop_notify.notifiers.africas_talking_client import WhatsappClient
        except ImportError as error:
            raise ValueError(_("Install the SDK with `pip install django-shop-notify[africastalking]`.")) from error
        self.wa_number = wa_number
        self.templates = templates or {}
        self._client = WhatsappClient(username, api_key, base_url=base_url)

    def send(self, message: Message) -> Receipt:
        template = self.templates.get(message.event)
        try:
            if template:
                values = [text_at(message.context, key) for key in template["values"]]
                response = self._client.send_approved(template["id"], values, self.wa_number, message.to)
            else:
                response = self._client.send({"message": message.text}, self.wa_number, message.to)
        except ValueError as error:
            raise PermanentFailure(str(error), provider_code="invalid") from error
        if not 200 <= response.status < 300:
            raise failure_for(response.status, response.text[:200], retry_after=response.retry_after)
        try:
            data = json.loads(response.text)
            provider_id, status = str(data["messageId"]), str(data.get("status", ""))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise UnknownOutcome(_("The gateway's response could not be read.")) from error
        return Receipt(provider_id=provider_id, provider_code=status[:50], response={"status": status})


def text_at(context: Mapping[str, Any], path: str) -> str:
    """The value at a dotted path of the payload as text, empty where there is none."""
    value: Any = context
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return "" if value is None else str(value)
