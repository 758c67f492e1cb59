"""Annotated types that every request schema uses: what the database cannot keep is refused here, with a 422."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from ninja import Schema
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

UNSAFE = re.compile("[\0\ud800-\udfff]")
"""What no database keeps in a text: NUL and lone surrogates."""


def _plain_decimal(value: Any) -> Any:
    """Only a plain decimal text: no exponent, sign, blanks, underscores or foreign digits."""
    if isinstance(value, Decimal):
        return value
    if not isinstance(value, str) or not value.isascii() or not value.replace(".", "", 1).isdigit():
        raise ValueError('Send an amount as text with digits and at most one point, such as "12.50".')
    return value


def _safe_text(value: str) -> str:
    if UNSAFE.search(value):
        raise ValueError("Texts must not contain NUL characters or lone surrogates.")
    return value


def _sane_time(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("Send a time with its offset, such as 2026-01-31T12:00:00Z.")
    if not 1900 <= value.year <= 2200:
        raise ValueError("Send a time between the years 1900 and 2200.")
    return value


Money = Annotated[Decimal, BeforeValidator(_plain_decimal), Field(ge=0, max_digits=14, decimal_places=4)]
Quantity = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]
Text = Annotated[str, Field(max_length=10_000), AfterValidator(_safe_text)]
ShortText = Annotated[str, Field(max_length=200), AfterValidator(_safe_text)]
SearchText = Annotated[str, Field(max_length=100), AfterValidator(_safe_text)]
Slug = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[-a-zA-Z0-9_]+$")]
When = Annotated[datetime, AfterValidator(_sane_time)]


class In(Schema):
    """Base of every request body: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)
