"""Conversion to values that every database can store: JSON, text without NUL, numbers that fit their columns."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder


def storable_payload(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The payload as plain JSON values.

    Raises:
        TypeError: it contains an object that is not a plain value, such as a model instance.
    """
    plain: dict[str, Any] = json.loads(json.dumps(payload, cls=DjangoJSONEncoder), parse_constant=lambda _name: None)
    storable: dict[str, Any] = _storable_value(plain)
    return storable


def _storable_value(value: Any) -> Any:
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, list):
        return [_storable_value(item) for item in value]
    if isinstance(value, dict):
        return {storable_text(key): _storable_value(item) for key, item in value.items()}
    return value


def storable_text(text: object) -> str:
    """The text without NUL characters and lone surrogates, which PostgreSQL refuses."""
    return str(text).replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def storable_count(value: object) -> int | None:
    """A number that fits a small integer column, None for anything else."""
    return value if isinstance(value, int) and 0 <= value < 2**15 else None


def storable_cost(value: object) -> Decimal | None:
    """An amount that fits its column, None for anything else."""
    if not isinstance(value, Decimal) or not value.is_finite() or abs(value) >= 10**8:
        return None
    return value.quantize(Decimal("0.0001"))
