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
    """Sends text to the chat id in the recipient's ``telegram`` key. ``base_url`` is the URL of another server."""

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
        content = _read(response)
        message_id = _message_id(content)
        if response.is_success and message_id is not None:
            return Receipt(provider_id=f"{message.to}:{message_id}")
        is_redirect = 300 <= response.status < 400
        if content.get("ok") is False and not is_redirect:
            raise self._failure(response, content)
        if response.is_success:
            raise UnknownOutcome("The response could not be read.", provider_code=str(response.status))
        if response.status == 404:
            raise SetupFailure("HTTP 404, and not from Telegram: correct base_url.", provider_code="404")
        raise response.failure()

    def _failure(self, response: http.Response, content: dict[str, Any]) -> Exception:
        """The failure for an error that Telegram itself reports."""
        code, description = content.get("error_code"), content.get("description")
        status = code if response.is_success and type(code) is int else response.status
        text = description if isinstance(description, str) else f"HTTP {status}"
        if status == 429 or status >= 500:
            return TemporaryFailure(text, provider_code=str(status), retry_after=_wait(response, content))
        if status in {401, 404}:  # for a token that is wrong, and one that is malformed
            return SetupFailure(text, provider_code=str(status))
        # 403: the user has blocked the bot, or has never written to it, which may change and so does not suppress.
        has_refused = status == 403 and "initiate conversation" not in text
        return PermanentFailure(text, provider_code=str(status), suppress="stop" if has_refused else "")


def _read(response: http.Response) -> dict[str, Any]:
    try:
        content = json.loads(response.body) if response.is_complete else None
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _message_id(content: dict[str, Any]) -> int | None:
    result = content.get("result")
    found = result.get("message_id") if content.get("ok") is True and isinstance(result, dict) else None
    return found if type(found) is int else None


def _wait(response: http.Response, content: dict[str, Any]) -> float | None:
    """Seconds to wait: Telegram gives them in the body, a proxy in the header."""
    parameters = content.get("parameters")
    named = parameters.get("retry_after") if isinstance(parameters, dict) else None
    if isinstance(named, int | float | str) and (seconds := http.retry_after_seconds(str(named))) is not None:
        return seconds
    return http.retry_after_seconds(response.headers.get("retry-after"))
