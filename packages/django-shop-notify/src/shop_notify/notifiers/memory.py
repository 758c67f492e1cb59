"""A notifier that keeps messages in memory, for tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from shop_notify.notifiers.base import Message, Notifier, Receipt


class MemoryNotifier(Notifier):
    """Keeps messages in ``MemoryNotifier.outbox[alias]``; ``address_field`` names the recipient's address."""

    channel = "memory"
    is_idempotent = True
    outbox: ClassVar[dict[str, list[Message]]] = {}

    def __init__(self, *, alias: str, address_field: str = "email") -> None:  # noqa: ARG002 - address_of reads it
        super().__init__(alias=alias)

    @classmethod
    def address_of(cls, recipient: Mapping[str, str], options: Mapping[str, Any]) -> str:
        return str(recipient.get(options.get("address_field", "email")) or "")

    def send(self, message: Message) -> Receipt:
        self.outbox.setdefault(self.alias, []).append(message)
        return Receipt(provider_id=message.id)
