"""What a payment provider is. It sees plain values, never a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Literal

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from shop_orders.exceptions import InvalidWebhook

PaymentStatus = Literal["pending", "authorised", "captured", "failed", "cancelled"]
EventKind = Literal["pending", "authorised", "captured", "failed", "cancelled", "refunded", "refund_failed"]


@dataclass(frozen=True, kw_only=True)
class PaymentRequest:
    """What is to be paid. ``payment_id`` is ours and unique: send it as the provider's idempotency key."""

    payment_id: str
    order_number: str
    amount: Decimal
    """With the currency's decimals; ``shop_orders.money.minor_units`` makes cents of it."""
    currency: str
    description: str
    """A line for the customer's statement, with the order's number."""
    email: str = ""
    phone: str = ""
    """E.164, such as ``+254712345678``."""
    name: str = ""
    language: str = ""
    return_url: str = ""
    """The page to which the customer comes back."""
    base_url: str = ""
    """The site's scheme and host."""
    webhook_url: str = ""
    """Where the provider may call us; empty where the site has no address for it."""


@dataclass(frozen=True, kw_only=True)
class PaymentStart:
    """What happens next: go to ``redirect_url``, follow ``instructions``, or nothing because ``status`` is final."""

    status: PaymentStatus = "pending"
    """``pending``, ``authorised``, ``captured``, ``failed`` or ``cancelled``."""
    reference: str = ""
    """The provider's name for the payment, by which its webhooks and ``fetch`` find it. Required."""
    redirect_url: str = ""
    instructions: str = ""
    expires_at: datetime | None = None
    """When this attempt ends at the provider; who comes later starts another one. None: it does not end by itself."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """JSON-safe values that are kept with the payment and given to the other methods as ``state``. No secrets."""


@dataclass(frozen=True, kw_only=True)
class PaymentState:
    """What the provider says now. Amounts are totals, not steps; None where it does not say."""

    status: PaymentStatus
    """As of ``PaymentStart``."""
    reference: str = ""
    captured: Decimal | None = None
    refunded: Decimal | None = None
    """What went back, without refunds that failed."""
    currency: str = ""
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class PaymentEvent:
    """One piece of news from a webhook. ``event_id`` is the provider's and the same when it is sent again.

    ``reference`` is what ``start`` answered, or ``payment_id`` is ours, if the provider sends it back. ``amount`` is
    what was captured, or the total that was refunded so far. News that the provider has not confirmed, such as an
    unsigned call, change nothing before ``fetch`` says the same.
    """

    event_id: str
    kind: EventKind
    """A status as of ``PaymentStart``, or ``refunded``."""
    reference: str = ""
    payment_id: str = ""
    refund_id: str = ""
    refund_reference: str = ""
    """The provider's name for the refund: with ``amount`` it tells of one that failed and that we did not ask for."""
    amount: Decimal | None = None
    currency: str = ""
    error: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    is_confirmed: bool = True


@dataclass(frozen=True, kw_only=True)
class RefundRequest:
    """Money to send back. ``refund_id`` is ours and unique: send it as the provider's idempotency key."""

    refund_id: str
    amount: Decimal
    currency: str
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class RefundResult:
    """What became of a refund. One that is ``pending`` ends by the provider's event of the kind ``refunded``, or when
    ``fetch_refund`` says so."""

    status: Literal["pending", "succeeded", "failed"] = "succeeded"
    reference: str = ""
    error: str = ""


class PaymentProvider:
    """Base of payment providers. ``OPTIONS`` are the constructor's keywords beside ``alias``.

    Every method is called outside any transaction and may take its time over the network. It may raise PaymentDeclined
    (a final no) or ProviderUnavailable (nothing is known); any other exception is a bug.
    """

    label: ClassVar[Any] = _("Payment")
    """What customers choose by; translatable."""
    expires_after: timedelta | None = None
    """How long an order may stay unpaid. None: for ever."""
    confirms_at_placement: bool = False
    """Whether an order is confirmed before it is paid."""
    is_manual: bool = False
    """Whether staff say that the money came, since nobody else does."""
    refunds_by_hand: bool = False
    """Whether people send money back, and ``refund`` only notes it: then none is sent without being asked for."""
    start_once_for: timedelta | None = None
    """Where a repeated ``start`` would act twice, such as ring a phone: for so long one is not repeated, whatever came
    of it. None: the provider knows ``payment_id`` again."""
    instructions: Any = ""
    """What the customer is told while nothing is known of such a start."""

    def __init__(self, *, alias: str) -> None:
        self.alias = alias

    def start(self, request: PaymentRequest) -> PaymentStart:
        """Begin a payment. Called again with the same ``payment_id`` after a crash: must not charge twice.

        With ``start_once_for`` it is called once for a ``payment_id``, or again after ProviderNotReached.
        """
        raise NotImplementedError

    def capture(self, state: Mapping[str, Any], *, reference: str, amount: Decimal, currency: str) -> PaymentState:
        """Take what was authorised. ``state`` is the ``data`` that ``start`` answered."""
        raise NotImplementedError

    def refund(self, state: Mapping[str, Any], *, reference: str, request: RefundRequest) -> RefundResult:
        """Send money back."""
        raise NotImplementedError

    def fetch_refund(
        self,
        state: Mapping[str, Any],  # noqa: ARG002
        *,
        reference: str,  # noqa: ARG002
        refund_reference: str,  # noqa: ARG002
    ) -> RefundResult | None:
        """What became of a refund that waits, by the ``reference`` of its RefundResult; None where it cannot be asked.

        A refund stays as it is if this raises, even PaymentDeclined: money may still be on its way.
        """
        return None

    def cancel(self, state: Mapping[str, Any], *, reference: str) -> None:
        """Make a payment that was not made impossible, as far as the provider can. Default: nothing."""

    def fetch(self, state: Mapping[str, Any], *, reference: str) -> PaymentState | None:  # noqa: ARG002
        """What the provider says now; None where it cannot be asked."""
        return None

    def read_webhook(self, request: HttpRequest) -> Iterable[PaymentEvent]:  # noqa: ARG002
        """The news in a call, verified first.

        Raises:
            InvalidWebhook: it is not the provider's, too old, or makes no sense.
        """
        raise InvalidWebhook

    def webhook_answer(self) -> HttpResponse:
        """What the provider wants to hear."""
        return HttpResponse(status=200)
