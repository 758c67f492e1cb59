"""Annotated types of requests and import rows, besides those of core, and the messages for refused values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from pydantic import AfterValidator, BaseModel, Field, StringConstraints
from shop_core.api.bodies import BodyRefused, check_value
from shop_core.api.types import safe_text

from shop_catalog.cursors import MAX_LENGTH

MAX_JSON_CHARACTERS = 16 * 1024

SENTENCES: Mapping[str, str | Promise] = {
    "integer_too_large": _("Whole numbers must fit into 64 bits."),
    "not_an_amount": _("Send an amount as text with digits and at most one point, such as “12.50”."),
    "number_not_finite": _("Numbers must be finite."),
    "object_too_large": _("The object is larger than 16 kB."),
    "time_out_of_range": _("Send a time between the years 1900 and 2200."),
    "time_without_offset": _("Send a time with its offset, such as 2026-01-31T12:00:00Z."),
    "too_deep": _("The JSON is nested more than 20 levels deep."),
    "unsafe_text": _("Texts must not contain NUL characters or lone surrogates."),
}
"""The sentence that explains each code of a refused value."""


def explain(message: str) -> str:
    """The message of a validation error, with the sentence in place of a code."""
    text = message.removeprefix("Value error, ")
    return str(SENTENCES.get(text, text))


def _small_json(value: dict[str, Any]) -> dict[str, Any]:
    """A JSON object that is small enough to be stored and to be part of a list response."""
    try:
        check_value(value, 1)
    except BodyRefused as refused:
        raise ValueError(refused.reason) from None
    if len(json.dumps(value)) > MAX_JSON_CHARACTERS:
        raise ValueError("object_too_large")
    return value


JSONObject = Annotated[
    dict[Annotated[str, StringConstraints(strip_whitespace=False)], Any], AfterValidator(_small_json)
]
Sku = Annotated[
    str,
    Field(min_length=1, max_length=64, pattern=r"^[^\s\x00-\x1f]+( [^\s\x00-\x1f]+)*$"),
    AfterValidator(safe_text),
]
Slug = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[-a-zA-Z0-9_]+$")]
Limit = Annotated[int, Field(ge=1, le=100)]
Cursor = Annotated[str, Field(max_length=MAX_LENGTH, pattern=r"^[-_.A-Za-z0-9]*$")]


UNSET: Any = None
"""Default of a field that a PATCH body may leave out, and that cannot be null."""


def given(payload: BaseModel) -> dict[str, Any]:
    """The fields that a PATCH body names, with their values."""
    return {name: getattr(payload, name) for name in payload.model_fields_set}
