"""Checks of request bodies: refuse values that a parser, the database or a client cannot handle."""

from __future__ import annotations

import json
import math
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest

from shop_core.db.rows import UNSAFE

MAX_BODY_BYTES = 256 * 1024
MAX_FORM_BYTES = 6 * 1024 * 1024
"""Enough for a form with one image. A larger form is refused before it is read."""

MAX_JSON_DEPTH = 20


class BodyRefused(Exception):
    """A request body was refused. ``status`` is the HTTP status, ``reason`` one of ``problems.REASONS``."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


def check(request: HttpRequest, *, wants_json: bool) -> None:
    """Read the body of a request and check that it is JSON, not too large, and can be stored (BodyRefused)."""
    if request.method in {"GET", "HEAD", "OPTIONS"}:
        return
    length = int(request.META.get("CONTENT_LENGTH") or 0)
    if request.content_type == "multipart/form-data" and not wants_json:
        if length > MAX_FORM_BYTES:
            raise BodyRefused(413, "form_too_large")
        return
    body = _read(request, length)
    if not body or not wants_json:
        return
    if request.content_type != "application/json":
        raise BodyRefused(415, "not_json")
    try:
        value = _DECODER.decode(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise BodyRefused(400, "unreadable_json") from None
    check_value(value)


def check_value(value: Any, depth: int = 0) -> None:
    """Check that each value of parsed JSON can be stored (BodyRefused with 422)."""
    if depth > MAX_JSON_DEPTH:
        raise BodyRefused(422, "too_deep")
    match value:
        case str() if UNSAFE.search(value):
            raise BodyRefused(422, "unsafe_text")
        case int() if abs(value) >= 2**63:
            raise BodyRefused(422, "integer_too_large")
        case float() if not math.isfinite(value):
            raise BodyRefused(422, "number_not_finite")
        case list():
            for item in value:
                check_value(item, depth + 1)
        case dict():
            for key, item in value.items():
                check_value(key, depth + 1)
                check_value(item, depth + 1)


def _read(request: HttpRequest, length: int) -> bytes:
    try:
        body = request.body if length <= MAX_BODY_BYTES else None
    except RequestDataTooBig:
        body = None
    if body is None or len(body) > MAX_BODY_BYTES:  # one that is sent in chunks has no length
        raise BodyRefused(413, "body_too_large")
    return body


def refuse_constant(name: str) -> None:
    """``parse_constant`` of ``json.loads``: refuse NaN and Infinity by a ValueError."""
    raise ValueError(name)


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """``object_pairs_hook`` of ``json.loads``: refuse an object with a repeated key by a ValueError."""
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError
    return values


_DECODER = json.JSONDecoder(parse_constant=refuse_constant, object_pairs_hook=unique_keys)
