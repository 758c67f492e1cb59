"""Segments as the networks count and charge them."""

from __future__ import annotations

import pytest
from shop_notify.segments import Segments, count_segments, cut_to_segments


@pytest.mark.parametrize(
    ("text", "encoding", "units", "parts"),
    [
        ("", "GSM-7", 0, 1),
        ("a" * 160, "GSM-7", 160, 1),
        ("a" * 161, "GSM-7", 161, 2),
        ("a" * 306, "GSM-7", 306, 2),
        ("a" * 307, "GSM-7", 307, 3),
        ("a" * 918, "GSM-7", 918, 6),
        ("£$¥èéùìòÇØøÅåΔΦΓΛΩΠΨΣΘΞÆæßÉ¡ÄÖÑÜ§¿äöñüà@_\r\n", "GSM-7", 43, 1),
        # Characters of the extension table take two septets.
        ("^{}\\[~]|€\f", "GSM-7", 20, 1),
        ("€" * 80, "GSM-7", 160, 1),
        ("€" * 81, "GSM-7", 162, 2),
        # They are not split between two parts, so 306 septets may need a third part.
        ("a" * 152 + "€" + "a" * 151, "GSM-7", 305, 2),
        ("a" * 152 + "€" + "a" * 152, "GSM-7", 306, 3),
        # One character outside the alphabet makes the whole text UCS-2: ç is not in the alphabet, Ç is.
        ("ç", "UCS-2", 1, 1),
        ("ж" * 70, "UCS-2", 70, 1),
        ("ж" * 71, "UCS-2", 71, 2),
        ("ж" * 134, "UCS-2", 134, 2),
        ("ж" * 135, "UCS-2", 135, 3),
        ("a" * 70 + "ж", "UCS-2", 71, 2),
        # Characters beyond U+FFFF take two units and are not split between parts: 33 fit in one.
        ("🦩" * 35, "UCS-2", 70, 1),
        ("🦩" * 36, "UCS-2", 72, 2),
        ("🦩" * 66, "UCS-2", 132, 2),
        ("🦩" * 67, "UCS-2", 134, 3),
    ],
)
def test_segments_are_counted_as_the_networks_do(text, encoding, units, parts):
    assert count_segments(text) == Segments(encoding, units, parts)


@pytest.mark.parametrize("text", ["a", "ж", "🦩", "€", "a€", "ж🦩", "aaaж", ("a" * 500 + "ж")])
@pytest.mark.parametrize("most", [1, 2, 6])
def test_text_is_cut_where_the_next_character_would_need_one_segment_more(text, most):
    long = text * 1000
    cut = cut_to_segments(long, most)
    assert long.startswith(cut)
    assert count_segments(cut).parts <= most < count_segments(long[: len(cut) + 1]).parts
    assert cut_to_segments(cut, most) == cut
