"""Charts as SVG, drawn on the server. The stylesheet sets the colours, so that they follow the theme.

A chart has a title and a description; the figures themselves are in a table beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

WIDTH, HEIGHT = 960, 270
LEFT, RIGHT, TOP, BOTTOM = 68, 32, 20, 40
LINES = 4
"""The number of grid lines above zero."""
MOST_LABELS = 8
NICE = tuple(Decimal(step) for step in ("1", "1.2", "1.6", "2", "2.4", "3.2", "4", "6", "8", "10"))
"""The maximum of a scale is one of these times a power of ten. A quarter of it is a round number."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """``text`` is the formatted figure, shown as a tooltip."""

    label: Any
    value: Decimal
    text: Any


def columns(rows: Sequence[Column], *, name: str, title: Any, description: Any) -> SafeString:
    """A column chart whose scale begins at zero. ``name`` is unique on the page.

    Raises:
        ValueError: a value is negative.
    """
    if any(row.value < 0 for row in rows):
        raise ValueError("A column cannot be negative.")
    top = scale_top(max((row.value for row in rows), default=Decimal(0)))
    return format_html(
        '<svg class="plot" viewBox="0 0 {} {}" role="img" aria-labelledby="{}-title {}-description">'
        '<title id="{}-title">{}</title><desc id="{}-description">{}</desc>{}{}</svg>',
        WIDTH,
        HEIGHT,
        name,
        name,
        name,
        title,
        name,
        description,
        _scale(top),
        _columns(rows, top),
    )


def share(value: Decimal | int, whole: Decimal | int) -> SafeString:
    """A bar for a table cell that shows a value as a share of ``whole``. It is decoration only."""
    part = Decimal(value) / Decimal(whole) if whole else Decimal(0)
    return format_html(
        '<svg class="share" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        '<rect class="rest" width="100" height="8"/><rect class="part" width="{}" height="8"/></svg>',
        _number(min(max(part, Decimal(0)), Decimal(1)) * 100),
    )


def scale_top(highest: Decimal) -> Decimal:
    """The maximum of the scale: a round number at or above a value; 1 for zero."""
    if highest <= 0:
        return Decimal(1)
    power = Decimal(10) ** highest.adjusted()
    return next(step * power for step in NICE if step * power >= highest)


def short(value: Decimal) -> str:
    """A number for an axis: ``0``, ``0.5``, ``800``, ``12k``, ``1.5M``."""
    for unit, size in (("G", 9), ("M", 6), ("k", 3)):
        if value >= Decimal(10) ** size:
            return f"{_number(value / Decimal(10) ** size)}{unit}"
    return _number(value)


def _scale(top: Decimal) -> SafeString:
    steps = [top * step / LINES for step in range(LINES + 1)]
    return format_html_join(
        "",
        '<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/><text class="scale" x="{}" y="{}">{}</text>',
        (
            (LEFT, WIDTH - RIGHT, _number(y), _number(y), LEFT - 8, _number(y + 4), short(step))
            for step in steps
            for y in [_y(step, top)]
        ),
    )


def _columns(rows: Sequence[Column], top: Decimal) -> SafeString:
    pitch = Decimal(WIDTH - LEFT - RIGHT) / max(len(rows), 1)
    width = min(pitch * Decimal("0.72"), Decimal(64))
    every = (Decimal(len(rows)) / MOST_LABELS).to_integral_value(ROUND_CEILING) or 1
    last = len(rows) - 1
    drawn = []
    for place, row in enumerate(rows):
        middle = LEFT + pitch * place + pitch / 2
        y = _y(row.value, top)
        bar = format_html(
            '<rect class="bar" x="{}" y="{}" width="{}" height="{}" rx="2"><title>{}: {}</title></rect>',
            _number(middle - width / 2),
            _number(y),
            _number(width),
            _number(HEIGHT - BOTTOM - y),
            row.label,
            row.text,
        )
        is_named = (last - place) % every == 0
        name = format_html('<text class="name" x="{}" y="{}">{}</text>', _number(middle), HEIGHT - 10, row.label)
        drawn.append(format_html("{}{}", bar, name if is_named else ""))
    return format_html_join("", "{}", ((part,) for part in drawn))


def _y(value: Decimal, top: Decimal) -> Decimal:
    room = HEIGHT - TOP - BOTTOM
    return HEIGHT - BOTTOM - room * value / top


def _number(value: Decimal) -> str:
    """At most two decimals, no trailing zeros, and never an exponent."""
    text = f"{round(value, 2):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
