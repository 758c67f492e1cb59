"""Keeping addresses and secrets out of logs, errors and stored responses."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from django.utils.translation import gettext, gettext_noop

# Both patterns match only at the start of a run of their characters. Otherwise the time would grow with the square
# of the text's length.
_LETTER = r"[\w.+\x80-\U0010ffff-]"
_EMAIL = re.compile(rf"(?<!{_LETTER})({_LETTER}){_LETTER}*(@[\w-]+(?:\.[\w-]+)+)")
_PHONE = re.compile(r"(?<![\w-])(\+?\d{3})\d{4,}(\d{2})(?!\w)")
MAX_TEXT = 500
EXAMPLES: tuple[str, ...] = (
    gettext_noop("This is not a phone number in E.164 form, such as +254711000001."),
    gettext_noop("A webhook secret must be “whsec_” and at least 24 random bytes in base64."),
)
"""Our own sentences with example values, which are not masked."""


def mask(text: object, *, secrets: Iterable[str] = (), limit: int = MAX_TEXT) -> str:
    """The text with secrets, e-mail addresses and phone numbers made unreadable, cut to ``limit``.

    Examples in our own sentences are not masked.
    """
    whole = str(text)[: limit * 4].replace("\0", "").encode("utf-8", "replace").decode()
    # The parts at odd indexes are our own sentences.
    parts = re.split(f"({'|'.join(re.escape(gettext(sentence)) for sentence in EXAMPLES)})", whole)
    secrets = tuple(secrets)
    return "".join(part if place % 2 else _masked(part, secrets) for place, part in enumerate(parts))[:limit]


def _masked(text: str, secrets: tuple[str, ...]) -> str:
    text = hide(text, secrets)
    text = _EMAIL.sub(r"\1***\2", text)
    return _PHONE.sub(r"\1***\2", text)


def hide(text: str, secrets: Iterable[str]) -> str:
    """The text with each secret replaced by ``***``, also in other letter case or encoded for HTML, URLs or JSON.

    A secret of fewer than four characters is not replaced.
    """
    written: set[str] = set()
    for secret in secrets:
        if len(secret) >= 4:
            written |= {secret, html.escape(secret), quote(secret, safe=""), quote(secret), quote_plus(secret)}
            written |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    if not written:
        return text
    found = "|".join(re.escape(form) for form in sorted(written, key=len, reverse=True))
    return re.sub(found, "***", text, flags=re.IGNORECASE)


def mask_values(value: Any, *, secrets: Iterable[str] = ()) -> Any:
    """A JSON value with every text masked; deep values, long lists and numbers that JSON cannot store are cut."""
    return _mask_value(value, tuple(secrets), 0)


def _mask_value(value: Any, secrets: tuple[str, ...], depth: int) -> Any:
    if value is None or (isinstance(value, int | float) and -(2**63) <= value < 2**63):
        is_hidden = secrets and value is not None and hide(str(value), secrets) != str(value)
        return "***" if is_hidden else value
    if isinstance(value, int | float):
        # PostgreSQL's JSON has neither NaN nor infinity, and Python refuses to write the longest integers.
        return "..."
    if depth >= 5:
        return "..."
    if isinstance(value, Mapping):
        return {
            mask(key, secrets=secrets, limit=100): _mask_value(item, secrets, depth + 1)
            for key, item in [*value.items()][:50]
        }
    if isinstance(value, list | tuple):
        return [_mask_value(item, secrets, depth + 1) for item in value[:50]]
    return mask(value, secrets=secrets)
