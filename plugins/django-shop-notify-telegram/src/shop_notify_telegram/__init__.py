"""Telegram as a notifier, by the Bot API's ``sendMessage`` (https://core.telegram.org/bots/api#sendmessage)."""

from __future__ import annotations

import json
import re
from typing import Any

from shop_notify.notifiers import (
    AddressRefused,
    Message,
    Notifier,
    PermanentFailure,
    Receipt,
    SetupFailure,
    TemporaryFailure,
    UnknownOutcome,
    http,
)

__all__ = ["TelegramNotifier"]


class TelegramNotifier(Notifier):
    """Sends text to the chat id in the recipient's ``telegram`` key. ``base_url`` points it at another server."""

    channel = "telegram"
    max_text = 4096
    secret_options = frozenset({"token"})
    timeout_seconds = 10.0

    def __init__(self, *, alias: str, token: str, base_url: str = "https://api.telegram.org") -> None:
        super().__init__(alias=alias)
        if not token:
            raise ValueError("“token” is required. Get one from @BotFather.")
        self._url = f"{base_url}/bot{token}/sendMessage"

    def check_address(self, address: str) -> None:
        if not re.fullmatch(r"-?[0-9]{1,15}|@[A-Za-z0-9_]{5,32}", address):
            raise AddressRefused("This is not a chat id or the name of a channel.")

    def send(self, message: Message) -> Receipt:
        body = {"chat_id": message.to, "text": message.text[: self.max_text]}
        response = http.request("POST", self._url, json=body, seconds=self.timeout_seconds)
        content = _read(response.body)
        if response.status == 200 and content.get("ok") is True:
            return Receipt(provider_id=f"{message.to}:{content['result']['message_id']}")
        raise self._failure(response.status, content)

    def _failure(self, status: int, content: dict[str, Any]) -> Exception:
        description = str(content.get("description", f"HTTP {status}"))
        if status == 429 or status >= 500:
            wait = content.get("parameters", {}).get("retry_after")
            return TemporaryFailure(description, provider_code=str(status), retry_after=wait)
        if not content:
            return UnknownOutcome("The response could not be read.", provider_code=str(status))
        if status in {401, 404}:  # for a token that is wrong, and one that is malformed
            return SetupFailure(description, provider_code=str(status))
        # 403: the user has blocked the bot, or has never sent it a message.
        return PermanentFailure(description, provider_code=str(status), suppress="stop" if status == 403 else "")


def _read(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
