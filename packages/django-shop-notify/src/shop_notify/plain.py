"""Plain values that every database can keep."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder


def snapshot(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The payload as plain JSON values.

    Raises:
        TypeError: it holds an object that is no plain value, such as a model instance.
    """
    plain: dict[str, Any] = json.loads(json.dumps(payload, cls=DjangoJSONEncoder), parse_constant=lambda _name: None)
    cleaned: dict[str, Any] = _clean_value(plain)
    return cleaned


def _clean_value(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_clean_value(item) for item in value]
    if isinstance(value, dict):
        return {clean(key): _clean_value(item) for key, item in value.items()}
    return value


def clean(text: object) -> str:
    """The text without NUL characters and lone surrogates, which PostgreSQL refuses."""
    return str(text).replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def count_or_none(value: object) -> int | None:
    """A small number, None for what is none."""
    return value if isinstance(value, int) and 0 <= value < 2**15 else None


def cost_or_none(value: object) -> Decimal | None:
    """An amount that fits the column, None for what is none."""
    if not isinstance(value, Decimal) or not value.is_finite() or abs(value) >= 10**8:
        return None
    return value.quantize(Decimal("0.0001"))
