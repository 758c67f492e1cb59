"""What a notifier is: one class that can send one message, and says how it went."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from shop_notify.exceptions import (
    AddressRefused,
    PermanentFailure,
    ReportRefused,
    TemporaryFailure,
    UnknownOutcome,
)

__all__ = [
    "AddressRefused",
    "Message",
    "Notifier",
    "PermanentFailure",
    "Receipt",
    "Report",
    "ReportRefused",
    "TemporaryFailure",
    "UnknownOutcome",
]


@dataclass(frozen=True, kw_only=True)
class Message:
    """What is to be sent. ``id`` stays the same on every attempt: pass it on as the idempotency key."""

    id: str
    event: str
    to: str
    name: str = ""
    language: str = ""
    subject: str = ""
    text: str
    html: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """The provider's yes. ``provider_id`` is what its delivery reports will name; ``answer`` is kept, masked."""

    provider_id: str = ""
    provider_code: str = ""
    segments: int | None = None
    cost: Decimal | None = None
    currency: str = ""
    answer: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a provider says later. ``state`` is ours: sent, delivered, read or failed.

    ``address``, where given, must be the one the message went to. ``suppress`` names a reason (bounce, complaint,
    stop) to write to it no more; a report with ``address`` and ``suppress`` needs no ``provider_id``.
    """

    provider_id: str = ""
    status: str
    state: str
    address: str = ""
    detail: str = ""
    suppress: str = ""


class Notifier:
    """Base of every notifier. A subclass names its options as keyword arguments and implements ``send``.

    One instance serves one alias in one process, in many threads. Nothing of it is kept between messages.
    """

    channel: ClassVar[str]
    """Chooses template and address: ``email``, ``sms``, ``webhook`` or a word of your own."""

    address_field: ClassVar[str] = ""
    """Key of the recipient that holds the address. Empty: the channel's name."""

    max_attempts: ClassVar[int] = 8
    expires_after: ClassVar[timedelta | None] = None
    """What is older is not sent any more. A route may say otherwise."""

    is_metered: ClassVar[bool] = False
    """Each message costs money: ``SMS_LIMITS`` and the country list hold."""

    is_idempotent: ClassVar[bool] = False
    """A message that is sent twice does no harm: it stays in the process or the machine, or the provider drops a
    repeated ``id``. Results are then noted many at a time, and a worker that dies may repeat so many.
    """

    max_text: ClassVar[int] = 64 * 1024
    """Longer texts are cut to this many characters."""

    secret_options: ClassVar[frozenset[str]] = frozenset()
    """Names of options whose values must appear nowhere."""

    repeats_unknown: bool = True
    """Whether a message whose outcome is unknown is sent again."""

    def __init__(self, *, alias: str) -> None:
        self.alias = alias

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.alias!r}>"

    @classmethod
    def address_of(cls, recipient: Mapping[str, str], options: Mapping[str, Any]) -> str:  # noqa: ARG003
        """Where this recipient is reached, empty if nowhere. ``options`` are the alias's OPTIONS."""
        return str(recipient.get(cls.address_field or cls.channel) or "")

    def check_address(self, address: str) -> None:
        """Refuse an address before anything is sent.

        Raises:
            AddressRefused: it is malformed, or the notifier may not send there.
        """

    def send(self, message: Message) -> Receipt:
        """Send one message and return the provider's yes, within ten seconds or so.

        Raises:
            TemporaryFailure: nothing was sent, and another try may work.
            PermanentFailure: nothing was sent, and another try would be refused too.
            UnknownOutcome: it may have been sent.
        """
        raise NotImplementedError

    def read_report(self, request: HttpRequest) -> Iterable[Report]:  # noqa: ARG002
        """The delivery reports in a provider's request. Authenticate first.

        Raises:
            ReportRefused: the request does not prove whom it comes from.
        """
        raise ReportRefused(_("This notifier takes no delivery reports."))

    def answer_challenge(self, request: HttpRequest) -> HttpResponse | None:  # noqa: ARG002
        """The answer to a provider that verifies the URL before it uses it; None if this is no such request."""
        return None

    @classmethod
    def takes_reports(cls) -> bool:
        return cls.read_report is not Notifier.read_report

    def awaits_reports(self) -> bool:
        """Whether reports may come at all, and so one may be there before our own note."""
        return self.takes_reports()


def require_secret(request: HttpRequest, expected: str) -> None:
    """Compare the last part of the report's URL with the secret, in constant time.

    Raises:
        ReportRefused: it differs, or there is none to compare with.
    """
    match = request.resolver_match
    given = str(match.kwargs.get("secret", "")) if match else ""
    if not expected or not hmac.compare_digest(given.encode(), expected.encode()):
        raise ReportRefused(_("The secret in the URL is not the one in the settings."))
