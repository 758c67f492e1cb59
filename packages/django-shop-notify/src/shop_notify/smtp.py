"""Django's SMTP backend, which also sends to addresses with letters other than a-z before the @.

    MAILERS = {"default": {"BACKEND": "shop_notify.smtp.EmailBackend", "OPTIONS": {...}}}  # Django 6.1
    EMAIL_BACKEND = "shop_notify.smtp.EmailBackend"  # older versions

It needs no other part of this package, nor ``shop_notify`` in INSTALLED_APPS.
"""

from __future__ import annotations

import copy
import re
import secrets
import smtplib
import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from email.header import Header
from email.utils import parseaddr
from typing import Any

from django.core.mail import EmailMessage
from django.core.mail.backends import smtp
from django.utils.translation import gettext as _

_LOCAL_PART = re.compile(r'[^\s\x00-\x1f\x7f-\x9f"(),:;<>@\[\\\]]+')
"""No character that could end a header or a command."""


class EmailBackend(smtp.EmailBackend):
    """Uses SMTPUTF8 (RFC 6531) for a message that has such an address; all other messages are sent as by Django.

    If the server does not offer SMTPUTF8, a message from or to such an address raises
    ``smtplib.SMTPNotSupportedError``. One that has it only as the reply address is sent, with the address as text.
    """

    supports_utf8_local_parts = True

    def _send(self, email_message: EmailMessage) -> bool:
        """Send one message. Django has no public method for this (5.2, 6.1).

        Django would encode or refuse other letters. So Django is given the message with a random word in place of each
        of these local parts, and ``_Utf8Connection`` puts the local parts back before it sends.
        """
        words: dict[str, str] = {}
        message = copy.copy(email_message)
        message.from_email = _with_word(message.from_email, words)
        for name in ("to", "cc", "bcc"):
            setattr(message, name, [_with_word(address, words) for address in getattr(message, name)])
        is_utf8_needed = bool(words)
        message.reply_to = [_with_word(address, words) for address in message.reply_to]
        if not words:
            return bool(super()._send(email_message))  # type: ignore[misc]
        if not is_utf8_needed and not self._offers_utf8():
            message.reply_to = [_as_text(address) for address in email_message.reply_to]
            return bool(super()._send(message))  # type: ignore[misc]
        connection = self.connection
        self.connection = _Utf8Connection(connection, words)  # type: ignore[assignment]
        try:
            return bool(super()._send(message))  # type: ignore[misc]
        finally:
            self.connection = connection

    def _offers_utf8(self) -> bool:
        connection: Any = self.connection
        with suppress(smtplib.SMTPException):  # A lost connection raises it again when the message is sent.
            connection.ehlo_or_helo_if_needed()
        return bool(connection.has_extn("smtputf8"))


class _Utf8Connection:
    """An SMTP connection that replaces each word by its local part before it sends."""

    def __init__(self, connection: Any, words: Mapping[str, str]) -> None:
        self.connection = connection
        self.words = words

    def sendmail(self, sender: str, recipients: list[str], content: bytes) -> object:
        self.connection.ehlo_or_helo_if_needed()
        if not self.connection.has_extn("smtputf8"):
            raise smtplib.SMTPNotSupportedError(
                _("The mail server does not accept addresses with letters other than a-z before the @ (SMTPUTF8).")
            )
        for word, local_part in self.words.items():
            sender = sender.replace(word, local_part)
            recipients = [recipient.replace(word, local_part) for recipient in recipients]
            content = content.replace(word.encode(), local_part.encode())
        return self.connection.sendmail(sender, recipients, content, mail_options=["SMTPUTF8", "BODY=8BITMIME"])


def _with_word(address: str, words: dict[str, str]) -> str:
    """The address, such as ``Ann <ann@example.org>``, with a random word for a local part that is not ASCII."""
    local_part = _utf8_local_part(address)
    if not local_part:
        return address
    before, _at, after = str(address).rpartition(f"{local_part}@")
    word = f"utf8-{secrets.token_hex(8)}"
    words[word] = unicodedata.normalize("NFC", local_part)  # RFC 6532, 3.1
    return f"{before}{word}@{after}"


def _as_text(address: str) -> str:
    """An empty group with the address as its name, if its local part is not ASCII (RFC 6857)."""
    if not _utf8_local_part(address):
        return address
    return Header(parseaddr(str(address))[1], "utf-8").encode(maxlinelen=75, linesep="") + " :;"


def _utf8_local_part(address: str) -> str:
    """The part before the @ if it is not ASCII and can be sent, otherwise an empty string."""
    local_part = parseaddr(str(address))[1].rpartition("@")[0]
    is_sendable = f"{local_part}@" in str(address) and _LOCAL_PART.fullmatch(local_part)
    return local_part if is_sendable and not local_part.isascii() else ""
