"""Line options: plain text that a buyer typed for one line, such as an engraving or dates."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django.utils.translation import gettext as _
from shop_core.db.rows import UNSAFE

from shop_orders.exceptions import InvalidOptions

MAX_OPTIONS = 10
MAX_NAME_LENGTH = 50
MAX_BYTES = 2048
"""The most bytes of all names and texts together, in UTF-8."""

BIDIRECTIONAL = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that change the order in which text is shown, so that staff would read another text than was typed
(https://www.unicode.org/reports/tr36/). Plain right-to-left text does not need them."""
INVISIBLE = frozenset("\u00ad\u180e\u200b\u2060\ufeff")
"""Characters that are invisible and not needed in plain text: texts that look the same would be different lines."""

SEPARATORS = frozenset(';|"\uff1b\u037e\u061b\ufe14\ufe54\u204f\uff5c')
"""Characters that separate options, or the lines of an export, and those of other scripts that look like them."""

ALLOWED_INVISIBLE = "\u061c\u115f\u1160\u200c\u200d\u200e\u200f\u3164\uffa0"
"""Invisible characters that are allowed beside others, as in Persian, right-to-left text and emojis."""


def clean(options: Mapping[str, Any] | None, ref: str) -> dict[str, str]:
    """Options as they are stored: normalised (NFC), stripped, sorted, and without empty ones, so that options that
    look the same are equal. Line feeds are kept.

    Raises:
        InvalidOptions: there are too many, or one has a name or text that is not possible.
    """
    if not options:
        return {}
    if not isinstance(options, Mapping) or len(options) > MAX_OPTIONS:
        raise InvalidOptions(_("Enter at most %(most)d options.") % {"most": MAX_OPTIONS}, ref=ref)
    found: dict[str, str] = {}
    for given, value in options.items():
        name, text = _plain(given, ref), _plain(value, ref)
        if not name or len(name) > MAX_NAME_LENGTH or "\n" in name or name == "items":  # templates: options.items
            message = _("The name of an option is one line of 1 to %(most)d characters, and not “items”.")
            raise InvalidOptions(message % {"most": MAX_NAME_LENGTH}, ref=ref)
        if name in found:
            raise InvalidOptions(_("The option “%(name)s” is given twice.") % {"name": name}, ref=ref)
        found[name] = text
    if sum(len(text.encode()) for pair in found.items() for text in pair) > MAX_BYTES:
        message = _("The options of a product are at most %(most)d bytes long. Write less.")
        raise InvalidOptions(message % {"most": MAX_BYTES}, ref=ref)
    return {name: text for name, text in sorted(found.items()) if text}


def digest(options: Mapping[str, str]) -> str:
    """Identifies equal options; "" for none."""
    if not options:
        return ""
    return hashlib.sha256(json.dumps(options, sort_keys=True).encode()).hexdigest()


@lru_cache(maxsize=4096)
def line_id(ref: str, options_digest: str) -> str:
    """The public id of a cart line. The same product with the same options has the same id in every cart."""
    return hashlib.blake2b(f"{ref}\0{options_digest}".encode(), digest_size=12).hexdigest()


def as_text(options: Mapping[str, str]) -> str:
    """``Engraving: For Anna; Date: 1 May``, on one line. A text with one of SEPARATORS is quoted as in CSV, so that
    what a buyer typed does not look like another option or line."""
    return "; ".join(f"{name}: {_on_one_line(text)}" for name, text in options.items())


def _on_one_line(text: str) -> str:
    words = " ".join(text.split())
    is_quoted = any(character in SEPARATORS for character in words)
    return '"{}"'.format(words.replace('"', '""')) if is_quoted else words


def _plain(value: Any, ref: str) -> str:
    if not isinstance(value, str):
        raise InvalidOptions(_("An option is text."), ref=ref)
    if UNSAFE.search(value):
        raise InvalidOptions(_("An option has a character that cannot be stored."), ref=ref)
    text = unicodedata.normalize("NFC", value.replace("\r\n", "\n").replace("\r", "\n")).strip()
    if any(_is_refused(character) for character in text):
        raise InvalidOptions(_("An option has an invisible character. Write plain text."), ref=ref)
    return text if text.strip(ALLOWED_INVISIBLE + " ") else ""


def _is_refused(character: str) -> bool:
    is_control = unicodedata.category(character) in ("Cc", "Zl", "Zp") and character != "\n"
    return is_control or character in BIDIRECTIONAL or character in INVISIBLE
