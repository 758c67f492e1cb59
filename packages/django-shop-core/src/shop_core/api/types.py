"""Annotated types of request schemas. They refuse values that the database cannot store, by a code and status 422."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from shop_core.db.rows import UNSAFE, as_stored


def _plain_decimal(value: Any) -> Any:
    """Accept only a plain decimal number as text: no exponent, sign, spaces, underscores or non-ASCII digits."""
    if isinstance(value, Decimal):
        return value
    if not isinstance(value, str) or not value.isascii() or not value.replace(".", "", 1).isdigit():
        raise ValueError("not_an_amount")
    return value


def safe_text(value: str) -> str:
    """Return the text if every database can store it, otherwise raise a ValueError, ``unsafe_text``."""
    if UNSAFE.search(value):
        raise ValueError("unsafe_text")
    return value


def _plausible_time(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("time_without_offset")
    if not 1900 <= value.year <= 2200:
        raise ValueError("time_out_of_range")
    return as_stored(value)


Money = Annotated[Decimal, BeforeValidator(_plain_decimal), Field(ge=0, max_digits=14, decimal_places=4)]
Text = Annotated[str, Field(max_length=10_000), AfterValidator(safe_text)]
ShortText = Annotated[str, Field(max_length=200), AfterValidator(safe_text)]
SearchText = Annotated[str, Field(max_length=100), AfterValidator(safe_text)]
Time = Annotated[datetime, PlainSerializer(lambda moment: moment.astimezone(UTC), return_type=datetime)]
"""A time in a response: in UTC with its offset, also with ``USE_TZ = False``."""
When = Annotated[datetime, AfterValidator(_plausible_time)]


class In(BaseModel):
    """Base of every request body: unknown fields are refused. It is read from JSON, not from object attributes."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)
