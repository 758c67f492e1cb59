"""A notifier that prints messages, for development."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from shop_notify.notifiers.base import Message, Notifier, Receipt


class ConsoleNotifier(Notifier):
    """Writes each message to standard output, with the address that the notifier of this alias would use.

    That is the recipient's value of ``address_field`` if this option is set, the phone for the alias ``sms``, and
    otherwise the e-mail address.
    """

    channel = "console"
    is_idempotent = True

    def __init__(self, *, alias: str, address_field: str = "") -> None:  # noqa: ARG002 - address_of reads it
        super().__init__(alias=alias)

    @classmethod
    def address_of(cls, recipient: Mapping[str, str], options: Mapping[str, Any]) -> str:
        field = options.get("address_field") or ("phone" if options.get("alias") == "sms" else "")
        if field:
            return str(recipient.get(field) or "")
        return str(recipient.get("email") or recipient.get("phone") or "console")

    def send(self, message: Message) -> Receipt:
        lines = [f"To: {message.to}", f"Event: {message.event}"]
        if message.subject:
            lines.append(f"Subject: {message.subject}")
        sys.stdout.write("\n".join([*lines, "", message.text, "-" * 72, ""]))
        sys.stdout.flush()
        return Receipt(provider_id=message.id)
