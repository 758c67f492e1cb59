"""Cursors of paginated lists: signed text that says where a page ends.

The signature makes sure that a cursor was created for this list: a client can read the sort value and the key of the
last row in a cursor, but can neither change it, nor make one up, nor use it in another list.
"""

from __future__ import annotations

import json
from typing import Any

from django.core.signing import BadSignature, Signer
from django.utils.translation import gettext as _

from shop_catalog.exceptions import InvalidCursor

MAX_LENGTH = 2048
"""Enough for any cursor: the longest value is a name of 200 letters, and JSON takes up to six bytes for a letter."""


def encode(values: list[Any], *, of: str) -> str:
    """Plain JSON values as URL-safe text. ``of`` names the list that the cursor belongs to."""
    return _signer(of).sign_object(values, serializer=_CompactJSON)


def decode(cursor: str, *, of: str) -> list[Any]:
    """The values of a cursor.

    Raises:
        InvalidCursor: it was changed, made up, or written by another list.
    """
    try:
        values: list[Any] = _signer(of).unsign_object(cursor, serializer=_CompactJSON)
    except (BadSignature, ValueError):
        raise not_valid() from None
    return values


def not_valid() -> InvalidCursor:
    return InvalidCursor(_("The cursor is not valid. Request the first page again, without a cursor."))


class _CompactJSON:
    """Writes UTF-8. Django's serializer escapes each non-ASCII letter with six bytes."""

    def dumps(self, values: Any) -> bytes:
        return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()

    def loads(self, content: bytes) -> Any:
        return json.loads(content)


def _signer(of: str) -> Signer:
    return Signer(salt=f"shop_catalog.cursors.{of}", sep=".")
