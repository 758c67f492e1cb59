"""Texts that people enter: refused before they reach a column that cannot hold them.

SQLite would store a text of any length, and PostgreSQL would raise an error of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Model
from django.utils.translation import gettext as _
from shop_core.db.rows import UNSAFE

from shop_orders.exceptions import InvalidInput


def check(model: type[Model], error: type[InvalidInput] = InvalidInput, /, **texts: str) -> None:
    """Check texts by the columns of a model.

    Raises:
        InvalidInput: one is too long, or has a character that cannot be stored.
    """
    for name, text in texts.items():
        if text:
            column: Any = model._meta.get_field(name)
            _check(text, name, column.verbose_name, column.max_length, error)


def check_plain(**texts: str) -> None:
    """Check texts that no column limits.

    Raises:
        InvalidInput: one has a character that cannot be stored.
    """
    for name, text in texts.items():
        _check(text, name, name, None, InvalidInput)


def check_refs(model: type[Model], refs: Iterable[str]) -> None:
    """Check the references of products.

    Raises:
        InvalidInput: one is too long, or has a character that cannot be stored.
    """
    for ref in refs:
        check(model, product_ref=ref)


def is_storable(model: type[Model], name: str, text: str) -> bool:
    """Whether a column of a model can hold a text."""
    column: Any = model._meta.get_field(name)
    return len(text) <= (column.max_length or len(text)) and not UNSAFE.search(text)


def fitted(model: type[Model], name: str, text: str) -> str:
    """A text without characters that cannot be stored, cut to the length of the column."""
    column: Any = model._meta.get_field(name)
    return UNSAFE.sub("", text)[: column.max_length]


def _check(text: str, name: str, label: Any, most: int | None, error: type[InvalidInput]) -> None:
    if most is not None and len(text) > most:
        message = _("%(field)s: enter at most %(most)d characters.") % {"field": label, "most": most}
        raise error(message, extra={"fields": [name]})
    if UNSAFE.search(text):
        message = _("%(field)s: this text has a character that cannot be stored.") % {"field": label}
        raise error(message, extra={"fields": [name]})
