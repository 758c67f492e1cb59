"""Cards and wallets on Stripe's own page, by its official SDK: ``pip install django-shop-orders[stripe]``."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar, TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy

from shop_orders.exceptions import InvalidWebhook, PaymentDeclined, ProviderUnavailable
from shop_orders.payment_providers import diagnosis, signatures
from shop_orders.payment_providers.base import (
    DisputeState,
    EventKind,
    PaymentEvent,
    PaymentProvider,
    PaymentRequest,
    PaymentStart,
    PaymentState,
    PaymentStatus,
    Problem,
    RefundRequest,
    RefundResult,
)
from shop_orders.payment_providers.stripe_objects import (
    FAILED_REFUNDS,
    Settlement,
    from_stripe,
    refund_id_of,
    result_of,
    to_stripe,
)

logger = logging.getLogger(__name__)
Result = TypeVar("Result")

KINDS: Mapping[str, EventKind] = {
    "checkout.session.completed": "captured",
    "checkout.session.async_payment_succeeded": "captured",
    "checkout.session.async_payment_failed": "failed",
    "checkout.session.expired": "cancelled",
    "charge.refunded": "refunded",
}
REFUND_EVENTS = ("refund.created", "refund.updated", "refund.failed", "charge.refund.updated")
"""Accounts created before 2024-10-28 send ``charge.refund.updated`` instead of ``refund.updated``."""

DISPUTE_EVENTS = (
    *("charge.dispute.created", "charge.dispute.updated", "charge.dispute.closed"),
    *("charge.dispute.funds_withdrawn", "charge.dispute.funds_reinstated"),
)
"""https://docs.stripe.com/disputes/how-disputes-work"""
ENDED_INTENTS: Mapping[str, PaymentStatus] = {"requires_payment_method": "failed", "canceled": "cancelled"}
"""The final status of a payment whose Checkout page was completed, by the status of its PaymentIntent."""

UNREADABLE = (AttributeError, KeyError, TypeError, ValueError)
"""What the SDK raises for JSON that is not Stripe's, such as an error of a proxy (stripe 15: AttributeError)."""


class StripeCheckout(PaymentProvider):
    """``webhook_secrets`` are the signing secrets of the endpoint: one, or two during a rotation.

    The page of a payment is closed ``minutes`` after its start, or when its order no longer needs a payment.
    """

    label = gettext_lazy("Card")
    timeout_seconds: ClassVar[int] = 20

    def __init__(
        self, *, alias: str, api_key: str, webhook_secrets: Sequence[str], minutes: int = 30, api_base: str = ""
    ) -> None:
        super().__init__(alias=alias)
        try:
            import stripe
        except ImportError as error:
            raise ImproperlyConfigured("Install it with `pip install django-shop-orders[stripe]`.") from error
        self.stripe: Any = stripe
        self.webhook_secrets = signatures.secrets_of(webhook_secrets, option="webhook_secrets")
        self.expires_after = self.time_to_pay = timedelta(minutes=minutes)
        self._is_test = "_test_" in api_key
        options: dict[str, Any] = {"base_addresses": {"api": api_base}} if api_base else {}
        client = stripe.StripeClient(
            api_key, http_client=stripe.RequestsClient(timeout=self.timeout_seconds), max_network_retries=0, **options
        )
        self.api: Any = getattr(client, "v1", client)

    def refuses(self, *, amount: Decimal, currency: str) -> str:
        try:
            to_stripe(amount, currency)
        except PaymentDeclined as error:
            return str(error)
        return ""

    def start(self, request: PaymentRequest) -> PaymentStart:
        back = request.return_url or request.base_url
        price = {
            "currency": request.currency.lower(),
            "unit_amount": to_stripe(request.amount, request.currency),
            "product_data": {"name": request.description},
        }
        params: dict[str, Any] = {
            "mode": "payment",
            "line_items": [{"quantity": 1, "price_data": price}],
            "client_reference_id": request.payment_id,
            "metadata": {"payment_id": request.payment_id},
            "payment_intent_data": {"metadata": {"payment_id": request.payment_id}},
            "success_url": back,
            "cancel_url": back,
        }
        if request.email and request.email.rpartition("@")[0].isascii():  # else Stripe's page asks for an address
            params["customer_email"] = request.email
        session = self._call(
            lambda: self.api.checkout.sessions.create(params, _idempotency(f"start-{request.payment_id}"))
        )
        return PaymentStart(
            reference=session.id, redirect_url=session.url, expires_at=timezone.now() + self.time_to_pay
        )

    def refund(self, state: Mapping[str, Any], *, reference: str, request: RefundRequest) -> RefundResult:  # noqa: ARG002
        session = self._ask(lambda: self.api.checkout.sessions.retrieve(reference))
        if not session.payment_intent:
            raise PaymentDeclined
        for made in self._refunds_of(session):
            if refund_id_of(made) == request.refund_id:
                return result_of(made)  # Stripe forgets an idempotency key after a day
        params = {
            "payment_intent": session.payment_intent,
            "amount": Settlement(session).presented(to_stripe(request.amount, request.currency)),
            "metadata": {"refund_id": request.refund_id},
        }
        return result_of(
            self._call(lambda: self.api.refunds.create(params, _idempotency(f"refund-{request.refund_id}")))
        )

    def fetch_refund(
        self,
        state: Mapping[str, Any],  # noqa: ARG002
        *,
        reference: str,  # noqa: ARG002
        refund_reference: str,
    ) -> RefundResult | None:
        if not refund_reference:
            return None
        return result_of(self._ask(lambda: self.api.refunds.retrieve(refund_reference)))

    def cancel(self, state: Mapping[str, Any], *, reference: str) -> None:  # noqa: ARG002
        with suppress(PaymentDeclined):  # it is already complete or expired, as fetch will show
            self._call(lambda: self.api.checkout.sessions.expire(reference))

    def fetch(self, state: Mapping[str, Any], *, reference: str) -> PaymentState | None:  # noqa: ARG002
        if not reference:
            return None
        session = self._ask(lambda: self.api.checkout.sessions.retrieve(reference))
        if session.payment_status != "paid":
            return self._unpaid(session)
        settled = Settlement(session)
        refunds = [settled.refund(row) for row in self._refunds_of(session)]
        counted = (row.amount for row in refunds if row.status != "failed")
        return PaymentState(
            status="captured",
            reference=session.id,
            captured=settled.amount,
            refunded=sum(counted, Decimal(0)),
            refunds=refunds,
            disputes=self._disputes_of(session, settled),
            currency=settled.currency,
        )

    def read_webhook(self, request: HttpRequest) -> Iterable[PaymentEvent]:
        event = self._verified(request)
        subject = event.data.object
        data = subject.to_dict()
        if event.type in REFUND_EVENTS:
            return self._refund_events(event.id, data)
        if event.type in DISPUTE_EVENTS:
            payment_id, reference = self._payment_of(data), str(data["id"])
            return [
                PaymentEvent(event_id=event.id, kind="disputed", payment_id=payment_id, refund_reference=reference)
            ]
        kind = KINDS.get(event.type)
        if kind is None:
            return []
        if event.type == "checkout.session.completed" and data.get("payment_status") != "paid":
            kind = "processing"  # a bank debit or a voucher, which arrives later or fails
        amount, currency = _event_amount(kind, subject)
        return [
            PaymentEvent(
                event_id=event.id,
                kind=kind,
                reference=str(data["id"]) if kind != "refunded" else "",
                payment_id=str((data.get("metadata") or {}).get("payment_id", "")),
                amount=amount,
                currency=currency,
            )
        ]

    def diagnose(self, *, webhook_url: str = "") -> Iterable[Problem]:
        return diagnosis.of_stripe(self.stripe, self.api, webhook_url=webhook_url, is_test=self._is_test)

    def _unpaid(self, session: Any) -> PaymentState:
        """The state of a session that is not paid.

        If the session is complete, the state is that of its payment: a bank debit or a voucher that has not arrived
        yet, or that has failed.
        """
        if session.status != "complete" or not session.payment_intent:
            return PaymentState(status="cancelled" if session.status == "expired" else "pending", reference=session.id)
        intent = self._ask(lambda: self.api.payment_intents.retrieve(session.payment_intent))
        error = str(getattr(getattr(intent, "last_payment_error", None), "message", None) or "")
        status = ENDED_INTENTS.get(intent.status, "processing")
        return PaymentState(status=status, reference=session.id, error=error if status == "failed" else "")

    def _refunds_of(self, session: Any) -> list[Any]:
        """Stripe's refunds of a payment, also those that failed or were made in the dashboard."""
        if not session.payment_intent:
            return []
        params = {"payment_intent": session.payment_intent, "limit": 100}
        return self._ask(lambda: list(self.api.refunds.list(params).auto_paging_iter()))

    def _disputes_of(self, session: Any, settled: Settlement) -> list[DisputeState] | None:
        """Stripe's disputes of a payment, also those that are over. None if the key may not read them."""
        if not session.payment_intent:
            return []
        params = {"payment_intent": session.payment_intent, "limit": 100}
        try:
            rows = self._ask(lambda: list(self.api.disputes.list(params).auto_paging_iter()))
        except ProviderUnavailable as error:
            if isinstance(error.__cause__, self.stripe.PermissionError):
                return None
            raise
        return [settled.dispute(row) for row in rows]

    def _refund_events(self, event_id: str, refund: Mapping[str, Any]) -> list[PaymentEvent]:
        """The event about one refund. There is none while the refund is under way."""
        status = str(refund.get("status"))
        is_failed = status in FAILED_REFUNDS
        if status != "succeeded" and not is_failed:
            return []
        refund_id = str((refund.get("metadata") or {}).get("refund_id", ""))
        return [
            PaymentEvent(
                event_id=event_id,
                kind="refund_failed" if is_failed else "refunded",
                refund_id=refund_id,
                refund_reference=str(refund["id"]),
                payment_id="" if refund_id else self._payment_of(refund),
                error=str(refund.get("failure_reason") or status) if is_failed else "",
            )
        ]

    def _payment_of(self, refund: Mapping[str, Any]) -> str:
        """Our payment id for a dispute, or for a refund that was made in Stripe's dashboard. It is fetched, since the
        event does not contain it."""
        intent = str(refund.get("payment_intent") or "")
        if not intent:
            return ""
        try:
            found = self._ask(lambda: self.api.payment_intents.retrieve(intent))
        except ProviderUnavailable as error:
            if getattr(error.__cause__, "code", "") != "resource_missing":
                raise
            return ""
        return str(getattr(found.metadata, "payment_id", ""))

    def _verified(self, request: HttpRequest) -> Any:
        signature = request.headers.get("Stripe-Signature", "")
        for secret in self.webhook_secrets:
            try:
                return self.stripe.Webhook.construct_event(request.body, signature, secret)
            except (ValueError, self.stripe.SignatureVerificationError):
                continue
        raise InvalidWebhook

    def _ask(self, call: Callable[[], Result]) -> Result:
        """Run a query. A refusal, such as of an expired key, says nothing about the payment.

        Raises:
            ProviderUnavailable: Stripe refused the query, or could not be called.
        """
        try:
            return call()
        except self.stripe.StripeError as error:
            logger.warning("Stripe could not be asked: %s, %s", type(error).__name__, error.code)
            raise ProviderUnavailable from error
        except UNREADABLE as error:
            logger.warning("Stripe's response could not be read: %s", type(error).__name__)
            raise ProviderUnavailable from error

    def _call(self, call: Callable[[], Result]) -> Result:
        """Run a request that changes something.

        Raises:
            PaymentDeclined: Stripe refused the request.
            ProviderUnavailable: it is not known whether Stripe carried it out.
        """
        try:
            return call()
        except (self.stripe.CardError, self.stripe.InvalidRequestError) as error:
            logger.warning("Stripe refused a request: %s", error.code)
            raise PaymentDeclined from error
        except self.stripe.StripeError as error:
            logger.warning("Stripe could not be called: %s", type(error).__name__)
            raise ProviderUnavailable from error
        except UNREADABLE as error:
            logger.warning("Stripe's response could not be read: %s", type(error).__name__)
            raise ProviderUnavailable from error


def _event_amount(kind: EventKind, subject: Any) -> tuple[Decimal | None, str]:
    """Amount and currency in an event: of a session that was paid, or the refunded total of a charge."""
    if kind == "captured" and getattr(subject, "amount_total", None) is not None:
        settled = Settlement(subject)
        return settled.amount, settled.currency
    minor = getattr(subject, "amount_refunded", None)
    if kind != "refunded" or minor is None:
        return None, ""
    currency = str(subject.currency).upper()
    return from_stripe(int(minor), currency), currency


def _idempotency(key: str) -> dict[str, str]:
    return {"idempotency_key": key}
