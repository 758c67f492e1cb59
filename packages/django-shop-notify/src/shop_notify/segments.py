"""SMS segments: the number of SMS that a text needs, as networks count them (3GPP TS 23.038)."""

from __future__ import annotations

from dataclasses import dataclass

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("^{}\\[~]|€\f")


@dataclass(frozen=True)
class Segments:
    """``encoding`` is GSM-7 or UCS-2; ``units`` are septets or 16-bit units; ``parts`` are charged one by one."""

    encoding: str
    units: int
    parts: int


def count_segments(text: str) -> Segments:
    """Count a text. A single part holds 160 septets or 70 units; each part of a longer text holds 153 or 67."""
    if all(character in _BASIC or character in _EXTENDED for character in text):
        sizes = [2 if character in _EXTENDED else 1 for character in text]
        return Segments("GSM-7", sum(sizes), _parts(sizes, single=160, each=153))
    sizes = [2 if ord(character) > 0xFFFF else 1 for character in text]
    return Segments("UCS-2", sum(sizes), _parts(sizes, single=70, each=67))


def cut_to_segments(text: str, limit: int) -> str:
    """The longest beginning of a text that needs at most ``limit`` segments."""
    shortest, longest = 0, len(text)
    while shortest < longest:
        middle = (shortest + longest + 1) // 2
        if count_segments(text[:middle]).parts <= limit:
            shortest = middle
        else:
            longest = middle - 1
    return text[:shortest]


def _parts(sizes: list[int], *, single: int, each: int) -> int:
    """A character of two units is never split between two parts."""
    if sum(sizes) <= single:
        return 1
    parts, used = 1, 0
    for size in sizes:
        if used + size > each:
            parts, used = parts + 1, 0
        used += size
    return parts
