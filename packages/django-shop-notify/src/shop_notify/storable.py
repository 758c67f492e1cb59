"""Conversion to values that every database can store: JSON, text without NUL, numbers that fit their columns."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model
from django.utils.translation import gettext as _
from shop_core.db.rows import UNSAFE

from shop_notify.exceptions import TextRefused


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


def check(model: type[Model], **texts: str) -> None:
    """Check texts by the columns of a model.

    Raises:
        TextRefused: one is too long, or has a character that cannot be stored.
    """
    for name, text in texts.items():
        column: Any = model._meta.get_field(name)
        if column.max_length is not None and len(text) > column.max_length:
            message = _("%(field)s: enter at most %(most)d characters.")
            raise TextRefused(message % {"field": column.verbose_name, "most": column.max_length})
        if not is_storable(text):
            message = _("%(field)s: this text has a character that cannot be stored.")
            raise TextRefused(message % {"field": column.verbose_name})


def is_storable(text: str) -> bool:
    """Whether the database can store a text. A query for any other text finds no row, or raises an error."""
    return not UNSAFE.search(text)


def storable_text(text: object) -> str:
    """The text without NUL characters and lone surrogates, which PostgreSQL refuses."""
    return str(text).replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def stored_id(identifier: object, longest: int = 100) -> str:
    """An identifier as its column stores it. One that is too long, or has a character that databases refuse, keeps its
    beginning and gets a digest of the whole, so that two different ones never become one.
    """
    text = str(identifier)
    if len(text) <= longest and is_storable(text):
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{storable_text(text)[: longest - len(digest) - 1]}:{digest}"


def storable_count(value: object) -> int | None:
    """A number that fits a small integer column, None for anything else."""
    return value if isinstance(value, int) and 0 <= value < 2**15 else None


def storable_cost(value: object) -> Decimal | None:
    """An amount that fits its column, None for anything else."""
    if not isinstance(value, Decimal) or not value.is_finite() or abs(value) >= 10**8 - 1:
        return None
    return value.quantize(Decimal("0.0001"))
