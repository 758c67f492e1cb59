"""Drawing tools: shapes in two tones on a soft background.

Coordinates run from 0 to 100 in both directions. Drawn at twice the size and scaled down, which smooths the edges.
"""

from __future__ import annotations

import colorsys
import functools
import io
from collections.abc import Sequence
from typing import Any

from PIL import Image, ImageDraw, ImageFilter

SIZE = 900
SCALE = 2
Colour = tuple[int, int, int]
Box = tuple[float, float, float, float]
Point = tuple[float, float]


class Sketch:
    def __init__(self, main: str, accent: str, ground: str) -> None:
        self.main, self.accent, self.ground = (_rgb(colour) for colour in (main, accent, ground))
        self.dark, self.light = tone(self.main, 0.78), tone(self.main, 1.18)
        self.ink = tone(self.main, 0.4)
        self.unit = SIZE * SCALE / 100
        self.image = background(self.ground).copy()
        self.pen = ImageDraw.Draw(self.image, "RGBA")

    def shadow(self, left: float = 24, right: float = 76, y: float = 80, depth: float = 5) -> None:
        layer = Image.new("L", (SIZE // 2, SIZE // 2), 0)
        unit = SIZE / 200
        ImageDraw.Draw(layer).ellipse([left * unit, (y - depth) * unit, right * unit, (y + depth) * unit], fill=95)
        layer = layer.filter(ImageFilter.GaussianBlur(unit * 2)).resize(self.image.size)
        self.image.paste(tone(self.ground, 0.45), mask=layer)
        self.pen = ImageDraw.Draw(self.image, "RGBA")

    def oval(self, box: Box, colour: Colour | tuple[int, ...]) -> None:
        self.pen.ellipse(self._box(box), fill=colour)

    def ring(self, box: Box, colour: Colour, width: float) -> None:
        self.pen.ellipse(self._box(box), outline=colour, width=round(width * self.unit))

    def rect(self, box: Box, colour: Colour | tuple[int, ...], radius: float = 0, corners: str = "1111") -> None:
        top_left, top_right, bottom_right, bottom_left = (flag == "1" for flag in corners)
        rounded = (top_left, top_right, bottom_right, bottom_left)
        self.pen.rounded_rectangle(self._box(box), radius * self.unit, fill=colour, corners=rounded)

    def poly(self, points: Sequence[Point], colour: Colour | tuple[int, ...]) -> None:
        self.pen.polygon([(x * self.unit, y * self.unit) for x, y in points], fill=colour)

    def curve(self, points: Sequence[Point], colour: Colour | tuple[int, ...]) -> None:
        """A closed smooth shape through the points (Catmull-Rom)."""
        self.poly(_smooth(points, closed=True), colour)

    def line(
        self, points: Sequence[Point], colour: Colour | tuple[int, ...], width: float, *, smooth: bool = False
    ) -> None:
        path = _smooth(points, closed=False) if smooth else points
        self.pen.line(
            [(x * self.unit, y * self.unit) for x, y in path], colour, round(width * self.unit), joint="curve"
        )
        for x, y in (path[0], path[-1]):
            self.oval((x - width / 2, y - width / 2, x + width / 2, y + width / 2), colour)

    def arc(self, box: Box, start: float, end: float, colour: Colour, width: float) -> None:
        self.pen.arc(self._box(box), start, end, fill=colour, width=round(width * self.unit))

    def slice(self, box: Box, start: float, end: float, colour: Colour) -> None:
        self.pen.pieslice(self._box(box), start, end, fill=colour)

    def gloss(self, box: Box, radius: float = 2, strength: int = 60) -> None:
        self.rect(box, (255, 255, 255, strength), radius)

    def webp(self) -> bytes:
        output = io.BytesIO()
        self.image.reduce(SCALE).save(output, "WEBP", quality=86, method=2)
        return output.getvalue()

    def _box(self, box: Box) -> Any:
        return [value * self.unit for value in box]


@functools.lru_cache(maxsize=16)
def background(ground: Colour) -> Image.Image:
    """A gradient with a soft disc. It is the same for all pictures with the same ground colour."""
    edge = SIZE * SCALE
    ramp = Image.linear_gradient("L").resize((edge, edge))
    top, bottom, light = (Image.new("RGB", (edge, edge), tone(ground, factor)) for factor in (1.05, 0.93, 1.12))
    disc = Image.new("L", (edge // 4, edge // 4), 0)
    ImageDraw.Draw(disc).ellipse(tuple(round(edge / 4 * part) for part in (0.12, 0.1, 0.88, 0.86)), fill=110)
    disc = disc.filter(ImageFilter.GaussianBlur(edge / 400)).resize((edge, edge))
    return Image.composite(light, Image.composite(bottom, top, ramp), disc)


def tone(colour: Colour, factor: float) -> Colour:
    """A lighter (above 1) or darker colour of the same hue."""
    hue, light, saturation = colorsys.rgb_to_hls(*(part / 255 for part in colour))
    red, green, blue = colorsys.hls_to_rgb(hue, min(0.97, light * factor), saturation)
    return round(red * 255), round(green * 255), round(blue * 255)


def _rgb(text: str) -> Colour:
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def _smooth(points: Sequence[Point], *, closed: bool, steps: int = 14) -> list[Point]:
    count = len(points)
    padded = [points[-1], *points, points[0], points[1]] if closed else [points[0], *points, points[-1]]
    path = []
    for index in range(count if closed else count - 1):
        a, b, c, d = padded[index : index + 4]
        for step in range(steps + 1):
            t = step / steps
            path.append(
                tuple(
                    0.5 * (2 * b[i] + (c[i] - a[i]) * t + (2 * a[i] - 5 * b[i] + 4 * c[i] - d[i]) * t**2)
                    + 0.5 * (3 * b[i] - a[i] - 3 * c[i] + d[i]) * t**3
                    for i in (0, 1)
                )
            )
    return path  # type: ignore[return-value]


WHITE: Colour = (255, 252, 246)
WOOD: Colour = (196, 146, 96)
STEEL: Colour = (176, 186, 194)
LEAF: Colour = (78, 138, 88)
