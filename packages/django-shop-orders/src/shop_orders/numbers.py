"""Order numbers: short, unguessable, readable aloud, with a check character.

Ten characters of a 31-character alphabet without 0, 1, I, L and O, such as ``K7MXQ-4T29P``. The last one is a weighted
sum modulo 31, a prime, so that one wrong character and two swapped neighbours are both detected.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shop_orders.models import Order

ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
RANDOM_CHARACTERS = 9
MAX_CHARACTERS = 40
"""The width of the order's column. A shipment's number is longer by a dash and its position."""
UNSAFE_IN_URL = "/\\?#% "


def order_number(order: Order) -> str:  # noqa: ARG001 - the hook's signature
    """A new random number. 31**9 are possible, about 2**44."""
    rest, body = secrets.randbelow(len(ALPHABET) ** RANDOM_CHARACTERS), ""
    for _place in range(RANDOM_CHARACTERS):
        rest, digit = divmod(rest, len(ALPHABET))
        body += ALPHABET[digit]
    number = body + _check_character(body)
    return f"{number[:5]}-{number[5:]}"


def problem_of(number: object) -> str:
    """The reason why a number of an ORDER_NUMBER hook cannot be used; "" if it can.

    The number is part of URLs, so it must be one segment of a path that every browser and proxy leaves as it
    is (RFC 3986, sections 3.3 and 5.2.4).
    """
    if not isinstance(number, str):
        return f"It is not a str but a {type(number).__name__}."
    if not 0 < len(number) <= MAX_CHARACTERS:
        return f"It must have 1 to {MAX_CHARACTERS} characters."
    if number in (".", ".."):
        return "Browsers remove it from a URL."
    if not number.isprintable() or any(character in UNSAFE_IN_URL for character in number):
        return "It has a blank, an unprintable character, or one of / \\ ? # %."
    return ""


def is_plausible(text: str) -> bool:
    """Whether the check character is right, so that a form can report a typing error without a query."""
    number = text.upper().replace("-", "").replace(" ", "")
    if len(number) != RANDOM_CHARACTERS + 1 or any(character not in ALPHABET for character in number):
        return False
    return number[-1] == _check_character(number[:-1])


def _check_character(body: str) -> str:
    total = sum(weight * ALPHABET.index(character) for weight, character in enumerate(body, start=2))
    return ALPHABET[-total % len(ALPHABET)]
