"""The apostrophe that keeps a spreadsheet from calculating or shortening a cell. It is not part of the value."""

from __future__ import annotations

import re

FORMULA = "[=+\\-@\t\r]"
SPECIAL = "[=+\\-@\t\r'\uff1d\uff0b\uff0d\uff20]|#[^a-z]*[A-Z!?]$|\\d[\\d.,]*[Ee]\\+?\\d+$"
"""Beginnings of formulas, in full width too; errors such as ``#N/A``; what is read as a number with an exponent."""

STARTS = re.compile(SPECIAL)
FORMULA_START = re.compile(FORMULA)
GUARDED = re.compile(f"'(?={SPECIAL})")


def guarded(text: str) -> str:
    """The text with an apostrophe where it needs one. One of its own is doubled."""
    return f"'{text}" if STARTS.match(text) else text


def without_guard(text: str) -> tuple[str, bool]:
    """The text as it was before ``guarded``, and whether there was an apostrophe to take off."""
    is_guarded = GUARDED.match(text) is not None
    return (text[1:] if is_guarded else text), is_guarded


def kept_as_text(cell: str) -> str:
    """A cell of an imported file, for the file of corrections. A formula gets an apostrophe; nothing else changes."""
    return f"'{cell}" if FORMULA_START.match(cell) else cell
