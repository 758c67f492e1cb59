"""An SMTP server that saves e-mails in the database, for the inbox page."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from asgiref.sync import sync_to_async
from django.db import close_old_connections

from demo.models import Mail


class Inbox:
    """aiosmtpd's handler. It saves one row per recipient."""

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002
        await sync_to_async(keep, thread_sensitive=False)(envelope)
        return "250 Message accepted for delivery"


def keep(envelope: Envelope) -> None:
    """Save an envelope's message once for each recipient."""
    content = envelope.content or b""
    message = email.message_from_bytes(
        content if isinstance(content, bytes) else content.encode(), policy=email.policy.default
    )
    close_old_connections()
    try:
        Mail.objects.bulk_create(
            Mail(
                sender=envelope.mail_from or "",
                recipient=recipient,
                subject=str(message["subject"] or ""),
                text=_body(message, "plain"),
                html=_body(message, "html"),
            )
            for recipient in envelope.rcpt_tos
        )
    finally:
        close_old_connections()


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body(preferencelist=(kind,))
    return str(part.get_content()).replace("\r\n", "\n") if part is not None else ""


def controller(host: str, port: int) -> Controller:
    return Controller(Inbox(), hostname=host, port=port)
