"""The messages of Daraja about money that customers send to a paybill or till by hand ("C2B").

https://developer.safaricom.co.ke/apis/CustomerToBusinessRegisterURL and
https://developer.safaricom.co.ke/apis/TransactionStatus
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from shop_core.db.rows import as_stored

from shop_orders.exceptions import InvalidWebhook, PaymentDeclined, ProviderUnavailable
from shop_orders.payment_providers.base import IncomingPaymentEvent

REGISTER = "/mpesa/c2b/v2/registerurl"
STATUS = "/mpesa/transactionstatus/v1/query"
CONFIRMATION, VALIDATION, RESULT = "paid", "check", "result"
"""The last part of the URLs. Safaricom refuses some words in them, see ``diagnosis``."""
NAIROBI = ZoneInfo("Africa/Nairobi")
RECEIPT = re.compile(r"[A-Za-z0-9]{6,30}")
PAYBILL_TYPE, TILL_TYPE = "4", "2"
"""How Daraja identifies the shop that queries the status of a transaction: by short code or by till."""


def registration(number: str, confirmation_url: str, validation_url: str) -> dict[str, str]:
    """The body that registers the URLs. Where the validation URL does not respond, payments are accepted."""
    return {
        "ShortCode": number,
        "ResponseType": "Completed",
        "ConfirmationURL": confirmation_url,
        "ValidationURL": validation_url,
    }


def check_registration(status: int, result: Mapping[str, Any]) -> None:
    """Read the response to a registration.

    Raises:
        PaymentDeclined: Safaricom refused it.
        ProviderUnavailable: Safaricom did not respond as documented.
    """
    if status < 400 and str(result.get("ResponseCode", "")).strip("0") == "" and "ResponseCode" in result:
        return
    reason = str(result.get("errorMessage") or result.get("ResponseDescription") or "")
    if "already registered" in reason.lower():
        raise PaymentDeclined(
            _(
                "Safaricom has URLs for this number already. Delete them in the Daraja portal "
                "(Self Services, URL Management), then register again."
            )
        )
    if not reason or status == 429 or status in (401, 403):
        raise ProviderUnavailable
    raise PaymentDeclined(_("Safaricom refused the URLs: %(reason)s") % {"reason": reason[:200]})


def confirmation(call: Mapping[str, Any], *, numbers: Sequence[str]) -> IncomingPaymentEvent:
    """The money that a confirmation reports. It is not signed, so it may be untrue.

    Raises:
        InvalidWebhook: it is for another number, or has no receipt.
    """
    receipt = str(call["TransID"])
    if str(call["BusinessShortCode"]) not in numbers or not RECEIPT.fullmatch(receipt):
        raise InvalidWebhook
    names = (str(call.get(name) or "") for name in ("FirstName", "MiddleName", "LastName"))
    return IncomingPaymentEvent(
        receipt=receipt,
        amount=Decimal(str(call["TransAmount"])),
        currency="KES",
        account=str(call.get("BillRefNumber") or ""),
        payer_name=" ".join(name for name in names if name),
        payer_phone=str(call.get("MSISDN") or ""),
        paid_at=_time(str(call.get("TransTime") or "")),
    )


def status_query(
    initiator: str, credential: str, number: str, *, receipt: str, kind: str, result_url: str
) -> dict[str, str]:
    return {
        "Initiator": initiator,
        "SecurityCredential": credential,
        "CommandID": "TransactionStatusQuery",
        "TransactionID": receipt,
        "PartyA": number,
        "IdentifierType": PAYBILL_TYPE if kind == "paybill" else TILL_TYPE,
        "ResultURL": result_url,
        "QueueTimeOutURL": result_url,
        "Remarks": "Payment by hand",
        "Occasion": "",
    }


def status_result(call: Mapping[str, Any], *, receipt: str, numbers: Sequence[str]) -> list[IncomingPaymentEvent]:
    """The event in Safaricom's response about a transaction. Empty if it does not say, as after a time-out."""
    result = call["Result"]
    parameters = result.get("ResultParameters", {}).get("ResultParameter", [])
    values = {str(row["Key"]): row.get("Value") for row in parameters}
    code = str(result["ResultCode"])
    if code != "0" or not values:
        return []
    if str(values.get("ReceiptNo", receipt)) != receipt:
        raise InvalidWebhook
    to = str(values.get("CreditPartyName", "")).partition("-")[0].strip()
    is_ours = str(values.get("TransactionStatus", "")).lower() == "completed" and to in numbers
    return [
        IncomingPaymentEvent(
            receipt=receipt,
            amount=Decimal(str(values["Amount"])),
            currency="KES",
            status="confirmed" if is_ours else "refuted",
        )
    ]


def _time(text: str) -> datetime | None:
    """The time; None if the text is not a time, or the year is before M-Pesa existed."""
    try:
        found = datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=NAIROBI)
    except ValueError:
        return None
    return as_stored(found) if found.year >= 2007 else None
