"""Headers of columns: their spelling does not matter, and the header need not be the first row."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

SEARCHED_ROWS = 20
"""The rows in which a header is searched."""

INVISIBLE = re.compile("[\u200b\u200c\u200d\u2060\ufeff\u00ad]")


def plain(header: Any) -> str:
    """A header in lower case with single spaces: ``" Variant_SKU*"`` is ``"variant sku"``."""
    text = INVISIBLE.sub("", unicodedata.normalize("NFKC", "" if header is None else str(header)))
    return re.sub(r"[\s_]+", " ", text).strip(" :*\"'").casefold()


def find_row(rows: Sequence[Sequence[Any]], known: Iterable[str]) -> int:
    """The place of the header among the first rows: the first row with the most known names. -1: all are empty.

    If no row has a known name, it is the first row with the most different cells.
    """
    names = set(known)
    found = [({plain(cell) for cell in row} - {""}) for row in rows[:SEARCHED_ROWS]]
    counts = [(len(cells & names), len(cells)) for cells in found]
    if not any(width for _known, width in counts):
        return -1
    best = max(counts, key=lambda count: count if count[0] else (0, count[1]))
    return next(place for place, count in enumerate(counts) if count[0] == best[0] and (best[0] or count == best))


def letter(index: int) -> str:
    """The column's letters in a spreadsheet: A for 0, AA for 26."""
    letters = ""
    number = index + 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
