"""M-Pesa by Safaricom's Daraja: ``pip install django-shop-orders[mpesa]``.

Customers pay on their phone (STK push), or by hand to the paybill or till (``mpesa_by_hand``). Safaricom does not sign
its calls: the webhook's URL contains a secret, and a call is applied only after Safaricom has confirmed it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar, Literal
from zoneinfo import ZoneInfo

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from shop_orders.exceptions import InvalidWebhook, PaymentDeclined, ProviderNotReached, ProviderUnavailable
from shop_orders.payment_providers import diagnosis, mpesa_by_hand
from shop_orders.payment_providers.base import (
    IncomingPaymentEvent,
    PaymentEvent,
    PaymentProvider,
    PaymentRequest,
    PaymentStart,
    PaymentState,
    Problem,
    RefundRequest,
    RefundResult,
)
from shop_orders.payment_providers.needs import Needs

logger = logging.getLogger(__name__)

PRODUCTION = "https://api.safaricom.co.ke"
STILL_WAITING = "500.001.1001"
"""The status query returns this error code until the customer enters the PIN."""
STILL_PROCESSING = "4999"
"""In responses with the status 200, this result code has the same meaning."""
CANCELLED_BY_CUSTOMER = "1032"
INVALID_TOKEN = ("404.001.03", "400.003.01")
"""The error codes for an access token that is invalid or expired, sent with the status 404 or 400."""
SECRET = re.compile(r"[A-Za-z0-9_-]{16,}")
"""The minimum length of the secret in the webhook's URL, the only protection against forged calls."""
RING = timedelta(minutes=2)
"""After this time the request on the phone has expired, and a new push may be sent."""


class Mpesa(PaymentProvider):
    """``webhook_secret`` is a random text of at least 16 letters and digits; ``kind`` is ``paybill`` or ``till``.
    ``short_code`` is the paybill; of a till it is the store number, and ``till_number`` is what customers enter.

    ``initiator`` and ``initiator_secret`` (Safaricom's "security credential") are an API user of the M-Pesa portal who
    may query transactions: with them money that was sent by hand is confirmed by Safaricom, otherwise by staff.
    ``site_url`` is the scheme and host of the site, to which Safaricom sends its responses.

    Daraja has no idempotency key, so a push is not repeated while the phone may ring, even if its response was lost.
    The status query does not return the amount: after a lost callback the requested amount is recorded, with an event
    in the timeline. Staff make refunds in Safaricom's portal; ``payments.refund`` records them.
    """

    label = gettext_lazy("M-Pesa")
    needs = Needs(phone=True, whole_units=True, currencies=("KES",))
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
        till_number: str = "",
        initiator: str = "",
        initiator_secret: str = "",
        site_url: str = "",
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
        self.number = till_number or short_code
        self.kind = kind
        self.initiator, self.initiator_secret, self.site_url = initiator, initiator_secret, site_url.rstrip("/")

    def start(self, request: PaymentRequest) -> PaymentStart:
        phone = request.phone.lstrip("+")
        result = self._push(
            {
                **self._signed(),
                "TransactionType": self.transaction_type,
                "Amount": int(request.amount),
                "PartyA": phone,
                "PartyB": self.number,
                "PhoneNumber": phone,
                "CallBackURL": f"{request.webhook_url}{self.webhook_secret}-{request.payment_id}/",
                "AccountReference": request.order_number[:12],
                "TransactionDesc": request.order_number[:13],
            }
        )
        by_hand = self.by_hand(order_number=request.order_number, amount=request.amount)
        return PaymentStart(
            reference=str(result["CheckoutRequestID"]),
            instructions=f"{self.instructions}\n{by_hand}",
            expires_at=timezone.now() + RING,
        )

    def by_hand(self, *, order_number: str, amount: Decimal) -> str:
        if amount != amount.to_integral_value():
            return ""
        text = _(
            "Or pay by hand: Lipa na M-Pesa, Pay Bill, business number %(number)s, account number %(account)s, "
            "amount %(amount)s."
        )
        if self.kind == "till":
            text = _("Or pay by hand: Lipa na M-Pesa, Buy Goods, till number %(number)s, amount %(amount)s.")
        return text % {"number": self.number, "account": order_number, "amount": int(amount)}

    def fetch(self, state: Mapping[str, Any], *, reference: str) -> PaymentState | None:  # noqa: ARG002
        if not reference:
            return None
        result = self._inquire("/mpesa/stkpushquery/v1/query", {**self._signed(), "CheckoutRequestID": reference})
        code = str(result.get("ResultCode", ""))
        if result.get("errorCode") == STILL_WAITING or code in ("", STILL_PROCESSING):
            return PaymentState(status="pending", reference=reference)
        is_refused = str(result.get("ResponseCode", "0")) != "0"
        if is_refused or not code.isdecimal() or str(result.get("CheckoutRequestID", reference)) != reference:
            logger.error("M-Pesa's response to a status query is not about the payment")
            raise ProviderUnavailable
        error = "" if code == "0" else str(result.get("ResultDesc", ""))
        return PaymentState(status=_status(code), reference=reference, error=error)

    def refund(self, state: Mapping[str, Any], *, reference: str, request: RefundRequest) -> RefundResult:  # noqa: ARG002
        return RefundResult(reference=request.refund_id)

    def register_webhooks(self, *, base_url: str) -> Iterable[str]:
        """Register the URLs that Safaricom calls when money was sent by hand."""
        urls = {
            name: self._webhook_url(base_url, name) for name in (mpesa_by_hand.CONFIRMATION, mpesa_by_hand.VALIDATION)
        }
        for url in urls.values():
            if word := diagnosis.forbidden_word(url):
                text = _("Safaricom refuses URLs that contain %(word)s. Choose another alias, path or secret.")
                raise PaymentDeclined(text % {"word": word})
        body = mpesa_by_hand.registration(self.number, *urls.values())
        status, result = self._post(mpesa_by_hand.REGISTER, body, token=self._token())
        mpesa_by_hand.check_registration(status, result)
        return list(urls.values())

    def confirm_incoming(self, receipt: str) -> bool:
        if not (self.initiator and self.initiator_secret and self.site_url):
            return False
        result_url = self._webhook_url(self.site_url, f"{mpesa_by_hand.RESULT}-{receipt}-{self._proof(receipt)}")
        who = (self.initiator, self.initiator_secret, self.number)
        body = mpesa_by_hand.status_query(*who, receipt=receipt, kind=self.kind, result_url=result_url)
        return str(self._inquire(mpesa_by_hand.STATUS, body).get("ResponseCode")) == "0"

    def read_webhook(self, request: HttpRequest) -> Iterable[PaymentEvent | IncomingPaymentEvent]:
        purpose, numbers = self._purpose(request), (self.number, self.short_code)
        try:
            call = json.loads(request.body)
            if purpose == mpesa_by_hand.VALIDATION:
                return []
            if purpose == mpesa_by_hand.CONFIRMATION:
                return [mpesa_by_hand.confirmation(call, numbers=numbers)]
            if purpose.startswith(mpesa_by_hand.RESULT):
                return mpesa_by_hand.status_result(call, receipt=self._proven_receipt(purpose), numbers=numbers)
            return [self._confirmed(self._push_event(call["Body"]["stkCallback"], purpose))]
        except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError):
            raise InvalidWebhook

    def diagnose(self, *, webhook_url: str = "") -> Iterable[Problem]:
        """Request a token, then the status of a payment that does not exist."""
        self._forget_token()
        return diagnosis.of_mpesa(
            self._call,
            key=(self.consumer_key, self.consumer_secret),
            inquiry={**self._signed(), "CheckoutRequestID": "ws_CO_000000000000000000"},
            api_base=self.api_base,
            webhook_url=webhook_url,
        )

    def _push_event(self, call: Mapping[str, Any], payment_id: str) -> PaymentEvent:
        """The event in the callback of a push, not confirmed yet."""
        reference, code = str(call["CheckoutRequestID"]), str(call["ResultCode"])
        items = call.get("CallbackMetadata", {}).get("Item", [])
        values = {item["Name"]: item.get("Value") for item in items}
        kind = _status(code)
        return PaymentEvent(
            event_id=f"{reference}:{kind}",
            kind=kind,
            reference=reference,
            payment_id=payment_id,
            amount=Decimal(str(values["Amount"])) if kind == "captured" else None,
            error="" if kind == "captured" else str(call.get("ResultDesc", "")),
            receipt=str(values.get("MpesaReceiptNumber", "")),
            is_confirmed=False,
        )

    def webhook_response(self) -> HttpResponse:
        return JsonResponse({"ResultCode": 0, "ResultDesc": "Accepted"})

    def _confirmed(self, event: PaymentEvent) -> PaymentEvent:
        """The event as the status query returns it; unchanged if the query has no final result."""
        try:
            state = self.fetch({}, reference=event.reference)
        except ProviderUnavailable:
            return event
        if state is None or state.status not in ("captured", "cancelled", "failed"):
            return event
        amount = event.amount if state.status == "captured" else None
        return replace(
            event,
            event_id=f"{event.reference}:{state.status}",
            kind=state.status,
            amount=amount,
            error=state.error,
            is_confirmed=True,
        )

    def _purpose(self, request: HttpRequest) -> str:
        """What follows the secret in the URL that was called: a payment's id, or the purpose of another call."""
        match = request.resolver_match
        given = str(match.kwargs.get("secret", "")) if match else ""
        length = len(self.webhook_secret)
        if not hmac.compare_digest(given[: length + 1].encode(), f"{self.webhook_secret}-".encode()):
            raise InvalidWebhook
        return given[length + 1 :]

    def _webhook_url(self, base_url: str, purpose: str) -> str:
        return base_url.rstrip("/") + reverse(
            "shop_orders:webhook_with_secret", args=[self.alias, f"{self.webhook_secret}-{purpose}"]
        )

    def _proof(self, receipt: str) -> str:
        """A secret that only Safaricom receives, in our query about this transaction."""
        return hmac.new(self.consumer_secret.encode(), f"{self.alias} {receipt}".encode(), hashlib.sha256).hexdigest()

    def _proven_receipt(self, purpose: str) -> str:
        """The receipt that our query was about, if the response contains its proof."""
        receipt, _dash, proof = purpose.removeprefix(f"{mpesa_by_hand.RESULT}-").rpartition("-")
        if not hmac.compare_digest(proof.encode(), self._proof(receipt).encode()):
            raise InvalidWebhook
        return receipt

    def _signed(self) -> dict[str, str]:
        stamp = timezone.now().astimezone(ZoneInfo("Africa/Nairobi")).strftime("%Y%m%d%H%M%S")
        password = base64.b64encode(f"{self.short_code}{self.passkey}{stamp}".encode()).decode()
        return {"BusinessShortCode": self.short_code, "Password": password, "Timestamp": stamp}

    def _token(self) -> str:
        key = (self.api_base, self.consumer_key)
        token, until = self._tokens.get(key, ("", 0.0))
        if time.monotonic() < until:
            return token
        status, result = self._call(
            "GET",
            "/oauth/v1/generate?grant_type=client_credentials",
            auth=(self.consumer_key, self.consumer_secret),
        )
        try:
            token, seconds = str(result["access_token"]), int(result["expires_in"])
        except (KeyError, TypeError, ValueError) as error:
            logger.warning("M-Pesa responded %s without a token", status)
            raise ProviderUnavailable from error
        self._tokens[key] = token, time.monotonic() + seconds - 60
        return token

    def _forget_token(self) -> None:
        self._tokens.pop((self.api_base, self.consumer_key), None)

    def _push(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Ring the phone. If the token is refused, the push was not sent, so it is sent again with a new token.

        Raises:
            ProviderNotReached: the push was certainly not sent.
            ProviderUnavailable: it is not known whether the push was sent.
            PaymentDeclined: M-Pesa refused the push.
        """
        for _attempt in range(2):
            try:
                token = self._token()
            except ProviderUnavailable as error:
                raise ProviderNotReached from error
            status, result = self._post("/mpesa/stkpush/v1/processrequest", body, token=token)
            if status != 401 and result.get("errorCode") not in INVALID_TOKEN:
                break
            self._forget_token()
        else:
            raise ProviderNotReached
        if status == 429:
            raise ProviderNotReached
        if 400 <= status < 500 and status != 403 and "errorCode" in result:
            raise PaymentDeclined
        if status >= 400 or "ResponseCode" not in result:
            raise ProviderUnavailable
        if str(result["ResponseCode"]) != "0":
            raise PaymentDeclined
        if not result.get("CheckoutRequestID"):
            raise ProviderUnavailable
        return result

    def _inquire(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Query the status of a payment. A refusal says nothing about the payment: the query is repeated once with a
        new token.

        Raises:
            ProviderUnavailable: the query was refused again, or the response cannot be read.
        """
        for _attempt in range(2):
            status, result = self._post(path, body, token=self._token())
            if (200 <= status < 300 and result) or result.get("errorCode") == STILL_WAITING:
                return result
            self._forget_token()
            if status >= 500 or status == 429:
                break
        raise ProviderUnavailable

    def _post(self, path: str, body: Mapping[str, Any], *, token: str) -> tuple[int, dict[str, Any]]:
        return self._call("POST", path, json=body, headers={"Authorization": f"Bearer {token}"})

    def _is_unsent(self, error: Any) -> bool:
        """Whether there was no connection, so that the request cannot have arrived."""
        cause = getattr(error.args[0] if error.args else None, "reason", None)
        return isinstance(error, self.requests.ConnectTimeout) or type(cause).__name__ == "NewConnectionError"

    def _call(self, method: str, path: str, *, api_base: str = "", **options: Any) -> tuple[int, dict[str, Any]]:
        """The status and the body of a response; an empty body where it is not a JSON object."""
        try:
            response = self.requests.request(
                method,
                (api_base or self.api_base) + path,
                timeout=self.timeout_seconds,
                allow_redirects=False,
                **options,
            )
        except self.requests.RequestException as error:
            logger.warning("M-Pesa could not be called: %s", type(error).__name__)
            raise (ProviderNotReached if self._is_unsent(error) else ProviderUnavailable) from error
        try:
            body = response.json()
        except ValueError:
            body = None
        result = body if isinstance(body, dict) else {}
        if response.status_code >= 400 and result.get("errorCode") != STILL_WAITING:
            logger.error("M-Pesa responded %s, %s", response.status_code, result.get("errorCode"))
        return response.status_code, result


def _status(code: str) -> Literal["captured", "cancelled", "failed"]:
    if code == "0":
        return "captured"
    return "cancelled" if code == CANCELLED_BY_CUSTOMER else "failed"
