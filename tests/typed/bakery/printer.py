"""The notifier: prints orders in the kitchen."""

import textwrap
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from shop_notify.notifiers import AddressRefused, Message, Notifier, Receipt


class KitchenPrinter(Notifier):
    channel = "printer"
    is_idempotent = True
    printed: ClassVar[list[str]] = []

    def __init__(self, *, alias: str, width: int = 40) -> None:
        super().__init__(alias=alias)
        self.width = width

    def check_address(self, address: str) -> None:
        if address != "kitchen":
            raise AddressRefused("There is a printer in the kitchen only.")

    def send(self, message: Message) -> Receipt:
        lines = textwrap.wrap(message.text, self.width)
        self.printed.append("\n".join(lines))
        return Receipt(provider_id=message.id, segments=len(lines))


def kitchen(payload: Mapping[str, Any]) -> Iterable[Mapping[str, str]]:
    """The recipient of a route."""
    return [{"key": "kitchen", "name": "Kitchen", "printer": "kitchen"}]
