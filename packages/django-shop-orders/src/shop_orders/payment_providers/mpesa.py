"""M-Pesa on the customer's phone (Daraja's STK push): ``pip install django-shop-orders[mpesa]``.

Safaricom does not sign its calls: the webhook's URL contains a secret, and a call is applied only after the status
query has confirmed it.
"""

from __future__ import annotations

import base64
import hmac
import json
import logging
import re
import time
from collections.abc import Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar, Literal
from zoneinfo import ZoneInfo

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from shop_orders.exceptions import InvalidWebhook, PaymentDeclined, ProviderNotReached, ProviderUnavailable
from shop_orders.payment_providers.base import (
    PaymentEvent,
    PaymentProvider,
    PaymentRequest,
    PaymentStart,
    PaymentState,
    RefundRequest,
    RefundResult,
)

logger = logging.getLogger(__name__)

PRODUCTION = "https://api.safaricom.co.ke"
STILL_WAITING = "500.001.1001"
"""The status query returns this error code until the customer enters the PIN."""
STILL_PROCESSING = "4999"
"""In responses with the status 200, this result code has the same meaning."""
CANCELLED_BY_CUSTOMER = "1032"
SECRET = re.compile(r"[A-Za-z0-9_-]{16,}")
"""The minimum length of the secret in the webhook's URL, the only protection against forged calls."""
RING = timedelta(minutes=2)
"""After this time the request on the phone has expired, and a new push may be sent."""


class Mpesa(PaymentProvider):
    """``webhook_secret`` is a random text of at least 16 letters and digits; ``kind`` is ``paybill`` or ``till``.

    Daraja has no idempotency key, so a push is not repeated while the phone may ring, even if its response was lost.
    The status query does not return the amount: after a lost callback the requested amount is recorded, with an event
    in the timeline. Staff make refunds in Safaricom's portal; ``payments.refund`` records them.
    """

    label = gettext_lazy("M-Pesa")
    refunds_by_hand = True
    start_once_for = RING
    instructions = gettext_lazy("Look at your phone and enter your M-Pesa PIN.")
    timeout_seconds: ClassVar[tuple[int, int]] = (5, 20)
    _tokens: ClassVar[dict[tuple[str, str], tuple[str, float]]] = {}

    def __init__(
        self,
        *,
        alias: str,
        consumer_key: str,
        consumer_secret: str,
        short_code: str,
        passkey: str,
        webhook_secret: str,
        kind: Literal["paybill", "till"] = "paybill",
        minutes: int = 15,
        api_base: str = PRODUCTION,
    ) -> None:
        super().__init__(alias=alias)
        try:
            import requests
        except ImportError as error:
            raise ImproperlyConfigured("Install it with `pip install django-shop-orders[mpesa]`.") from error
        if not SECRET.fullmatch(webhook_secret):
            raise ImproperlyConfigured('"webhook_secret" must be at least 16 letters, digits, "-" or "_".')
        self.requests: Any = requests
        self.consumer_key, self.consumer_secret = consumer_key, consumer_secret
        self.short_code, self.passkey = short_code, passkey
        self.webhook_secret = webhook_secret
        self.transaction_type = "CustomerPayBillOnline" if kind == "paybill" else "CustomerBuyGoodsOnline"
        self.expires_after = timedelta(minutes=minutes)
        self.api_base = api_base.rstrip("/")

    def start(self, request: PaymentRequest) -> PaymentStart:
        phone = request.phone.lstrip("+")
        if not phone:
            raise PaymentDeclined(_("Enter the phone number to pay from."))
        if request.amount != request.amount.to_integral_value():
            raise PaymentDeclined(_("M-Pesa takes whole shillings only."))
        try:
            self._token()
        except ProviderUnavailable as error:
            raise ProviderNotReached from error
        result = self._post(
            "/mpesa/stkpush/v1/processrequest",
            {
                **self._signed(),
                "TransactionType": self.transaction_type,
                "Amount": int(request.amount),
                "PartyA": phone,
                "PartyB": self.short_code,
                "PhoneNumber": phone,
                "CallBackURL": f"{request.webhook_url}{self.webhook_secret}-{request.payment_id}/",
                "AccountReference": request.order_number[:12],
                "TransactionDesc": request.order_number[:13],
            },
        )
        if str(result.get("ResponseCode")) != "0":
            raise PaymentDeclined
        return PaymentStart(
            reference=str(result["CheckoutRequestID"]),
            instructions=str(self.instructions),
            expires_at=timezone.now() + RING,
        )

    def fetch(self, state: Mapping[str, Any], *, reference: str) -> PaymentState | None:  # noqa: ARG002
        if not reference:
            return None
        result = self._post("/mpesa/stkpushquery/v1/query", {**self._signed(), "CheckoutRequestID": reference})
        code = str(result.get("ResultCode", ""))
        if result.get("errorCode") == STILL_WAITING or code in ("", STILL_PROCESSING):
            return PaymentState(status="pending", reference=reference)
        error = "" if code == "0" else str(result.get("ResultDesc", ""))
        return PaymentState(status=_status(code), reference=reference, error=error)

    def refund(self, state: Mapping[str, Any], *, reference: str, request: RefundRequest) -> RefundResult:  # noqa: ARG002
        return RefundResult(reference=request.refund_id)

    def read_webhook(self, request: HttpRequest) -> Iterable[PaymentEvent]:
        payment_id = self._payment_id(request)
        try:
            call = json.loads(request.body)["Body"]["stkCallback"]
            reference, code = str(call["CheckoutRequestID"]), str(call["ResultCode"])
            items = call.get("CallbackMetadata", {}).get("Item", [])
            values = {item["Name"]: item.get("Value") for item in items}
            amount = Decimal(str(values["Amount"])) if code == "0" else None
        except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError):
            raise InvalidWebhook
        reported = PaymentState(status=_status(code), error=str(call.get("ResultDesc", "")))
        known = self._confirmed(reference)
        state = known or reported
        return [
            PaymentEvent(
                event_id=f"{reference}:{state.status}",
                kind=state.status,
                reference=reference,
                payment_id=payment_id,
                amount=amount if state.status == "captured" else None,
                error="" if state.status == "captured" else state.error,
                data={"receipt": str(values.get("MpesaReceiptNumber", ""))},
                is_confirmed=known is not None,
            )
        ]

    def webhook_response(self) -> HttpResponse:
        return JsonResponse({"ResultCode": 0, "ResultDesc": "Accepted"})

    def _confirmed(self, reference: str) -> PaymentState | None:
        """The final state that the status query returns, or None."""
        try:
            state = self.fetch({}, reference=reference)
        except (ProviderUnavailable, PaymentDeclined):
            return None
        return None if state is None or state.status == "pending" else state

    def _payment_id(self, request: HttpRequest) -> str:
        """The payment id in the URL that was called, if the secret in it is right."""
        match = request.resolver_match
        given = str(match.kwargs.get("secret", "")) if match else ""
        secret, payment_id = given[:-37], given[-36:]
        if not hmac.compare_digest(secret.encode(), self.webhook_secret.encode()):
            raise InvalidWebhook
        return payment_id

    def _signed(self) -> dict[str, str]:
        stamp = timezone.now().astimezone(ZoneInfo("Africa/Nairobi")).strftime("%Y%m%d%H%M%S")
        password = base64.b64encode(f"{self.short_code}{self.passkey}{stamp}".encode()).decode()
        return {"BusinessShortCode": self.short_code, "Password": password, "Timestamp": stamp}

    def _token(self) -> str:
        key = (self.api_base, self.consumer_key)
        token, until = self._tokens.get(key, ("", 0.0))
        if time.monotonic() < until:
            return token
        result = self._call(
            "GET",
            "/oauth/v1/generate?grant_type=client_credentials",
            auth=(self.consumer_key, self.consumer_secret),
        )
        try:
            token, seconds = str(result["access_token"]), int(result["expires_in"])
        except (KeyError, ValueError):
            raise ProviderUnavailable
        self._tokens[key] = token, time.monotonic() + seconds - 60
        return token

    def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._call("POST", path, json=body, headers={"Authorization": f"Bearer {self._token()}"})

    def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """Call the API. Raises ProviderUnavailable unless the response is a JSON object about the payment."""
        try:
            response = self.requests.request(
                method, self.api_base + path, timeout=self.timeout_seconds, allow_redirects=False, **options
            )
            body = response.json()
        except (self.requests.RequestException, ValueError) as error:
            logger.warning("M-Pesa could not be called: %s", type(error).__name__)
            raise ProviderUnavailable from error
        if not isinstance(body, dict):
            raise ProviderUnavailable
        if response.status_code == 401:
            self._tokens.pop((self.api_base, self.consumer_key), None)
        if response.status_code >= 400 and body.get("errorCode") != STILL_WAITING:
            logger.error("M-Pesa responded %s, %s", response.status_code, body.get("errorCode"))
            if 400 <= response.status_code < 500 and response.status_code not in (401, 403, 429):
                raise PaymentDeclined
            raise ProviderUnavailable
        return body


def _status(code: str) -> Literal["captured", "cancelled", "failed"]:
    if code == "0":
        return "captured"
    return "cancelled" if code == CANCELLED_BY_CUSTOMER else "failed"
