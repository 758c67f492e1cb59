"""The base class of notifiers, and the values that it takes and returns."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from shop_notify.conf import app_settings
from shop_notify.exceptions import ReportRefused


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message to send. ``id`` is the same at every attempt: pass it on as the idempotency key."""

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
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    """When the message was put into the outbox; the same at every attempt."""


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """The provider accepted the message. Its delivery reports name ``provider_id``; ``response`` is stored, masked."""

    provider_id: str = ""
    provider_code: str = ""
    segments: int | None = None
    cost: Decimal | None = None
    currency: str = ""
    response: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Balance:
    """The balance of the account at the provider."""

    amount: Decimal
    currency: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """A delivery report. ``state`` is ``sent``, ``delivered``, ``read`` or ``failed``.

    ``address``, if given, must be the one to which the message was sent. ``suppress`` names a reason to suppress it
    (bounce, complaint, stop); a report with ``address`` and ``suppress`` needs no ``provider_id``.

    ``wish`` is ``stop`` or ``start`` if the person at ``address`` has sent that word (``SmsNotifier.wish_in``), at the
    time ``at``. ``provider_id`` is then the id of that message. The latest wish counts, in whatever order they arrive.
    """

    provider_id: str = ""
    status: str
    state: str
    address: str = ""
    detail: str = ""
    suppress: str = ""
    wish: str = ""
    at: datetime | None = None


class Notifier:
    """Base of every notifier. A subclass names its options as keyword arguments and implements ``send``.

    One instance serves one alias in one process, in many threads. It must not keep state between messages.
    """

    channel: ClassVar[str]
    """Chooses template and address: ``email``, ``sms``, ``webhook`` or a name of your own."""

    address_field: ClassVar[str] = ""
    """Key of the recipient that holds the address. Empty: the channel's name."""

    max_attempts: ClassVar[int] = 8
    expires_after: ClassVar[timedelta | None] = None
    """Older messages are not sent. A route may set another limit."""

    is_metered: ClassVar[bool] = False
    """Each message costs money: ``SMS_LIMITS`` apply, and ``PHONE_REGIONS`` must be set. ``SmsNotifier`` refuses other
    countries.
    """

    is_idempotent: ClassVar[bool] = False
    """Sending a message twice does no harm, because it stays in the process or on the machine, or because the
    provider drops a repeated ``id``. Results are then recorded in batches, and a worker that dies may repeat a batch.
    """

    max_text: ClassVar[int] = 64 * 1024
    """Longer texts are cut to this many characters."""

    secret_options: ClassVar[frozenset[str]] = frozenset()
    """Names of options whose values must not be shown, stored or logged."""

    has_secret_in_report_url: ClassVar[bool] = False
    """The URL of delivery reports ends with ``report_secret``, which ``require_secret`` compares: for a provider that
    signs nothing. A key that signs reports must not be in a URL.
    """

    extra: ClassVar[str] = ""
    """What must be installed besides the notifier's own package, such as ``django-shop-notify[africastalking]``."""

    low_balance: Decimal | None = None
    """Staff are alarmed if the balance of the account is below this amount. None: the balance is not fetched."""

    confirms_stop: bool = False
    """A person who sends STOP gets one message that confirms it, the event ``stop_confirmed``."""

    max_report_bytes: ClassVar[int] = 256 * 1024
    """A larger request to the URL for delivery reports is refused with 413 before it is read."""

    repeats_unknown: bool = True
    """Whether a message whose outcome is unknown is sent again."""

    def __init__(self, *, alias: str) -> None:
        self.alias = alias

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.alias!r}>"

    @classmethod
    def address_of(cls, recipient: Mapping[str, str], options: Mapping[str, Any]) -> str:  # noqa: ARG003
        """The address of this recipient, empty if there is none. ``options`` are the OPTIONS and ``alias``."""
        return str(recipient.get(cls.address_field or cls.channel) or "")

    def cut(self, text: str) -> str:
        """The text as it is sent: its beginning, if it is longer than the notifier allows."""
        return text[: self.max_text]

    def check_address(self, address: str) -> None:
        """Refuse an unusable address before anything is sent.

        Raises:
            AddressRefused: it is malformed, or the notifier may not send there.
        """

    def send(self, message: Message) -> Receipt:
        """Send one message and return the receipt, within about ten seconds.

        Raises:
            TemporaryFailure: nothing was sent, and another attempt may succeed.
            SetupFailure: nothing was sent, because the provider refuses the key, the sender or the account.
            PermanentFailure: nothing was sent, and another attempt would be refused too.
            UnknownOutcome: it may have been sent.
        """
        raise NotImplementedError

    def fetch_balance(self) -> Balance | None:
        """Fetch the balance of the account; None if it has none. Changes nothing at the provider.

        Raises:
            SetupFailure: the provider refuses the key.
            TemporaryFailure, UnknownOutcome: there is no response that can be read.
        """
        return None

    def read_report(self, request: HttpRequest) -> Iterable[Report]:  # noqa: ARG002
        """The delivery reports in a provider's request. Authenticate first.

        Raises:
            ReportRefused: the request does not prove that it comes from the provider.
        """
        raise ReportRefused(_("This notifier takes no delivery reports."))

    @property
    def report_url(self) -> str:
        """The absolute URL of this alias's delivery reports, to give to a provider that takes it with each message.

        It consists of ``BASE_URL``, the path of ``shop_notify.urls``, and ``report_secret`` if
        ``has_secret_in_report_url``. Empty without ``BASE_URL``, without these URLs, or if the notifier reads no
        reports.
        """
        secret = str(getattr(self, "report_secret", "") or "") if self.has_secret_in_report_url else ""
        return absolute_report_url(self.alias, secret) if self.takes_reports() else ""

    def answer_challenge(self, request: HttpRequest) -> HttpResponse | None:  # noqa: ARG002
        """The response to a provider that verifies the URL before it uses it; None for any other request."""
        return None

    @classmethod
    def takes_reports(cls) -> bool:
        """Whether the class reads delivery reports. If not, its URL for them responds with 404."""
        return cls.read_report is not Notifier.read_report

    def awaits_reports(self) -> bool:
        """Whether delivery reports may arrive; if so, one may arrive before the result is recorded."""
        return self.takes_reports()


def absolute_report_url(alias: str, secret: str = "") -> str:
    """The URL of an alias's delivery reports; empty without ``BASE_URL``, or if ROOT_URLCONF does not have it."""
    if not app_settings.BASE_URL or not getattr(settings, "ROOT_URLCONF", ""):
        return ""
    try:
        return app_settings.BASE_URL + reverse("shop_notify:report", args=[alias, secret] if secret else [alias])
    except NoReverseMatch:
        return ""


def require_secret(request: HttpRequest, expected: str) -> None:
    """Compare the last part of the report's URL with the secret, in constant time.

    Raises:
        ReportRefused: it differs, or no secret is set.
    """
    match = request.resolver_match
    given = str(match.kwargs.get("secret", "")) if match else ""
    if not expected or not hmac.compare_digest(given.encode(), expected.encode()):
        raise ReportRefused(_("The secret in the URL is not the one in the settings."))
