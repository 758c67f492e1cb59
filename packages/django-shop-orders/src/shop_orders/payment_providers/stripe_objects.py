"""Stripe's objects as the dataclasses of payment providers: amounts, refunds and disputes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

from django.utils.translation import gettext as _
from shop_core.money import quantise

from shop_orders.exceptions import PaymentDeclined
from shop_orders.payment_providers.base import DisputeState, RefundResult, RefundState

ZERO_DECIMAL = {
    "BIF",
    "CLP",
    "DJF",
    "GNF",
    "JPY",
    "KMF",
    "KRW",
    "MGA",
    "PYG",
    "RWF",
    "VND",
    "VUV",
    "XAF",
    "XOF",
    "XPF",
}
THREE_DECIMAL = {"BHD", "JOD", "KWD", "OMR", "TND"}
"""Currencies that Stripe does not write with two decimals (not always as in ISO 4217), from
https://docs.stripe.com/currencies#minor-units. That page lists UGX as zero-decimal, but its special cases say that ISK
and UGX are sent with two decimals, which must be 00. The last of three decimals must be 0.
"""

DisputeStatus = Literal["open", "won", "lost"]
ENDED_DISPUTES: Mapping[str, DisputeStatus] = {
    "won": "won",
    "warning_closed": "won",
    "prevented": "won",
    "lost": "lost",
}
"""How a dispute has ended, by its status. The other statuses are open; those of inquiries start with ``warning_``."""

FAILED_REFUNDS = ("failed", "canceled")


class Settlement:
    """The amount of a Checkout Session, in the currency in which it was created.

    Adaptive Pricing shows customers an amount in their own currency. In sessions from before 2025-03-31, that amount
    is in ``amount_total``, and the one in the shop's currency in ``currency_conversion``:
    https://docs.stripe.com/payments/checkout/adaptive-pricing
    """

    def __init__(self, session: Any) -> None:
        converted = getattr(session, "currency_conversion", None)
        self.currency = str(converted.source_currency if converted else session.currency).upper()
        self.minor = int((converted or session).amount_total)
        self.shown = int(session.amount_total)
        self.amount = from_stripe(self.minor, self.currency)

    def presented(self, minor: int) -> int:
        """A part of the amount, in the customer's currency."""
        return minor if self.shown == self.minor else round(minor * Fraction(self.shown, self.minor))

    def dispute(self, row: Any) -> DisputeState:
        due_by = getattr(getattr(row, "evidence_details", None), "due_by", None)
        status: DisputeStatus = ENDED_DISPUTES.get(row.status, "open")
        withdrawn, left = _withdrawn(row, is_won=status == "won")
        return DisputeState(
            reference=str(row.id),
            amount=self._settled(round(row.amount * Fraction(left, withdrawn)) if left else row.amount),
            status=status,
            is_withdrawn=left > 0,
            respond_by=datetime.fromtimestamp(due_by, UTC) if due_by else None,
            reason=str(getattr(row, "reason", "") or ""),
        )

    def _settled(self, minor: int) -> Decimal:
        """A part of what the customer paid, in our currency."""
        share = minor if self.shown == self.minor else round(minor * Fraction(self.minor, self.shown))
        return from_stripe(share, self.currency)

    def refund(self, row: Any) -> RefundState:
        result = result_of(row)
        return RefundState(
            status=result.status,
            amount=self._settled(row.amount),
            refund_id=refund_id_of(row),
            reference=result.reference,
            error=result.error,
        )


def _withdrawn(dispute: Any, *, is_won: bool) -> tuple[int, int]:
    """The amount withdrawn for a dispute, and its part that was not paid out again, in the currency of the account.

    If the account's currency is not the customer's, the withdrawal and the payout are converted at different rates and
    cannot be compared. Then any payout counts as the whole amount.
    """
    entries = getattr(dispute, "balance_transactions", None) or ()
    withdrawn = -sum(entry.amount for entry in entries if entry.amount < 0)
    paid_out = sum(entry.amount for entry in entries if entry.amount > 0)
    is_converted = any(getattr(entry, "currency", dispute.currency) != dispute.currency for entry in entries)
    if paid_out and (is_won or is_converted):
        return withdrawn, 0
    return withdrawn, max(withdrawn - paid_out, 0)


def refund_id_of(refund: Any) -> str:
    """Our id of a refund; empty if it was made in the dashboard."""
    return str(getattr(getattr(refund, "metadata", None), "refund_id", "") or "")


def result_of(refund: Any) -> RefundResult:
    if refund.status in FAILED_REFUNDS:
        error = str(getattr(refund, "failure_reason", None) or refund.status)
        return RefundResult(status="failed", reference=refund.id, error=error)
    return RefundResult(status="succeeded" if refund.status == "succeeded" else "pending", reference=refund.id)


def _exponent(currency: str) -> int:
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


def to_stripe(amount: Decimal, currency: str) -> int:
    minor = quantise(amount, currency).scaleb(_exponent(currency))
    step = 10 if currency in THREE_DECIMAL else 1
    if minor % step:
        raise PaymentDeclined(_("Stripe does not accept so many decimals in %(currency)s.") % {"currency": currency})
    return int(minor)


def from_stripe(amount: int, currency: str) -> Decimal:
    return quantise(Decimal(amount).scaleb(-_exponent(currency)), currency)
