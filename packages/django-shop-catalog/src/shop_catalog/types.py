"""Annotated types that every request schema uses: what the database cannot keep is refused here, with a 422."""

from __future__ import annotations

import json
import math
import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from django.utils.translation import gettext as _
from ninja import Schema
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field


def _plain_decimal(value: Any) -> Any:
    """Only a plain decimal text: no exponent, sign, blanks, underscores or foreign digits."""
    if isinstance(value, Decimal):
        return value
    if not isinstance(value, str) or not value.isascii() or not value.replace(".", "", 1).isdigit():
        raise ValueError(_('Send an amount as text with digits and at most one point, such as "12.50".'))
    return value


def _safe_text(value: str) -> str:
    if UNSAFE.search(value):
        raise ValueError(_("Texts must not contain NUL characters or lone surrogates."))
    return value


def _sane_time(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError(_("Send a time with its offset, such as 2026-01-31T12:00:00Z."))
    if not 1900 <= value.year <= 2200:
        raise ValueError(_("Send a time between the years 1900 and 2200."))
    return value


UNSAFE = re.compile("[\0\ud800-\udfff]")
MAX_JSON_CHARACTERS = 16 * 1024
MAX_JSON_DEPTH = 20

Money = Annotated[Decimal, BeforeValidator(_plain_decimal), Field(ge=0, max_digits=14, decimal_places=4)]
Quantity = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]
Text = Annotated[str, Field(max_length=10_000), AfterValidator(_safe_text)]
ShortText = Annotated[str, Field(max_length=200), AfterValidator(_safe_text)]
SearchText = Annotated[str, Field(max_length=100), AfterValidator(_safe_text)]
Slug = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[-a-zA-Z0-9_]+$")]
When = Annotated[datetime, AfterValidator(_sane_time)]


def _small_json(value: dict[str, Any]) -> dict[str, Any]:
    """An object that the database, a list answer and a browser can hold."""
    _check_json(value, 1)
    if len(json.dumps(value)) > MAX_JSON_CHARACTERS:
        raise ValueError(_("The object is larger than 16 kB."))
    return value


def _check_json(value: Any, depth: int) -> None:
    if depth > MAX_JSON_DEPTH:
        raise ValueError(_("The object is nested more than 20 levels deep."))
    match value:
        case str():
            _safe_text(value)
        case int() if abs(value) >= 2**63:
            raise ValueError(_("Whole numbers must fit into 64 bits."))
        case float() if not math.isfinite(value):
            raise ValueError(_("Numbers must be finite."))
        case list():
            for item in value:
                _check_json(item, depth + 1)
        case dict():
            for name, item in value.items():
                _safe_text(name)
                _check_json(item, depth + 1)


JSONObject = Annotated[dict[str, Any], AfterValidator(_small_json)]
Sku = Annotated[
    str,
    Field(min_length=1, max_length=64, pattern=r"^[^\s\x00-\x1f]+( [^\s\x00-\x1f]+)*$"),
    AfterValidator(_safe_text),
]
Limit = Annotated[int, Field(ge=1, le=100)]
Cursor = Annotated[str, Field(max_length=500, pattern=r"^[-_A-Za-z0-9]*$")]


UNSET: Any = None
"""Default of a field that a PATCH body may leave out, and that cannot be null."""


class In(Schema):
    """Base of every request body: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


def given(payload: Schema) -> dict[str, Any]:
    """The fields that a PATCH body names, with their values."""
    return {name: getattr(payload, name) for name in payload.model_fields_set}
