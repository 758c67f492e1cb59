"""Texts that people and other code enter: refused before they reach a column that cannot hold them.

SQLite would store a text of any length, and PostgreSQL would raise an error of its own.
"""

from __future__ import annotations

import json
from typing import Any

from django.db.models import Model
from django.utils.translation import gettext as _
from shop_core.db.rows import UNSAFE

from shop_catalog.exceptions import InvalidText


def check(model: type[Model], **values: Any) -> None:
    """Check texts, and the texts in JSON, by the columns of a model. Other values are not checked.

    Raises:
        InvalidText: one is too long, or has a character that cannot be stored; ``field`` names it.
    """
    for name, value in values.items():
        if isinstance(value, str):
            _check(model, name, value)
        elif isinstance(value, dict | list):
            content = json.dumps(value, ensure_ascii=False, default=str)
            if "\\u0000" in content or UNSAFE.search(content):
                raise InvalidText(_unstorable(model, name), field=name)


def is_storable(text: str) -> bool:
    """Whether the database can store a text. A query for any other text finds no row, or raises an error."""
    return not UNSAFE.search(text)


def _check(model: type[Model], name: str, text: str) -> None:
    column: Any = model._meta.get_field(name)
    if column.max_length is not None and len(text) > column.max_length:
        message = _("%(field)s: enter at most %(most)d characters.")
        raise InvalidText(message % {"field": column.verbose_name, "most": column.max_length}, field=name)
    if not is_storable(text):
        raise InvalidText(_unstorable(model, name), field=name)


def _unstorable(model: type[Model], name: str) -> str:
    column: Any = model._meta.get_field(name)
    return _("%(field)s: this text has a character that cannot be stored.") % {"field": column.verbose_name}
