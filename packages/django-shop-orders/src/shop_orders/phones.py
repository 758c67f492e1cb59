"""Phone numbers: accepted as people write them, stored as E.164."""

from __future__ import annotations

import phonenumbers

from shop_orders.conf import app_settings
from shop_orders.exceptions import InvalidPhone


def normalise(text: str) -> str:
    """Convert ``0712 345 678`` to ``+254712345678``, by the first of PHONE_REGIONS in which it is valid. "" stays "".

    Raises:
        InvalidPhone: the number is not valid in any region.
    """
    if not text.strip():
        return ""
    for region in (None, *app_settings.PHONE_REGIONS):
        try:
            number = phonenumbers.parse(text, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    raise InvalidPhone
