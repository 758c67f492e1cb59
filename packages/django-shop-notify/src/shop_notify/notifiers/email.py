"""E-mail through Django's own mail settings."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from email import policy
from email.utils import formataddr, parseaddr
from typing import Any

import django
from django.apps import apps
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.utils.encoding import punycode
from django.utils.translation import gettext as _
from shop_core.addresses import delivery_problem, supports_utf8

from shop_notify.exceptions import (
    AddressRefused,
    DeliveryFailure,
    PermanentFailure,
    SetupFailure,
    TemporaryFailure,
    UnknownOutcome,
)
from shop_notify.notifiers.base import Message, Notifier, Receipt
from shop_notify.notifiers.http import failure_for

SETUP_CODES = frozenset({530, 534, 535, 538})
"""The server requires a log-in, another way to log in, other credentials or encryption (RFC 4954, section 6)."""
SENDER_CODES = frozenset({550, 551, 553, 554})
"""Codes with which a server refuses the sender at MAIL FROM, before it knows recipient and text."""


class EmailNotifier(Notifier):
    """Sends text and HTML by Django's mail backend.

    ``mailer`` is an alias of ``MAILERS`` (Django 6.1 and later); without it the default mailer is used, or the older
    ``EMAIL_*`` settings. Set a time-out there: Django has none by default.
    """

    channel = "email"

    def __init__(self, *, alias: str, mailer: str = "", from_email: str = "", reply_to: str = "") -> None:
        super().__init__(alias=alias)
        if mailer and django.VERSION < (6, 1):
            raise ValueError(_("“mailer” needs Django 6.1. Leave it out to use the EMAIL_* settings."))
        self.mailer = mailer
        self.from_email = from_email
        self.reply_to = [reply_to] if reply_to else None

    def awaits_reports(self) -> bool:
        return apps.is_installed("anymail")

    def check_address(self, address: str) -> None:
        accepts_utf8 = not address.isascii() and supports_utf8(self.mailer or "default")
        if delivery_problem(address, utf8=accepts_utf8):
            raise AddressRefused(_("This is not a single valid e-mail address."))

    def send(self, message: Message) -> Receipt:
        sender = self.from_email or settings.DEFAULT_FROM_EMAIL
        with _as_delivery_failures():
            domain = punycode(parseaddr(sender)[1].rpartition("@")[2] or "localhost")
            message_id = f"<{message.id}@{domain}>"
            mail = _Mail(
                subject=message.subject,
                body=message.text,
                from_email=sender,
                to=[_named(message.name, message.to)],
                reply_to=self.reply_to,
                headers={"Message-ID": message_id, "Auto-Submitted": "auto-generated", **message.headers},
            )
            if message.html:
                mail.attach_alternative(message.html, "text/html")
            if self.mailer:
                mail.send(using=self.mailer)
            else:
                mail.send()
        # An anymail backend sets its provider's own id, which its tracking events will name.
        anymail_id = getattr(getattr(mail, "anymail_status", None), "message_id", None)
        return Receipt(provider_id=message_id if anymail_id is None else str(anymail_id))


def _named(name: str, address: str) -> str:
    """``Ann <ann@example.org>``, in one line: a line break would end the header.

    ``formataddr`` refuses an address that is not ASCII, so it writes only the name.
    """
    name = " ".join(name.split())
    return f"{formataddr((name, '')).removesuffix('<>')}<{address}>" if name else address


class _Mail(EmailMultiAlternatives):
    """Keeps long URLs in headers: Django 6 would encode List-Unsubscribe (RFC 2047), which no mail program decodes."""

    def message(self, **options: Any) -> Any:
        if django.VERSION >= (6, 0):
            options["policy"] = options.get("policy", policy.default).clone(max_line_length=998)
        return super().message(**options)


@contextmanager
def _as_delivery_failures() -> Iterator[None]:
    """Turn mail errors into failures: 4xx is temporary, 5xx permanent (RFC 5321, 4.2.1), a lost connection unknown.

    A refused log-in or sender refuses the set-up.
    """
    try:
        yield
    except smtplib.SMTPException as error:
        raise _smtp_failure(error) from error
    except TimeoutError as error:
        raise UnknownOutcome(_("The mail server did not respond in time.")) from error
    except Exception as error:
        raise _failure_by_exception(error) from error


def _smtp_failure(error: smtplib.SMTPException) -> Exception:
    match error:
        case smtplib.SMTPRecipientsRefused():
            return _failure_by_code(*next(iter(error.recipients.values())))
        case smtplib.SMTPAuthenticationError():
            failure = SetupFailure if error.smtp_code >= 500 else TemporaryFailure
            return failure(_("The mail server refuses the log-in."), provider_code=str(error.smtp_code))
        case smtplib.SMTPSenderRefused() if error.smtp_code in SENDER_CODES:
            return SetupFailure(_text(error.smtp_error), provider_code=str(error.smtp_code))
        case smtplib.SMTPConnectError():
            return TemporaryFailure(str(error), provider_code=str(error.smtp_code))
        case smtplib.SMTPResponseException():
            return _failure_by_code(error.smtp_code, error.smtp_error)
        case smtplib.SMTPServerDisconnected():
            return UnknownOutcome(_("The mail server closed the connection."))
        case smtplib.SMTPNotSupportedError():
            # smtplib raises it if the server lacks the encryption or the log-in, and for an address it cannot send to.
            is_setup = str(error).startswith(("STARTTLS", "SMTP AUTH"))
            return (SetupFailure if is_setup else PermanentFailure)(str(error))
    return _failure_by_exception(error)


def _failure_by_exception(error: Exception) -> Exception:
    """Turn other errors into failures.

    Errors of HTTP backends, such as anymail's, have a status. Django raises ValueError for a line break in a header.
    """
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        return failure_for(status, str(error))
    if isinstance(error, OSError):
        return TemporaryFailure(_("The mail server cannot be reached."))
    return PermanentFailure(str(error)) if isinstance(error, ValueError) else error


def _text(reply: bytes | str) -> str:
    return reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply


def _failure_by_code(code: int, reply: bytes | str) -> DeliveryFailure:
    text = _text(reply)
    if code in SETUP_CODES:
        return SetupFailure(text, provider_code=str(code))
    if 400 <= code < 500:
        return TemporaryFailure(text, provider_code=str(code))
    # RFC 3463: 5.1.x is about the address itself.
    return PermanentFailure(text, provider_code=str(code), suppress="bounce" if text.startswith("5.1.1") else "")
