"""The base class of payment providers, and the dataclasses that they receive and return in place of models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Literal

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from shop_core.money import exponent, quantise

from shop_orders.exceptions import InvalidWebhook
from shop_orders.payment_providers.needs import Needs

PaymentStatus = Literal["pending", "processing", "authorised", "captured", "failed", "cancelled"]
EventKind = Literal[PaymentStatus, "refunded", "refund_failed", "disputed"]
RefundStatus = Literal["pending", "succeeded", "failed"]


@dataclass(frozen=True, kw_only=True)
class PaymentRequest:
    """A payment to start. ``payment_id`` is the shop's own unique id: send it as the provider's idempotency key."""

    payment_id: str
    order_number: str
    amount: Decimal
    """Rounded to the currency's decimals; ``minor_units`` converts it to cents."""
    currency: str
    description: str
    """A text for the customer's statement. It contains the order's number."""
    email: str = ""
    """It may have letters other than a-z before the @: send it only to a provider that accepts them."""
    phone: str = ""
    """E.164, such as ``+254712345678``."""
    name: str = ""
    language: str = ""
    return_url: str = ""
    """The page to which the customer returns."""
    base_url: str = ""
    """The site's scheme and host."""
    webhook_url: str = ""
    """The URL of the shop's webhook; empty if the site has none."""


@dataclass(frozen=True, kw_only=True)
class PaymentStart:
    """The customer's next step: go to ``redirect_url`` or follow ``instructions``. Neither is set if ``status`` is
    final."""

    status: PaymentStatus = "pending"
    """``pending``: the customer has to do something. ``processing``: the customer has paid, and the money arrives
    later, such as by a bank debit; the order is kept until then. ``authorised``, ``captured``, ``failed`` or
    ``cancelled``."""
    reference: str = ""
    """The provider's id of the payment. Webhooks and ``fetch`` identify the payment by it. Required."""
    redirect_url: str = ""
    instructions: str = ""
    expires_at: datetime | None = None
    """When this attempt expires at the provider; a later call starts a new one. None: it does not expire."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """JSON-safe values, stored with the payment and passed to the other methods as ``state``. Put no secrets here."""


@dataclass(frozen=True, kw_only=True)
class RefundState:
    """One refund as the provider knows it, also one that was made on its own pages."""

    status: RefundStatus
    amount: Decimal
    refund_id: str = ""
    """Ours, if the provider stores it; else the refund is identified by ``reference``."""
    reference: str = ""
    """The provider's id of the refund."""
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class DisputeState:
    """A dispute as the provider knows it: the customer has asked their bank to return a payment (a chargeback)."""

    reference: str
    """The provider's id of the dispute."""
    amount: Decimal
    status: Literal["open", "won", "lost"]
    is_withdrawn: bool
    """Whether the provider has taken the money from the shop, and has not paid it out again."""
    respond_by: datetime | None = None
    """Until when the shop can respond."""
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class PaymentState:
    """The state of a payment at the provider. Amounts are totals; None where the provider does not return them."""

    status: PaymentStatus
    """The same values as in ``PaymentStart``."""
    reference: str = ""
    """The reference of the payment. A state is not applied if this is not the reference that ``fetch`` was given."""
    captured: Decimal | None = None
    """In the currency of the payment. Not in the currency that the customer saw, if the provider converted it."""
    refunded: Decimal | None = None
    """The total of refunds, without failed ones. Needed only where ``refunds`` is None."""
    refunds: Sequence[RefundState] | None = None
    """Every refund of the payment. None where the provider does not list them: then staff decide about a total that
    does not match the refunds that were sent."""
    disputes: Sequence[DisputeState] | None = None
    """Every dispute of the payment, also those that are over. None where the provider does not list them."""
    currency: str = ""
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class PaymentEvent:
    """One event from a webhook. ``event_id`` is the provider's id, which is the same when the event is sent again. The
    payment is identified by the ``reference`` that ``start`` returned, or by ``payment_id`` if the provider sends it.
    ``amount`` is the captured amount, or the total that was refunded so far. With ``is_confirmed=False``, such as for
    an unsigned call, the event changes nothing until ``fetch`` has confirmed it.
    """

    event_id: str
    kind: EventKind
    """A status as in ``PaymentStart``, ``refunded`` or ``refund_failed``, or ``disputed`` for any change of a dispute,
    whose state is then taken from ``fetch``."""
    reference: str = ""
    payment_id: str = ""
    refund_id: str = ""
    refund_reference: str = ""
    """The provider's id of a refund, or of a dispute. It identifies a refund that was made on the provider's page."""
    receipt: str = ""
    """The transaction number that the customer also sees, if it differs from ``reference``. Money with the receipt of
    another payment is not counted again."""
    amount: Decimal | None = None
    currency: str = ""
    error: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    is_confirmed: bool = True


@dataclass(frozen=True, kw_only=True)
class IncomingPaymentEvent:
    """Money that a customer sent by hand, without a payment that the shop started, such as to a paybill or till."""

    receipt: str
    """The provider's number of the transaction, the same whenever it is reported."""
    amount: Decimal
    currency: str
    account: str = ""
    """The order's number as the customer typed it."""
    payer_name: str = ""
    payer_phone: str = ""
    """As the provider sends it, often masked."""
    paid_at: datetime | None = None
    status: Literal["reported", "confirmed", "refuted"] = "reported"
    """``reported``: the call is not signed, so it may be untrue. ``confirmed`` and ``refuted``: the provider has
    responded to our query."""


@dataclass(frozen=True, kw_only=True)
class RefundRequest:
    """A refund to make. ``refund_id`` is the shop's own unique id: send it as the provider's idempotency key."""

    refund_id: str
    amount: Decimal
    currency: str
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class RefundResult:
    """The state of a refund. A ``pending`` refund is settled by a ``refunded`` event from the provider, or when
    ``fetch_refund`` returns its final state."""

    status: RefundStatus = "succeeded"
    reference: str = ""
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something that is wrong with a provider's keys, its account or the connection to it. Contains no secret."""

    what: str
    fix: str
    """What to do about it."""
    is_warning: bool = False
    """Whether payments work nevertheless."""


class PaymentProvider:
    """Base of payment providers. ``OPTIONS`` are passed to the constructor as keywords, in addition to ``alias``.

    Every method except ``refuses`` is called outside of any transaction and may use the network. ``start``,
    ``capture``, ``refund`` and ``cancel`` may raise PaymentDeclined (a final refusal) or ProviderUnavailable (the
    result is not known). ``fetch`` and ``fetch_refund`` should raise only ProviderUnavailable: a refused query, such
    as one with the status 401, 403 or 404, says nothing about the payment. Any other exception is a bug.
    """

    label: ClassVar[Any] = _("Payment")
    """The name that customers see; translatable."""
    expires_after: timedelta | None = None
    """The time to pay an order. None: unlimited."""
    confirms_at_placement: bool = False
    """Whether an order is confirmed before it is paid."""
    is_manual: bool = False
    """Whether staff record the payments, since the provider does not report them."""
    refunds_by_hand: bool = False
    """Whether staff send the money back and ``refund`` only records it. Then no refund is made automatically."""
    needs: Needs = Needs()
    """What an order must have so that it can be paid with this provider."""
    start_once_for: timedelta | None = None
    """For providers on which a repeated ``start`` has a second effect, such as ringing a phone twice. Within this time
    it is called again only after ProviderNotReached. An attempt without ``expires_at`` ends after it, counted from the
    response. None: the provider recognises a repeated ``payment_id``."""
    instructions: Any = ""
    """Shown to the customer while the result of ``start`` is not known. Used with ``start_once_for``."""

    def __init__(self, *, alias: str) -> None:
        self.alias = alias

    def start(self, request: PaymentRequest) -> PaymentStart:
        """Start a payment. It is called again with the same ``payment_id`` after a crash and must not charge twice.

        With ``start_once_for`` it is called again only after ProviderNotReached.

        Raises:
            PaymentDeclined: the provider refuses the payment.
            ProviderUnavailable: the result is not known; the call is repeated later.
        """
        raise NotImplementedError

    def capture(self, state: Mapping[str, Any], *, reference: str, amount: Decimal, currency: str) -> PaymentState:
        """Capture an authorised payment. ``state`` is the ``data`` that ``start`` returned.

        Raises:
            PaymentDeclined: the provider refuses, for example because the authorisation has expired.
            ProviderUnavailable: the result is not known; staff can repeat the call.
        """
        raise NotImplementedError

    def refund(self, state: Mapping[str, Any], *, reference: str, request: RefundRequest) -> RefundResult:
        """Return money to the customer, once for each ``refund_id`` however often this is called.

        Raises:
            PaymentDeclined: the provider refuses the refund.
            ProviderUnavailable: the result is not known; the call is repeated later.
        """
        raise NotImplementedError

    def fetch_refund(
        self,
        state: Mapping[str, Any],  # noqa: ARG002
        *,
        reference: str,  # noqa: ARG002
        refund_reference: str,  # noqa: ARG002
    ) -> RefundResult | None:
        """The state of a pending refund, by the ``reference`` of its RefundResult; None where it cannot be fetched.

        The refund does not change if this raises an error: the money may still arrive.
        """
        return None

    def cancel(self, state: Mapping[str, Any], *, reference: str) -> None:
        """Cancel an open payment, if the provider supports it. Does nothing by default."""

    def fetch(self, state: Mapping[str, Any], *, reference: str) -> PaymentState | None:  # noqa: ARG002
        """The state of a payment; None where it cannot be fetched.

        Only a state that is returned changes a payment. "failed" and "cancelled" are final: return them only if the
        service says so about this payment. An unknown reference, an expired token or a response that cannot be read
        is ProviderUnavailable.
        """
        return None

    def refuses(self, *, amount: Decimal, currency: str) -> str:  # noqa: ARG002
        """Why an amount cannot be paid this way, in a sentence for the customer; "" if it can. For rules that
        ``needs`` does not have.

        Asked before an order is placed or paid this way, also inside a transaction: it must not use the network.
        """
        return ""

    def by_hand(self, *, order_number: str, amount: Decimal) -> str:  # noqa: ARG002
        """How a customer sends the money by hand, "" where that is not possible. Shown while the order is unpaid."""
        return ""

    def confirm_incoming(self, receipt: str) -> bool:  # noqa: ARG002
        """Ask the service to confirm a reported transaction. Its response arrives at ``read_webhook``.

        Returns False where the service cannot be asked: then staff decide.
        """
        return False

    def register_webhooks(self, *, base_url: str) -> Iterable[str]:  # noqa: ARG002
        """Register the URLs that the service calls, where it does not have them from ``start``. Returns the URLs.

        ``base_url`` is the site's scheme and host. Needs to be done once, and again when the URLs change.

        Raises:
            PaymentDeclined: the service refused them; the message says why.
        """
        return ()

    def read_webhook(self, request: HttpRequest) -> Iterable[PaymentEvent | IncomingPaymentEvent]:  # noqa: ARG002
        """Verify a call and return its events.

        Raises:
            InvalidWebhook: the call is not from the provider, is too old, or cannot be read.
        """
        raise InvalidWebhook

    def diagnose(self, *, webhook_url: str = "") -> Iterable[Problem]:  # noqa: ARG002
        """Call the service without changing anything there, and report problems that would prevent payments.

        ``webhook_url`` is the URL of the shop's webhook. For commands that check an installation.
        """
        return ()

    def webhook_response(self) -> HttpResponse:
        """The response that the provider expects."""
        return HttpResponse(status=200)


def minor_units(amount: Decimal, currency: str) -> int:
    """The amount in the currency's smallest unit, such as cents."""
    return int(quantise(amount, currency).scaleb(exponent(currency)))


def from_minor_units(amount: int, currency: str) -> Decimal:
    """The amount for a number of the currency's smallest units, such as cents."""
    return quantise(Decimal(amount).scaleb(-exponent(currency)), currency)
