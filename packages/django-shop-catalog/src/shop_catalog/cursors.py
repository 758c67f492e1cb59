"""Opaque cursors: where the last page ended, sealed so that no database key is shown and none can be made up."""

from __future__ import annotations

import base64
import hmac
import json
from hashlib import blake2b
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from shop_catalog.exceptions import InvalidCursor

SEAL_BYTES = 8


def seal(values: list[Any]) -> str:
    """A list of plain JSON values as URL-safe text."""
    text = json.dumps(values, separators=(",", ":")).encode()
    mark = _mark(text)
    return base64.urlsafe_b64encode(mark + _veil(text, mark)).rstrip(b"=").decode()


def unseal(cursor: str) -> list[Any]:
    """What was sealed.

    Raises:
        InvalidCursor: this is no cursor of ours.
    """
    try:
        sealed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except ValueError:
        sealed = b""
    mark, text = sealed[:SEAL_BYTES], _veil(sealed[SEAL_BYTES:], sealed[:SEAL_BYTES])
    if len(mark) < SEAL_BYTES or not hmac.compare_digest(mark, _mark(text)):
        raise InvalidCursor(_("The cursor is not valid. Begin again without one."))
    values: list[Any] = json.loads(text)
    return values


def _mark(text: bytes) -> bytes:
    return blake2b(text, key=_key(), digest_size=SEAL_BYTES).digest()


def _veil(text: bytes, mark: bytes) -> bytes:
    """XOR with a stream that the mark and the key make; the same call takes it off again."""
    stream = b"".join(blake2b(mark + bytes([block]), key=_key()).digest() for block in range(len(text) // 64 + 1))
    return bytes(left ^ right for left, right in zip(text, stream, strict=False))


def _key() -> bytes:
    return blake2b(b"shop_catalog.cursor" + settings.SECRET_KEY.encode(), digest_size=32).digest()
