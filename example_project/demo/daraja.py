"""A simulated M-Pesa: the documented responses of Safaricom's Daraja, and a handset on which requests ring.

Requests and transactions are rows, so that the inbox page, which runs in another process, can show them and accept the
customer's response. https://developer.safaricom.co.ke/apis/MpesaExpressSimulate, .../CustomerToBusinessRegisterURL,
.../TransactionStatus
"""

from __future__ import annotations

import base64
import json
import secrets
import string
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import close_old_connections
from django.utils import timezone
from shop_orders.payment_providers import payment_provider

from demo.models import MobileNumber, MobileRequest, MobileTransfer

RINGS_FOR = timedelta(seconds=60)
ANSWERS_AFTER_SECONDS = 0.5
ATTEMPTS = 5
TOKEN = secrets.token_urlsafe(20)
PAID, CANCELLED, TIMED_OUT, WRONG_PIN = "0", "1032", "1037", "2001"
RESULTS = {
    PAID: "The service request is processed successfully.",
    CANCELLED: "Request cancelled by user",
    TIMED_OUT: "DS timeout user cannot be reached",
    WRONG_PIN: "The initiator information is invalid.",
}


def answer_request(request: MobileRequest, result: str, *, is_lost: bool = False) -> None:
    """End a request on the handset. Unless the report is lost, the shop is called from another thread."""
    ended = MobileRequest.objects.filter(pk=request.pk, result="").update(
        result=result, ended_at=timezone.now(), is_report_lost=is_lost
    )
    if not ended:
        return
    transfer = None
    if result == PAID:
        transfer = _transfer(request.phone, request.amount, request.number, request.account)
        MobileRequest.objects.filter(pk=request.pk).update(receipt=transfer.receipt)
    request.refresh_from_db()
    if not is_lost:
        _later(_report, [(request.callback_url, _callback(request)), *_confirmations(transfer)])


def send_by_hand(phone: str, amount: Decimal, account: str = "") -> MobileTransfer:
    """Send money from the handset to the shop's number; the shop is called from another thread."""
    transfer = _transfer(phone, amount, shop_number(), account)
    _later(_report, _confirmations(transfer))
    return transfer


def shop_number() -> str:
    """The paybill or till of the shop; empty in a demo without M-Pesa."""
    options = _options()
    return options.get("till_number") or options.get("short_code", "")


def is_till() -> bool:
    """Whether customers send money to a till, which takes no account number."""
    return _options().get("kind") == "till"


def register_shop() -> None:
    """Register the shop's URLs by its own client, as its owner does once with ``register_webhooks``."""
    payment_provider("mobile_money").register_webhooks(base_url=settings.SITE_URL)


def waiting(phone: str = "") -> list[MobileRequest]:
    """The requests that ring now."""
    rows = MobileRequest.objects.filter(result="", received_at__gt=timezone.now() - RINGS_FOR)
    return list(rows.filter(phone=phone) if phone else rows)


def respond(path: str, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    """The status and the body of the response to an authorised request."""
    match path:
        case "/mpesa/stkpush/v1/processrequest":
            return _ring(body)
        case "/mpesa/stkpushquery/v1/query":
            return _status_of_request(str(body.get("CheckoutRequestID", "")))
        case "/mpesa/c2b/v2/registerurl":
            urls = {"confirmation_url": body["ConfirmationURL"]}
            MobileNumber.objects.update_or_create(number=str(body["ShortCode"]), defaults=urls)
            return 200, {"OriginatorCoversationID": secrets.token_hex(8), "ResponseCode": "0"}
        case "/mpesa/transactionstatus/v1/query":
            _later(_report, [(str(body["ResultURL"]), _status_of_transfer(str(body["TransactionID"])))])
            return 200, {"ConversationID": f"AG_{secrets.token_hex(10)}", "ResponseCode": "0"}
    return 404, {"errorCode": "404.001.01", "errorMessage": "Resource not found"}


def _ring(body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    request = MobileRequest.objects.create(
        reference=f"ws_CO_{secrets.randbelow(10**18):018}",
        phone=str(body["PhoneNumber"]),
        amount=Decimal(str(body["Amount"])),
        number=str(body["PartyB"]),
        account=str(body["AccountReference"]),
        callback_url=str(body["CallBackURL"]),
    )
    _later(answer_request, request, TIMED_OUT, wait_seconds=RINGS_FOR.total_seconds())
    return 200, {
        "MerchantRequestID": secrets.token_hex(8),
        "CheckoutRequestID": request.reference,
        "ResponseCode": "0",
        "ResponseDescription": "Success. Request accepted for processing",
        "CustomerMessage": "Success. Request accepted for processing",
    }


def _status_of_request(reference: str) -> tuple[int, dict[str, Any]]:
    request = MobileRequest.objects.filter(reference=reference).first()
    if request is None:
        return 400, {"errorCode": "400.002.02", "errorMessage": "Bad Request - Invalid CheckoutRequestID"}
    is_over = request.received_at <= timezone.now() - RINGS_FOR
    result = request.result or (TIMED_OUT if is_over else "")
    if not result:
        return 500, {"errorCode": "500.001.1001", "errorMessage": "The transaction is being processed"}
    return 200, {
        "ResponseCode": "0",
        "CheckoutRequestID": reference,
        "ResultCode": result,
        "ResultDesc": RESULTS[result],
    }


def _callback(request: MobileRequest) -> dict[str, Any]:
    """The callback of a request that ended."""
    callback: dict[str, Any] = {
        "MerchantRequestID": secrets.token_hex(8),
        "CheckoutRequestID": request.reference,
        "ResultCode": int(request.result),
        "ResultDesc": RESULTS[request.result],
    }
    if request.result == PAID:
        values = {"Amount": float(request.amount), "MpesaReceiptNumber": request.receipt, "PhoneNumber": request.phone}
        callback["CallbackMetadata"] = {"Item": [{"Name": name, "Value": value} for name, value in values.items()]}
    return {"Body": {"stkCallback": callback}}


def _confirmations(transfer: MobileTransfer | None) -> list[tuple[str, dict[str, Any]]]:
    """The report of money that came in, to the URL that the shop has registered for its number."""
    shop = MobileNumber.objects.filter(number=transfer.number).first() if transfer else None
    if transfer is None or shop is None:
        return []
    body = {
        "TransactionType": "Buy Goods" if is_till() else "Pay Bill",
        "TransID": transfer.receipt,
        "TransTime": timezone.localtime(transfer.sent_at).strftime("%Y%m%d%H%M%S"),
        "TransAmount": f"{transfer.amount:.2f}",
        "BusinessShortCode": transfer.number,
        "BillRefNumber": transfer.account,
        "InvoiceNumber": "",
        "OrgAccountBalance": "49197.00",
        "ThirdPartyTransID": "",
        "MSISDN": f"{transfer.phone[:4]} ***** {transfer.phone[-3:]}",
        "FirstName": "WANJIRU",
        "MiddleName": "",
        "LastName": "",
    }
    return [(shop.confirmation_url, body)]


def _status_of_transfer(receipt: str) -> dict[str, Any]:
    transfer = MobileTransfer.objects.filter(receipt=receipt).first()
    result: dict[str, Any] = {"ResultType": 0, "ResultCode": 0 if transfer else 2032, "TransactionID": receipt}
    if transfer is not None:
        values = {
            "ReceiptNo": receipt,
            "Amount": float(transfer.amount),
            "TransactionStatus": "Completed",
            "CreditPartyName": f"{transfer.number} - {settings.SHOP_NAME}",
        }
        result["ResultParameters"] = {
            "ResultParameter": [{"Key": key, "Value": value} for key, value in values.items()]
        }
    return {"Result": result}


def _options() -> Mapping[str, str]:
    providers: Any = settings.SHOP_ORDERS["PAYMENT_PROVIDERS"]
    return providers["mobile_money"]["OPTIONS"] if "mobile_money" in providers else {}


def _transfer(phone: str, amount: Decimal, number: str, account: str) -> MobileTransfer:
    receipt = "T" + "".join(secrets.choice(string.ascii_uppercase + string.digits) for _place in range(9))
    return MobileTransfer.objects.create(receipt=receipt, phone=phone, amount=amount, number=number, account=account)


def _later(function: Any, *arguments: Any, wait_seconds: float = 0) -> None:
    timer = threading.Timer(wait_seconds, _run, [function, *arguments])
    timer.daemon = True
    timer.start()


def _run(function: Any, *arguments: Any) -> None:
    close_old_connections()
    try:
        function(*arguments)
    finally:
        close_old_connections()


def _report(calls: list[tuple[str, dict[str, Any]]]) -> None:
    """Call the shop's URLs in turn, each again until it accepts."""
    for url, body in calls:
        for attempt in range(ATTEMPTS):
            time.sleep(ANSWERS_AFTER_SECONDS * (attempt + 1))
            if _post(url, body):
                break


def _post(url: str, body: dict[str, Any]) -> bool:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        scheme, _blank, given = self.headers.get("Authorization", "").partition(" ")
        if urlsplit(self.path).path != "/oauth/v1/generate" or scheme != "Basic" or not _is_pair(given):
            self._respond(400, {"errorCode": "400.008.01", "errorMessage": "Invalid Authentication passed"})
            return
        self._respond(200, {"access_token": TOKEN, "expires_in": "3599"})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._respond(404, {"errorCode": "404.001.03", "errorMessage": "Invalid Access Token"})
            return
        close_old_connections()
        try:
            status, body = respond(urlsplit(self.path).path, json.loads(raw))
        except (KeyError, ValueError, ArithmeticError):
            status, body = 400, {"errorCode": "400.002.02", "errorMessage": "Bad Request - Invalid body"}
        finally:
            close_old_connections()
        self._respond(status, body)

    def _respond(self, status: int, body: Mapping[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """No access log: the inbox page shows the requests."""


def _is_pair(text: str) -> bool:
    try:
        return b":" in base64.b64decode(text, validate=True)
    except ValueError:
        return False


def server(host: str, port: int) -> ThreadingHTTPServer:
    return ThreadingHTTPServer((host, port), Handler)
