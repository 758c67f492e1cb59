"""The base of notifiers that send SMS: phones, limits, and what an unknown outcome means for a message that costs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import timedelta
from typing import ClassVar

from django.utils.translation import gettext as _

from shop_notify.conf import app_settings
from shop_notify.exceptions import AddressRefused
from shop_notify.notifiers.base import Notifier
from shop_notify.segments import cut_to_segments

STOP_WORDS = frozenset({"stop", "stopall", "unsubscribe"})
START_WORDS = frozenset({"start", "unstop"})
MAX_WISH_LENGTH = 160
_E164 = re.compile(r"\+[1-9]\d{6,14}")


class SmsNotifier(Notifier):
    """Base of notifiers that send SMS. A subclass implements ``send``.

    It also suits other messages to phones that cost money: set another ``channel`` then, such as ``whatsapp``.

    Messages go to the recipient's ``phone``, in the countries of ``PHONE_REGIONS`` and within ``SMS_LIMITS``. A
    message whose outcome is unknown is not sent again; with ``repeat_unknown``, an option for the settings, it is,
    once.
    """

    channel = "sms"
    address_field = "phone"
    max_attempts = 4
    expires_after: ClassVar[timedelta | None] = timedelta(hours=24)
    is_metered = True
    extra: ClassVar[str] = "django-shop-notify[sms]"
    max_text = 918  # six segments of the GSM alphabet
    max_segments: ClassVar[int] = 6
    """A longer SMS is cut. Of several segments, each holds 153 characters of the GSM alphabet, or 67 others."""

    def __init__(self, *, alias: str, repeat_unknown: bool = False) -> None:
        super().__init__(alias=alias)
        self.repeats_unknown = repeat_unknown

    def cut(self, text: str) -> str:
        """The text as it is sent; an SMS is cut to ``max_segments``."""
        text = super().cut(text)
        return cut_to_segments(text, self.max_segments) if self.channel == "sms" else text

    def check_address(self, address: str) -> None:
        """Accept valid E.164 numbers of the countries in ``PHONE_REGIONS``."""
        check_phone(address, app_settings.PHONE_REGIONS)

    @staticmethod
    def wish_in(text: str, *, names: Iterable[str] = ()) -> str:
        """``stop`` or ``start`` if a person has sent that word, in any case, with spaces or punctuation; else empty.

        The word may stand beside one of ``names``, such as the sender id.
        """
        written = _letters(text)
        for name in ("", *map(_letters, names)):
            words = {written.removeprefix(name), written.removesuffix(name)}
            if words & STOP_WORDS:
                return "stop"
            if words & START_WORDS:
                return "start"
        return ""


def _letters(text: str) -> str:
    """The letters and digits of a short text, in lower case; empty for a long one."""
    if len(text) > MAX_WISH_LENGTH:
        return ""
    return "".join(letter for letter in unicodedata.normalize("NFKC", text).casefold() if letter.isalnum())


def is_phone(address: str) -> bool:
    """Whether a text is a phone number in E.164 form."""
    return _E164.fullmatch(address) is not None


def check_phone(address: str, regions: Iterable[str]) -> None:
    """Accept only valid E.164 numbers of these countries, without premium-rate numbers.

    Raises:
        AddressRefused: the message names the reason.
    """
    import phonenumbers

    if not is_phone(address):
        raise AddressRefused(_("This is not a phone number in E.164 form, such as +254711000001."))
    number = phonenumbers.parse(address)
    if not phonenumbers.is_valid_number(number):
        raise AddressRefused(_("This phone number is not valid."))
    region = phonenumbers.region_code_for_number(number) or "?"
    if region not in regions:
        raise AddressRefused(_('The country %(region)s is not in SHOP_NOTIFY["PHONE_REGIONS"].') % {"region": region})
    costly = {phonenumbers.PhoneNumberType.PREMIUM_RATE, phonenumbers.PhoneNumberType.SHARED_COST}
    if phonenumbers.number_type(number) in costly:
        raise AddressRefused(_("Messages are not sent to premium-rate numbers."))
