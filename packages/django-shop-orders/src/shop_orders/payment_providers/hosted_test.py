"""A provider for tests and demos: its page has buttons to pay, to refuse, and to pay without a webhook."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, get_args

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy

from shop_orders.exceptions import InvalidWebhook, PaymentDeclined
from shop_orders.payment_providers import signatures
from shop_orders.payment_providers.base import (
    EventKind,
    PaymentEvent,
    PaymentProvider,
    PaymentRequest,
    PaymentStart,
    PaymentState,
    RefundRequest,
    RefundResult,
)


class HostedTestProvider(PaymentProvider):
    """A test provider: no money is moved. Do not use it in a real shop.

    Needs ``path("payments/", include("shop_orders.urls"))``. Its own state is stored
    in the payment's data, under ``outcome``.
    """

    label = gettext_lazy("Test payment")

    def __init__(self, *, alias: str, secrets: Sequence[str], minutes: int = 30) -> None:
        super().__init__(alias=alias)
        self.secrets = signatures.secrets_of(secrets, option="secrets")
        self.expires_after = self.time_to_pay = timedelta(minutes=minutes)

    def start(self, request: PaymentRequest) -> PaymentStart:
        page = reverse("shop_orders:hosted_test", args=[request.payment_id])
        return PaymentStart(
            reference=f"test_{request.payment_id}",
            redirect_url=request.base_url + page,
            expires_at=timezone.now() + self.time_to_pay,
            data={"return_url": request.return_url, "amount": str(request.amount), "currency": request.currency},
        )

    def capture(self, state: Mapping[str, Any], *, reference: str, amount: Decimal, currency: str) -> PaymentState:  # noqa: ARG002
        return PaymentState(status="captured", reference=reference, captured=amount, currency=currency)

    def refund(self, state: Mapping[str, Any], *, reference: str, request: RefundRequest) -> RefundResult:  # noqa: ARG002
        if state.get("refuse_refunds"):
            raise PaymentDeclined
        return RefundResult(reference=f"refund_{request.refund_id}")

    def fetch(self, state: Mapping[str, Any], *, reference: str) -> PaymentState | None:
        outcome = state.get("outcome", "pending")
        if outcome != "captured":
            return PaymentState(status=outcome, reference=reference)
        captured = Decimal(state["amount"]) if "amount" in state else None
        return PaymentState(status=outcome, reference=reference, captured=captured, currency=state.get("currency", ""))

    def read_webhook(self, request: HttpRequest) -> Iterable[PaymentEvent]:
        event_id = signatures.verify(request, self.secrets)
        try:
            body = json.loads(request.body)
            amount = Decimal(body["amount"]) if body.get("amount") else None
            event = PaymentEvent(
                event_id=event_id,
                kind=body["kind"],
                reference=str(body["reference"]),
                amount=amount,
                currency=str(body.get("currency", "")),
                error=str(body.get("error", "")),
            )
        except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError):
            raise InvalidWebhook
        if event.kind not in get_args(EventKind) or not (amount is None or amount.is_finite()):
            raise InvalidWebhook
        return [event]

    def signed_call(
        self, *, kind: str, reference: str, amount: str = "", currency: str = ""
    ) -> tuple[bytes, dict[str, str]]:
        """Body and headers of the webhook that this provider would send."""
        body = json.dumps({"kind": kind, "reference": reference, "amount": amount, "currency": currency}).encode()
        message_id, timestamp = f"evt_{uuid.uuid4().hex}", int(time.time())
        headers = {
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signatures.sign(
                self.secrets[0], message_id=message_id, timestamp=timestamp, body=body
            ),
        }
        return body, headers
