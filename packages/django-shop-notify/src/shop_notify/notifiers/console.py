"""A notifier that prints messages, for development."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from shop_notify.notifiers.base import Message, Notifier, Receipt


class ConsoleNotifier(Notifier):
    """Writes each message to standard output."""

    channel = "console"
    is_idempotent = True

    @classmethod
    def address_of(cls, recipient: Mapping[str, str], options: Mapping[str, Any]) -> str:  # noqa: ARG003
        return str(recipient.get("email") or recipient.get("phone") or "console")

    def send(self, message: Message) -> Receipt:
        lines = [f"To: {message.to}", f"Event: {message.event}"]
        if message.subject:
            lines.append(f"Subject: {message.subject}")
        sys.stdout.write("\n".join([*lines, "", message.text, "-" * 72, ""]))
        sys.stdout.flush()
        return Receipt(provider_id=message.id)
