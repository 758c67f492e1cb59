"""The numbers that stand for attributes, categories, stock, rating and price in ``ProductTerms``. Pure functions.

Terms are for filters, facets for counts. An attribute with its value is one term: a hash, so that a filter needs no
look-up. Two different ones among a million share a hash with a probability of 1 in 10 million.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b
from typing import Any

IN_STOCK, SOLD_OUT = 1, 2
SAMPLES = 256
"""The number of samples. Each product is in one of them, and they have about the same size."""

_FIRST_SAMPLE = 1000

EVERY, STOCKED = 0, 1
"""Facets: every product, and those in stock."""

_FIRST_RATING, _FIRST_BAND, _LAST_BAND = 10, 100, 999
FIRST_VALUE = 1 << 62
"""The facet of an attribute with a value is its term, and at least this number."""

_LOWEST_EXPONENT = -4
"""Amounts have at most four decimals."""


def texts(value: Any) -> Iterator[str]:
    """The texts of an attribute's value, by which it is filtered and counted. A list has one for each of its items.

    A whole number and an equal decimal have the same text. Booleans are "true" and "false". Null and objects have
    none.
    """
    if isinstance(value, str):
        yield value
    elif isinstance(value, bool):
        yield "true" if value else "false"
    elif isinstance(value, int | float | Decimal):
        yield number_text(value)
    elif isinstance(value, list):
        for item in value:
            if not isinstance(item, list):
                yield from texts(item)


def number_text(value: float | Decimal) -> str:
    """A number without an exponent and without zeros at the end of its decimals."""
    if isinstance(value, int):
        return str(value)
    text = f"{Decimal(str(value)):f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def pairs(*objects: Mapping[str, Any]) -> set[tuple[str, str]]:
    """The names and texts of attributes."""
    return {(name, text) for values in objects for name, value in values.items() for text in texts(value)}


@lru_cache(maxsize=20_000)
def attribute_term(name: str, text: str | None) -> int:
    """The term of an attribute with a value. With ``None``, the key of all values beyond the limit."""
    content = json.dumps([name, text]).encode()
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "big") >> 2 | FIRST_VALUE


def category_term(category_id: int) -> int:
    return -category_id


def sample_term(product_id: int) -> int:
    return _FIRST_SAMPLE + (product_id * 2_654_435_761 & 0xFFFFFFFF) // (2**32 // SAMPLES)


def sample_terms(number: int) -> list[int]:
    """The terms of the first samples."""
    return [_FIRST_SAMPLE + place for place in range(number)]


def category_ids(terms: Iterable[int]) -> list[int]:
    return [-term for term in terms if term < 0]


def rating_facet(average: Decimal) -> int | None:
    """The facet of a rating's whole stars, from 1 to 4."""
    return _FIRST_RATING + min(int(average), 4) if average >= 1 else None


def rating_of(facet: int) -> int | None:
    return facet - _FIRST_RATING if _FIRST_RATING < facet <= _FIRST_RATING + 4 else None


def band_facet(price: Decimal) -> int:
    """The facet of a price's band. Bands begin at 0, 1, 2, 5, 10, 20, 50 and so on, also below one."""
    if price < Decimal(1).scaleb(_LOWEST_EXPONENT):
        return _FIRST_BAND
    exponent = price.adjusted()
    digit = int(price.scaleb(-exponent))
    return _FIRST_BAND + 1 + 3 * (exponent - _LOWEST_EXPONENT) + (digit >= 2) + (digit >= 5)


def are_in_one_band(*prices: Decimal | None) -> bool:
    return len({None if price is None else band_facet(price) for price in prices}) == 1


def band_of(facet: int) -> tuple[Decimal, Decimal] | None:
    """The first price of a band, and the first price of the next one."""
    if not _FIRST_BAND <= facet <= _LAST_BAND:
        return None
    return _band_start(facet - _FIRST_BAND), _band_start(facet - _FIRST_BAND + 1)


def _band_start(band: int) -> Decimal:
    if band == 0:
        return Decimal(0)
    exponent, place = divmod(band - 1, 3)
    return Decimal((1, 2, 5)[place]).scaleb(exponent + _LOWEST_EXPONENT)
