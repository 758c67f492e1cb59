"""Meta's error codes, sorted into the failures of a notifier.

https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes: the code decides, and the HTTP status only
where Meta sends no code, since one status stands for many errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shop_notify.exceptions import (
    DeliveryFailure,
    PermanentFailure,
    SetupFailure,
    TemporaryFailure,
    UnknownOutcome,
)

__all__ = ["describe", "failure_of"]

MAX_DETAIL = 300

SETUP: Mapping[int, str] = {
    0: "The access token is not valid. Create another one for the system user.",
    3: "The access token lacks the permission whatsapp_business_messaging.",
    10: "The access token lacks the permission whatsapp_business_messaging.",
    33: "The phone number with this phone_number_id was deleted.",
    102: "The access token is not valid any more. Create another one for the system user.",
    190: "The access token has expired or was revoked. Create another one for the system user.",
    368: "The WhatsApp Business Account is restricted because of its policy violations. See WhatsApp Manager.",
    803: "There is no phone number with this phone_number_id.",
    2500: "Meta does not know the URL: compare phone_number_id, api_version and base_url with API Setup.",
    131005: "The access token may not use this phone number. Give its system user access to the account.",
    131031: "The WhatsApp Business Account is locked. See WhatsApp Manager.",
    131037: "The display name of the phone number is not approved. See WhatsApp Manager.",
    131042: "There is a problem with the payment method of the account. See the billing settings in WhatsApp Manager.",
    131045: "The phone number is not registered because of a wrong certificate. Register it again.",
    133006: "The phone number must be verified before it is registered.",
    133010: "The phone number is not registered with the Cloud API.",
}
"""Meta would refuse any message until somebody mends the account, the number or the token."""

PERMISSION_CODES = range(200, 300)
"""“API Permission”: the permission was not granted, or was withdrawn."""

MISSING_OBJECT_SUBCODE = 33
"""With code 100: the phone_number_id does not exist, or the token may not see it."""

TEMPORARY: Mapping[int, float | None] = {
    1: None,  # API unknown: possible server error
    2: None,  # API service: downtime or overload
    4: 60,  # the app's limit of API calls
    17: 60,  # the user's limit of API calls
    613: 60,  # another limit of API calls
    80007: 60,  # the account's limit of API calls
    130429: 30,  # throughput of the number
    131000: None,  # something went wrong
    131016: None,  # service overloaded
    131048: 3600,  # spam rate limit: depends on the quality of the number
    131056: 60,  # pair rate limit: too many messages to this person
    131057: 900,  # the account is being maintained
    132015: 3600,  # the template is paused for three hours or longer
    133004: 60,  # server temporarily unavailable
}
"""Nothing was sent. The number is the shortest wait in seconds."""

PERMANENT: Mapping[int, str] = {
    100: "Meta did not accept the request. Compare the template in OPTIONS with the one in WhatsApp Manager.",
    130472: "Meta did not send it, because the number takes part in an experiment.",
    130497: "The account may not send to numbers of this country.",
    131008: "A parameter of the template is missing.",
    131009: "A parameter of the template has a wrong value.",
    131021: "The number is that of the sender itself.",
    131026: "The number has no WhatsApp, has not accepted its terms, or uses an old version.",
    131030: "A test number sends only to the numbers that are on its list of recipients in the App Dashboard.",
    131047: "The person has not written for 24 hours: only a template may be sent. Add one to OPTIONS['templates'].",
    131049: "Meta did not send it, because the person has received enough marketing messages.",
    131050: "The person does not want marketing messages from this number.",
    131051: "Meta does not know this type of message.",
    132000: "The template has another number of parameters than OPTIONS['templates'] names.",
    132001: "The template does not exist in this language, or is not approved. See OPTIONS['templates'].",
    132005: "The text of the template with its parameters is too long.",
    132007: "The template or its parameters violate WhatsApp's policy.",
    132012: "A parameter has another format than the template expects.",
    132016: "Meta has disabled the template because of its low quality. Write another one.",
    135000: "Meta does not name the reason. Compare the template in OPTIONS with the one in WhatsApp Manager.",
}
"""The same message would be refused again."""


def failure_of(status: int, content: Mapping[str, Any], *, retry_after: float | None = None) -> DeliveryFailure:
    """The failure to raise for a response that is no success. ``content`` is empty if it was no JSON object."""
    error = content.get("error")
    if not isinstance(error, Mapping) or not _is_code(error.get("code")):
        return _failure_without_code(status, retry_after)
    code, detail = int(error["code"]), describe(error)
    if (
        code in SETUP
        or code in PERMISSION_CODES
        or (code == 100 and error.get("error_subcode") == MISSING_OBJECT_SUBCODE)
    ):
        advice = SETUP.get(code, "The access token may not use this phone_number_id, or it does not exist.")
        return SetupFailure(f"{advice} ({detail})", provider_code=str(code))
    if code in TEMPORARY:
        wait = retry_after or TEMPORARY[code]
        return TemporaryFailure(detail, provider_code=str(code), retry_after=wait)
    if code in PERMANENT:
        return PermanentFailure(f"{PERMANENT[code]} ({detail})", provider_code=str(code))
    return _failure_of_unlisted_code(status, error, retry_after)


def describe(error: Mapping[str, Any]) -> str:
    """The code and Meta's words, printable: “131047 Re-engagement message: more than 24 hours have passed ...”."""
    data = error.get("error_data")
    title = error.get("title") or error.get("message") or ""
    details = data.get("details", "") if isinstance(data, Mapping) else ""
    text = f"{error.get('code')} {title}: {details}".rstrip(" :")[:MAX_DETAIL]
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _failure_of_unlisted_code(status: int, error: Mapping[str, Any], retry_after: float | None) -> DeliveryFailure:
    """A code that is newer than this table. The error says that nothing was sent."""
    code, detail = str(error["code"]), describe(error)
    if status in {401, 403}:
        return SetupFailure(detail, provider_code=code)
    if status == 429 or status >= 500 or error.get("is_transient") is True:
        return TemporaryFailure(detail, provider_code=code, retry_after=retry_after)
    return PermanentFailure(detail, provider_code=code)


def _failure_without_code(status: int, retry_after: float | None) -> DeliveryFailure:
    """HTML, an empty body or other JSON: a proxy on the way, or a server that broke down while it worked."""
    code, text = str(status), f"HTTP {status} without an error of Meta's"
    if status in {408, 425, 429, 503}:
        return TemporaryFailure(text, provider_code=code, retry_after=retry_after)
    if status in {401, 403, 404, 407} or 300 <= status < 400:
        return SetupFailure(f"{text}: base_url or api_version is wrong, or a proxy is in the way.", provider_code=code)
    if 400 <= status < 500:
        return PermanentFailure(text, provider_code=code)
    return UnknownOutcome(f"{text}: it may have been sent.", provider_code=code)


def _is_code(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
