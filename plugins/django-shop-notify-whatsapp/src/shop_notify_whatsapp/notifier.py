"""The notifier: one request for each message, to ``/<version>/<phone_number_id>/messages``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from shop_notify.notifiers import (
    Message,
    PermanentFailure,
    Receipt,
    Report,
    SmsNotifier,
    http,
)

from shop_notify_whatsapp import reports
from shop_notify_whatsapp.errors import failure_of
from shop_notify_whatsapp.templates import Template

__all__ = ["WhatsAppCloudNotifier"]


class WhatsAppCloudNotifier(SmsNotifier):
    """Sends approved templates, and free text if ``free_text`` is true, by Meta's WhatsApp Cloud API.

    ``templates`` maps events to templates. An event without one is sent as text, which WhatsApp delivers only within
    24 hours of the person's last message; without ``free_text`` it is refused. ``base_url`` is the URL of another
    server, for tests.
    """

    channel = "whatsapp"
    extra = ""  # the package requires phonenumberslite itself
    max_text = 4096
    max_report_bytes = 3 * 1024 * 1024  # the largest webhook that Meta sends
    secret_options = frozenset({"access_token", "app_secret", "verify_token"})
    timeout_seconds: ClassVar[float] = 10.0

    def __init__(
        self,
        *,
        alias: str,
        phone_number_id: str,
        access_token: str,
        app_secret: str,
        verify_token: str,
        templates: Mapping[str, Mapping[str, Any]] | None = None,
        free_text: bool = False,
        repeat_unknown: bool = False,
        api_version: str = "v23.0",
        base_url: str = "https://graph.facebook.com",
    ) -> None:
        super().__init__(alias=alias, repeat_unknown=repeat_unknown)
        for name, value, where in (
            ("access_token", access_token, "System users → Generate token"),
            ("app_secret", app_secret, "App settings → Basic"),
            ("verify_token", verify_token, "a random text that you also enter under WhatsApp → Configuration"),
        ):
            if not isinstance(value, str) or not re.fullmatch(r"[!-~]+", value):
                raise ValueError(f"“{name}” is required, without spaces and line breaks ({where}).")
        if not re.fullmatch(r"[0-9]{1,32}", str(phone_number_id)):
            raise ValueError("“phone_number_id” is the number's id in WhatsApp → API Setup, not the number itself.")
        if not re.fullmatch(r"v[0-9]{1,3}\.[0-9]{1,2}", api_version):
            raise ValueError("“api_version” is a version of the Graph API, such as v23.0.")
        if not re.fullmatch(r"https?://[\w.:\[\]-]+(/[\w./-]*)?", base_url):
            raise ValueError("“base_url” must be a URL that begins with https:// (or http:// for tests).")
        self._free_text, self._phone_number_id = free_text, str(phone_number_id)
        self._templates = {event: Template.from_option(event, option) for event, option in (templates or {}).items()}
        self._access_token, self._app_secret, self._verify_token = access_token, app_secret, verify_token
        self._url = f"{base_url.rstrip('/')}/{api_version}/{self._phone_number_id}/messages"

    def send(self, message: Message) -> Receipt:
        body = {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": message.to.removeprefix("+"),
            **self._content(message),
        }
        headers = {"Authorization": f"Bearer {self._access_token}"}
        response = http.request("POST", self._url, json=body, headers=headers, seconds=self.timeout_seconds)
        # Meta's error contains a malformed token in full.
        content = _json_object(response.body.replace(self._access_token.encode(), b"***"))
        if response.is_success and (accepted := _accepted(content)):
            return Receipt(provider_id=accepted[0], provider_code=accepted[1], response=content)
        wait = http.retry_after_seconds(response.headers.get("retry-after"))
        raise failure_of(response.status, content, retry_after=wait)

    def answer_challenge(self, request: HttpRequest) -> HttpResponse | None:
        return reports.verification_response(request, self._verify_token)

    def read_report(self, request: HttpRequest) -> Iterable[Report]:
        reports.check_signature(request, self._app_secret)
        return list(reports.reports_in(request.body, self._phone_number_id))

    def _content(self, message: Message) -> dict[str, Any]:
        if template := self._templates.get(message.event):
            return {"type": "template", "template": template.payload(message)}
        if not self._free_text:
            raise PermanentFailure(
                f"OPTIONS['templates'] has no template for the event “{message.event}”, and “free_text” is not set."
            )
        text = message.text[: self.max_text]
        return {"type": "text", "text": {"preview_url": False, "body": text}}


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _accepted(content: Mapping[str, Any]) -> tuple[str, str] | None:
    """The message's id and state (``accepted``, or ``held_for_quality_assessment``), None if it was not accepted."""
    messages = content.get("messages")
    first = messages[0] if isinstance(messages, list) and messages else None
    if not isinstance(first, Mapping) or not isinstance(first.get("id"), str) or not first["id"]:
        return None
    return first["id"], str(first.get("message_status", ""))
