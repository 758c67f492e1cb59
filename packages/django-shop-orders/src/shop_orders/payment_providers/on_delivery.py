"""Payment on delivery: the order is confirmed at once and staff record the payment."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from shop_orders.payment_providers.base import (
    PaymentProvider,
    PaymentRequest,
    PaymentStart,
    PaymentState,
    RefundRequest,
    RefundResult,
)


class PayOnDelivery(PaymentProvider):
    """Needs no service and never expires."""

    label = gettext_lazy("Pay on delivery")
    confirms_at_placement = True
    is_manual = True
    refunds_by_hand = True

    def start(self, request: PaymentRequest) -> PaymentStart:
        return PaymentStart(
            reference=f"{self.alias}:{request.payment_id}", instructions=_("Pay when your order is delivered.")
        )

    def capture(self, state: Mapping[str, Any], *, reference: str, amount: Decimal, currency: str) -> PaymentState:  # noqa: ARG002
        return PaymentState(status="captured", reference=reference, captured=amount, currency=currency)

    def refund(self, state: Mapping[str, Any], *, reference: str, request: RefundRequest) -> RefundResult:  # noqa: ARG002
        """Staff hand the money back; this records it."""
        return RefundResult(reference=request.refund_id)
