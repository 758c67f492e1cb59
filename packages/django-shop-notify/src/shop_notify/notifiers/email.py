"""E-mail through Django's own mail settings."""

from __future__ import annotations

import re
import smtplib
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from email import policy
from email.header import Header
from email.headerregistry import Address, HeaderRegistry
from email.message import Message as MimeMessage
from email.policy import EmailPolicy
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
TOO_LARGE = 552
"""The message is too large (RFC 1870). Every other permanent refusal of MAIL FROM is about the sender."""
_SENDER_REFUSED = re.compile(r"5\.1\.[78]\b|.*\bsender address rejected\b", re.IGNORECASE | re.DOTALL)
"""A reply to RCPT TO that refuses the sender: the codes of RFC 3463, and the words of Postfix."""
_NO_SUCH_ADDRESS = re.compile(r"5\.1\.(?:1|10)\b")
"""No such mailbox (RFC 3463), or a domain that takes no mail (RFC 7505)."""


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
        for address in (sender, *(self.reply_to or ())):
            self._check_own_address(address)
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

    def _check_own_address(self, address: str) -> None:
        """Refuse a sender or reply address that the mail backend would refuse in every message.

        Raises:
            SetupFailure: it has a line break, or letters other than a-z before the @.
        """
        local_part = parseaddr(address)[1].rpartition("@")[0]
        if not local_part.isascii() and not supports_utf8(self.mailer or "default"):
            text = _("The mail backend cannot send from %(address)s: it has letters other than a-z before the @.")
            raise SetupFailure(text % {"address": address}, provider_code="sender")
        if "\n" in address or "\r" in address:
            raise SetupFailure(_("The sender or reply address has a line break."), provider_code="sender")


def _named(name: str, address: str) -> str:
    """``"Müller, Ann" <ann@example.org>``: quoted, so that a comma or bracket in the name does not start
    another address.

    ``=?`` would begin an encoded word, which Django refuses in quotes.
    """
    printable = "".join(" " if unicodedata.category(letter) == "Cc" else letter for letter in name)
    shown = " ".join(printable.replace("=?", "= ?").split())
    return _quoted(shown) + f"<{address}>" if shown else address


def _quoted(name: str) -> str:
    """The name, in quotes where it needs them, and a space. ``formataddr`` would encode a name that is not ASCII."""
    if name.isascii():
        return formataddr((name, "")).removesuffix("<>")
    return '"' + re.sub(r'([\\"])', r"\\\1", name) + '" '


def _encoded_words(header: str, text: str, linesep: str = "\n") -> str:
    """The text as encoded words of at most 75 characters (RFC 2047), each in a line of its own."""
    return Header(text, "utf-8", maxlinelen=75, header_name=header).encode(linesep=linesep)


def _written_addresses(header: str, addresses: Iterable[Address], linesep: str = "\n") -> str:
    """The value of an address header. A name is encoded only if it is not ASCII, and then as a whole."""
    written = []
    for address in addresses:
        spec = address.addr_spec
        if not address.display_name:
            written.append(spec)
        elif address.display_name.isascii():
            written.append(f"{_quoted(address.display_name)}<{spec}>")
        else:
            written.append(f"{_encoded_words(header, address.display_name, linesep)}{linesep} <{spec}>")
    return f",{linesep} ".join(written)


class _HeaderPolicy(EmailPolicy):
    """Python's own policy encodes parts of a name and leaves its commas and brackets, which then start another
    address.

    It also encodes long URLs, such as those of List-Unsubscribe, which no mail program decodes.
    """

    def fold(self, name: str, value: Any) -> str:
        if hasattr(value, "groups") and not any(group.display_name for group in value.groups):
            return f"{name}: {_written_addresses(name, value.addresses, self.linesep)}{self.linesep}"
        if name.lower() == "subject" and not value.isascii():
            return f"{name}: {_encoded_words(name, value, self.linesep)}{self.linesep}"
        return str(super().fold(name, value))

    def fold_binary(self, name: str, value: Any) -> bytes:
        return self.fold(name, value).encode("utf-8", "surrogateescape")


class _Mail(EmailMultiAlternatives):
    """A mail with exactly one mailbox for each address, whatever the names are."""

    def message(self, **options: Any) -> Any:
        if django.VERSION >= (6, 0):
            given = options.get("policy", policy.default)
            options["policy"] = _HeaderPolicy(linesep=given.linesep, utf8=given.utf8, max_line_length=998)
            return super().message(**options)
        message = super().message()  # also refuses what cannot be written
        headers = {} if self.subject.isascii() else {"Subject": _encoded_words("Subject", str(self.subject))}
        for name, texts in (("From", [self.from_email]), ("To", self.to), ("Reply-To", self.reply_to)):
            if texts and (addresses := [address for text in texts for address in _in_ascii(text)]):
                headers[name] = _written_addresses(name, addresses)
        for name, value in headers.items():
            del message[name]
            # Django's own __setitem__ would encode the value again.
            MimeMessage.__setitem__(message, name, value)
        return message


def _in_ascii(text: str) -> list[Address]:
    """The mailboxes of a text, with their domains in IDNA form; none for a group without mailboxes."""
    header: Any = HeaderRegistry()("To", text)
    return [Address(found.display_name, found.username, punycode(found.domain)) for found in header.addresses]


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
        case smtplib.SMTPSenderRefused() if error.smtp_code >= 500 and error.smtp_code != TOO_LARGE:
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
    if code in SETUP_CODES or (code >= 500 and _SENDER_REFUSED.match(text)):
        return SetupFailure(text, provider_code=str(code))
    if 400 <= code < 500:
        return TemporaryFailure(text, provider_code=str(code))
    is_bounce = _NO_SUCH_ADDRESS.match(text) is not None
    return PermanentFailure(text, provider_code=str(code), suppress="bounce" if is_bounce else "")
