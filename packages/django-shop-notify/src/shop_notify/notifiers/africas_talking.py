"""SMS by Africa's Talking, with the official SDK.

Documentation of the fields read here: https://developers.africastalking.com/docs/sms/sending/bulk (status codes) and
https://developers.africastalking.com/docs/sms/notifications (delivery reports, opt-outs, incoming messages).
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.http import HttpRequest
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from shop_notify.exceptions import PermanentFailure, ReportRefused, SetupFailure, TemporaryFailure, UnknownOutcome
from shop_notify.notifiers.base import Balance, Message, Receipt, Report, require_secret
from shop_notify.notifiers.http import failure_for
from shop_notify.notifiers.sms import SmsNotifier, is_phone
from shop_notify.segments import count_segments

logger = logging.getLogger(__name__)

ACCEPTED = frozenset({100, 101, 102})  # Processed, Sent, Queued
RETRYABLE = frozenset({500, 501, 502})  # the gateway's own errors
SETUP = frozenset({402, 405})  # InvalidSenderId, InsufficientBalance
REFUSED = frozenset({401, 403, 404, 406, 407, 409})
SETUP_MESSAGES = ("InvalidSenderId", "InsufficientBalance")
"""Messages of a response without recipients, which refuse the set-up."""
_STATUS_CODE = re.compile(r"[1-9][0-9]{2}")
_AMOUNT = re.compile(r"[0-9]{1,3}(,?[0-9]{3})?(\.[0-9]{1,12})?")
OPTED_OUT = frozenset({406})  # UserInBlacklist

REPORT_STATES: Mapping[str, str] = {
    "Sent": "sent",
    "Submitted": "sent",
    "Buffered": "sent",
    "Success": "delivered",
    "Failed": "failed",
    "Rejected": "failed",
    "AbsentSubscriber": "failed",
    "Expired": "failed",
}


class AfricasTalkingNotifier(SmsNotifier):
    """Sends SMS. The username ``sandbox`` selects the sandbox; ``base_url`` selects another host, for tests.

    ``report_secret`` is the last part of the delivery-report URL, since the gateway signs nothing.
    With ``repeat_unknown`` a message whose outcome is unknown is sent once more. With ``low_balance``, an amount in
    the currency of the account, staff are alarmed when less is left. With ``confirm_stop`` a person who sends
    STOP gets one reply.
    """

    extra = "django-shop-notify[africastalking]"
    has_secret_in_report_url = True
    secret_options = frozenset({"api_key", "report_secret"})

    def __init__(
        self,
        *,
        alias: str,
        username: str,
        api_key: str,
        sender: str | None = None,
        base_url: str = "",
        report_secret: str = "",
        repeat_unknown: bool = False,
        low_balance: Decimal | int | str | None = None,
        confirm_stop: bool = False,
    ) -> None:
        super().__init__(alias=alias, repeat_unknown=repeat_unknown)
        if not username or not api_key:
            raise ValueError(_("“username” and “api_key” are required."))
        self.sender = sender or None
        self.report_secret = report_secret
        self.low_balance = _amount(low_balance)
        self.confirms_stop = confirm_stop
        try:
            from shop_notify.notifiers.africas_talking_client import AccountClient, SmsClient
        except ImportError as error:
            raise ValueError(_("Install the SDK with `pip install django-shop-notify[africastalking]`.")) from error
        self._client = SmsClient(username, api_key, base_url=base_url)
        self._account = AccountClient(username, api_key, base_url=base_url)

    def send(self, message: Message) -> Receipt:
        text = message.text.strip()
        if not text:
            raise PermanentFailure(_("The message is empty."), provider_code="empty")
        try:
            response = self._client.send(text, [message.to], sender_id=self.sender)
        except ValueError as error:
            raise PermanentFailure(str(error), provider_code="invalid") from error
        return read_response(response.status, response.text, response.retry_after, text=text)

    def fetch_balance(self) -> Balance:
        """The balance of the account: https://developers.africastalking.com/docs/application."""
        response = self._account.fetch_application_data()
        if not 200 <= response.status < 300:
            raise failure_for(response.status, response.text[:200], retry_after=response.retry_after)
        return read_balance(response.text)

    def read_report(self, request: HttpRequest) -> Iterable[Report]:
        require_secret(request, self.report_secret)
        if request.method != "POST":
            raise ReportRefused(_("Delivery reports are sent by POST."))
        data = request.POST
        if "text" in data and "from" in data:
            return self._read_incoming(data)
        phone = _phone(data.get("phoneNumber", ""))
        status = data.get("status", "")
        reason = data.get("failureReason", "")
        if not status and data.get("senderId"):
            return [Report(status="OptOut", state="failed", address=phone, suppress="stop")]
        state = REPORT_STATES.get(status)
        if not data.get("id") or state is None or phone == "+":
            raise ReportRefused(_("The report lacks an id, a phone number or a known status."))
        return [
            Report(
                provider_id=data["id"],
                status=status,
                state=state,
                address=phone,
                detail=reason[:200],
                suppress="stop" if reason == "UserInBlackList" else "",
            )
        ]

    def _read_incoming(self, data: Mapping[str, str]) -> list[Report]:
        """A message that somebody has sent to the short code: their wish; nothing for any other text."""
        wish = self.wish_in(data["text"], names=[self.sender or "", data.get("to", "")])
        phone = _phone(data["from"])
        if wish and not is_phone(phone):
            logger.warning("%s from a sender that is not a phone number is ignored", wish.upper())
        if not wish or not is_phone(phone):
            return []
        return [
            Report(
                provider_id=data.get("id") or data.get("linkId") or f"{data.get('date', '')} {data['text']}",
                status=wish.upper(),
                state="sent",
                address=phone,
                wish=wish,
                at=_time(data.get("date", "")),
            )
        ]


def _phone(text: str) -> str:
    """The phone number as a plus sign and digits. A form that does not encode the plus sign turns it into a space."""
    return "+" + re.sub(r"[\s().+-]", "", text)


def _time(text: str) -> datetime | None:
    """The time of an incoming message, None if it cannot be read; UTC if it names no zone."""
    try:
        found = parse_datetime(text.strip().replace(" ", "T"))
    except ValueError:
        return None
    return found if found is None or found.tzinfo else found.replace(tzinfo=UTC)


def read_response(status: int, body: str, retry_after: str | None, *, text: str) -> Receipt:
    """Turn the gateway's response into a receipt or a failure, by the recipient's status code.

    Raises:
        TemporaryFailure, SetupFailure, PermanentFailure, UnknownOutcome: by the recipient's code, or else the HTTP
            status.
    """
    if 300 <= status < 400:
        # Its address in the settings is wrong, or the connection is intercepted.
        raise SetupFailure(
            _("The gateway responded with a redirect, which is not followed."), provider_code=str(status)
        )
    recipients, gateway_message = _parse(body)
    if status >= 400 and not recipients:
        raise failure_for(status, gateway_message or body[:200], retry_after=retry_after)
    if recipients is None:
        raise UnknownOutcome(_("The gateway's response could not be read."), provider_code=str(status))
    if not recipients:
        if any(known.lower() in gateway_message.replace(" ", "").lower() for known in SETUP_MESSAGES):
            raise SetupFailure(gateway_message, provider_code=str(status))
        raise PermanentFailure(gateway_message or _("The gateway accepted no recipient."), provider_code=str(status))
    return _read_recipient(recipients[0], text=text)


def _parse(body: str) -> tuple[list[Any] | None, str]:
    """Recipients and message of a response of any content type; None if it has no recipients."""
    try:
        data = json.loads(body)["SMSMessageData"]
        recipients, message = data["Recipients"], str(data.get("Message", ""))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None, ""
    return (recipients if isinstance(recipients, list) else None), message


def _read_recipient(recipient: Any, *, text: str) -> Receipt:
    if not isinstance(recipient, Mapping) or not _STATUS_CODE.fullmatch(str(recipient.get("statusCode", ""))):
        raise UnknownOutcome(_("The gateway's response has no status code."))
    code = int(str(recipient["statusCode"]))
    status = str(recipient.get("status", ""))
    if code in ACCEPTED:
        currency, cost = _read_cost(str(recipient.get("cost", "")))
        parts = recipient.get("messageParts")
        return Receipt(
            provider_id=str(recipient.get("messageId") or ""),
            provider_code=str(code),
            segments=parts if type(parts) is int and 0 < parts < 100 else count_segments(text).parts,
            cost=cost,
            currency=currency,
            response={key: recipient.get(key) for key in ("statusCode", "status", "number", "cost", "messageId")},
        )
    if code in SETUP:
        raise SetupFailure(status, provider_code=str(code))
    if code in RETRYABLE:
        raise TemporaryFailure(status, provider_code=str(code))
    if code in REFUSED:
        raise PermanentFailure(status, provider_code=str(code), suppress="stop" if code in OPTED_OUT else "")
    raise UnknownOutcome(_("The gateway responded with an unknown code."), provider_code=str(code))


def read_balance(body: str) -> Balance:
    """The balance of a response such as ``{"UserData": {"balance": "KES 1785.50"}}``.

    Raises:
        UnknownOutcome: it has none.
    """
    try:
        currency, amount = str(json.loads(body)["UserData"]["balance"]).split()
        balance = Balance(currency=currency.upper(), amount=Decimal(amount.replace(",", "")))
    except (ValueError, TypeError, KeyError, InvalidOperation, RecursionError):
        balance = None
    if balance is None or not balance.amount.is_finite() or not re.fullmatch("[A-Z]{3}", balance.currency):
        raise UnknownOutcome(_("The gateway's response has no balance."), provider_code="balance")
    return balance


def _amount(value: Decimal | int | str | None) -> Decimal | None:
    """The amount of an option; None for none.

    Raises:
        ValueError: it is not an amount.
    """
    if value is None or value == "":
        return None
    try:
        amount = Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        raise ValueError(_("“low_balance” must be an amount such as 500."))
    return amount


def _read_cost(text: str) -> tuple[str, Decimal | None]:
    """Currency and amount of a cost such as ``KES 0.8000``; an empty text and None if it is not one."""
    currency, _space, amount = text.partition(" ")
    if not re.fullmatch("[A-Za-z]{3}", currency) or not _AMOUNT.fullmatch(amount):
        return "", None
    return currency.upper(), Decimal(amount.replace(",", "")).quantize(Decimal("0.0001"))
