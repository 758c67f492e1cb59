"""Draws the sample products' pictures, which are committed in demo/pictures/, with Pillow.

The shop does not import this package. After a change to a drawing run ``python -m drawings`` in example_project/ and
commit the new pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import getmembers, isfunction

from drawings import home, kitchen, outside
from drawings.pictures import Picture
from drawings.sketch import Sketch

THINGS: dict[str, Callable[[Sketch], None]] = {
    name: thing
    for module in (home, kitchen, outside)
    for name, thing in getmembers(module, isfunction)
    if thing.__module__ == module.__name__
}


def draw(picture: Picture) -> bytes:
    """The picture as WebP."""
    sketch = Sketch(picture.main, picture.accent, picture.ground)
    THINGS[picture.thing](sketch)
    return sketch.webp()
