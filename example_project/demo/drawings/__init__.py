"""Flat illustrations of the sample products, drawn with Pillow into demo/pictures/ by ``manage.py draw_pictures``."""

from __future__ import annotations

from collections.abc import Callable
from inspect import getmembers, isfunction

from demo.drawings import home, kitchen, outside
from demo.drawings.sketch import Sketch

THINGS: dict[str, Callable[[Sketch], None]] = {
    name: thing
    for module in (home, kitchen, outside)
    for name, thing in getmembers(module, isfunction)
    if thing.__module__ == module.__name__
}


def draw(kind: str, main: str, accent: str, ground: str) -> bytes:
    """A WebP picture of a thing. The colours are ``#rrggbb``: of the thing, its details and what is behind it."""
    sketch = Sketch(main, accent, ground)
    THINGS[kind](sketch)
    return sketch.webp()
