"""Flat illustrations of the sample products, drawn with Pillow: a soft background, a shadow, and a thing in two tones.

Coordinates run from 0 to 100 in both directions. Drawn at twice the size and scaled down, which smooths the edges.
"""

from __future__ import annotations

import colorsys
import functools
import io
from collections.abc import Callable, Sequence
from typing import Any

from PIL import Image, ImageDraw, ImageFilter

SIZE = 900
SCALE = 2
Colour = tuple[int, int, int]
Box = tuple[float, float, float, float]
Point = tuple[float, float]


def draw(kind: str, main: str, accent: str, ground: str) -> bytes:
    """A WebP picture of a thing. The colours are ``#rrggbb``: of the thing, its details and what is behind it."""
    sketch = Sketch(main, accent, ground)
    THINGS[kind](sketch)
    return sketch.webp()


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
        self.pen.rounded_rectangle(
            self._box(box), radius * self.unit, fill=colour, corners=tuple(flag == "1" for flag in corners)
        )

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
    """A ramp from light to less light, with a soft disc. The same for all things before the same ground."""
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


def mug(s: Sketch) -> None:
    s.shadow(26, 80)
    s.ring((58, 38, 84, 68), s.dark, 5)
    s.rect((26, 28, 68, 80), s.main, 9, "0011")
    s.rect((56, 28, 68, 80), s.dark, 9, "0010")
    s.rect((26, 60, 68, 66), s.accent)
    s.oval((26, 23, 68, 33), s.light)
    s.oval((29, 25, 65, 32), (78, 52, 38))
    s.gloss((31, 38, 34, 56), 1.5)


def teapot(s: Sketch) -> None:
    s.shadow(22, 80)
    s.arc((66, 38, 90, 70), 250, 110, s.dark, 4.5)
    s.curve([(30, 62), (18, 50), (12, 40), (18, 38), (28, 48), (36, 52)], s.dark)
    s.oval((26, 34, 76, 82), s.main)
    s.slice((26, 34, 76, 82), 300, 60, s.dark)
    s.oval((26, 34, 66, 82), s.main)
    s.oval((38, 30, 64, 42), s.light)
    s.oval((46, 22, 56, 32), s.accent)
    s.gloss((33, 48, 37, 62), 2)


def pan(s: Sketch) -> None:
    s.shadow(14, 66, 72)
    s.line([(62, 58), (92, 46)], s.ink, 5)
    s.oval((12, 40, 68, 76), s.dark)
    s.oval((12, 36, 68, 70), s.main)
    s.oval((17, 40, 63, 66), s.dark)
    s.oval((28, 45, 52, 60), WHITE)
    s.oval((36, 48, 46, 56), (244, 180, 60))


def pot(s: Sketch) -> None:
    s.shadow(18, 82)
    s.rect((12, 46, 24, 52), s.ink, 3)
    s.rect((76, 46, 88, 52), s.ink, 3)
    s.rect((20, 40, 80, 80), s.main, 8, "0011")
    s.rect((62, 40, 80, 80), s.dark, 8, "0010")
    s.rect((17, 36, 83, 43), s.light, 3)
    s.oval((26, 27, 74, 44), s.accent)
    s.rect((17, 37, 83, 43), s.light, 3)
    s.oval((46, 21, 54, 29), s.ink)
    s.gloss((27, 48, 31, 68), 2)


def board(s: Sketch) -> None:
    s.shadow(20, 80, 82)
    s.rect((24, 24, 70, 80), tone(WOOD, 0.82), 8)
    s.rect((22, 22, 68, 78), WOOD, 8)
    for y in (34, 46, 58, 69):
        s.line([(27, y), (42, y - 1.5), (63, y + 1)], (*tone(WOOD, 0.88), 255), 0.8, smooth=True)
    s.oval((41, 26, 49, 34), tone(WOOD, 0.6))
    s.oval((52, 60, 74, 82), s.main)
    s.line([(63, 61), (65, 55)], LEAF, 1.6)
    s.curve([(65, 57), (72, 52), (76, 55), (70, 59)], LEAF)


def knife(s: Sketch) -> None:
    s.shadow(16, 86, 74, 3)
    s.curve([(12, 56), (30, 46), (60, 44), (62, 60), (40, 64), (20, 62)], STEEL)
    s.poly([(12, 56), (60, 53), (62, 60), (40, 64), (20, 62)], tone(STEEL, 1.18))
    s.rect((59, 42, 64, 61), s.ink, 1)
    s.rect((63, 44, 90, 57), s.main, 5)
    for x in (70, 77, 84):
        s.oval((x - 1.4, 49, x + 1.4, 51.8), s.accent)


def bowl(s: Sketch) -> None:
    s.shadow(24, 76)
    s.slice((16, 18, 84, 82), 0, 180, s.main)
    s.slice((16, 18, 84, 82), 0, 75, s.dark)
    s.slice((16, 18, 70, 82), 20, 180, s.main)
    s.rect((40, 78, 60, 83), s.dark, 2)
    s.oval((16, 42, 84, 58), s.light)
    s.oval((20, 44, 80, 56), s.dark)
    for x in range(26, 76, 10):
        s.oval((x, 63 - abs(50 - x) / 12, x + 4, 67 - abs(50 - x) / 12), s.accent)


def bag(s: Sketch) -> None:
    s.shadow(26, 76, 84)
    s.poly([(30, 24), (70, 24), (73, 84), (27, 84)], s.main)
    s.poly([(60, 24), (70, 24), (73, 84), (62, 84)], s.dark)
    s.rect((29, 16, 71, 27), s.dark, 2)
    s.rect((29, 16, 71, 20), s.ink, 2)
    s.rect((35, 38, 59, 70), WHITE, 2)
    s.oval((40, 41, 54, 55), s.accent)
    s.line([(47, 43), (45, 48), (48, 53)], WHITE, 1.2, smooth=True)
    s.rect((39, 59, 55, 61), s.ink, 1)
    s.rect((42, 64, 52, 65.5), s.accent, 0.7)


def tin(s: Sketch) -> None:
    s.shadow(28, 74, 84)
    s.rect((28, 30, 72, 84), s.main, 3)
    s.rect((60, 30, 72, 84), s.dark, 3)
    s.oval((28, 24, 72, 36), s.light)
    s.rect((26, 22, 74, 34), s.accent, 3)
    s.oval((26, 17, 74, 27), tone(s.accent, 1.15))
    s.oval((46, 17, 54, 22), tone(s.accent, 0.75))
    s.oval((36, 46, 58, 70), WHITE)
    s.curve([(47, 50), (54, 57), (47, 66), (40, 57)], LEAF)
    s.line([(47, 52), (47, 66)], tone(LEAF, 0.75), 0.8)


def press(s: Sketch) -> None:
    s.shadow(26, 80, 86)
    s.line([(50, 8), (50, 34)], s.ink, 1.6)
    s.oval((45, 5, 55, 13), s.main)
    s.rect((30, 30, 68, 84), (*tone(s.ground, 1.1), 255), 4)
    s.rect((32, 50, 66, 82), (86, 56, 40), 3)
    s.rect((32, 46, 66, 52), (178, 132, 94), 2)
    s.arc((60, 38, 86, 74), 270, 90, s.ink, 4)
    s.rect((28, 26, 70, 33), s.main, 3)
    s.rect((28, 76, 70, 86), s.main, 3)
    s.rect((30, 33, 33, 76), s.dark)
    s.rect((65, 33, 68, 76), s.dark)
    s.gloss((37, 36, 40, 70), 1.5, 90)


def kettle(s: Sketch) -> None:
    s.shadow(22, 80, 84)
    s.arc((32, 12, 74, 56), 180, 0, s.ink, 4)
    s.poly([(32, 62), (12, 40), (18, 37), (40, 50)], s.dark)
    s.poly([(36, 34), (70, 34), (80, 84), (26, 84)], s.main)
    s.poly([(60, 34), (70, 34), (80, 84), (64, 84)], s.dark)
    s.oval((35, 29, 71, 39), s.light)
    s.oval((49, 24, 57, 32), s.accent)
    s.rect((26, 78, 80, 84), s.accent, 2)
    s.gloss((38, 44, 41, 66), 1.5)


def lamp(s: Sketch) -> None:
    s.shadow(32, 68, 86, 4)
    s.oval((18, 30, 82, 66), (255, 236, 180, 70))
    s.poly([(36, 20), (64, 20), (76, 52), (24, 52)], s.main)
    s.poly([(56, 20), (64, 20), (76, 52), (61, 52)], s.dark)
    s.oval((24, 47, 76, 57), (255, 240, 200))
    s.rect((48, 55, 52, 80), s.accent)
    s.oval((34, 78, 66, 88), s.accent)
    s.oval((34, 76, 66, 85), tone(s.accent, 1.2))


def pendant(s: Sketch) -> None:
    s.line([(50, 0), (50, 34)], s.ink, 1.2)
    s.oval((14, 44, 86, 92), (255, 236, 180, 60))
    s.rect((46, 30, 54, 38), s.accent, 1.5)
    s.slice((20, 34, 80, 94), 180, 360, s.main)
    s.slice((20, 34, 80, 94), 300, 360, s.dark)
    s.oval((20, 59, 80, 69), (255, 240, 200))
    s.oval((43, 58, 57, 72), (255, 250, 228))


def cushion(s: Sketch) -> None:
    s.shadow(18, 82, 80)
    s.curve([(18, 26), (50, 31), (82, 26), (78, 52), (82, 80), (50, 76), (18, 80), (22, 52)], s.dark)
    s.curve([(20, 25), (50, 30), (80, 25), (76, 52), (80, 77), (50, 73), (20, 77), (24, 52)], s.main)
    for y in (38, 52, 66):
        for x in (34, 50, 66):
            s.poly([(x, y - 5), (x + 5, y), (x, y + 5), (x - 5, y)], s.accent)
            s.poly([(x, y - 2), (x + 2, y), (x, y + 2), (x - 2, y)], s.light)


def blanket(s: Sketch) -> None:
    s.shadow(16, 84, 80)
    for index, y in enumerate((62, 46, 30)):
        s.rect((16 + index, y, 84 - index, y + 18), s.dark if index % 2 else s.main, 8)
        s.rect((60, y, 84 - index, y + 18), tone(s.main, 0.72), 8, "0110")
        for x in (24, 30):
            s.rect((x, y, x + 3, y + 18), s.accent)
    for x in range(62, 84, 4):
        s.line([(x, 78), (x, 84)], s.accent, 1.2)


def plant(s: Sketch) -> None:
    s.shadow(30, 70, 86)
    leaves = [(-26, 22), (-14, 8), (0, 2), (14, 8), (26, 22), (-20, 38), (20, 38)]
    for index, (x, y) in enumerate(leaves):
        colour = tone(LEAF, 0.8 + 0.12 * (index % 4))
        tip, root = (50 + x, 10 + y), (50, 58)
        middle = ((tip[0] + root[0]) / 2, (tip[1] + root[1]) / 2)
        side = (6 + abs(x) / 6, 5)
        s.curve(
            [tip, (middle[0] + side[0], middle[1] + side[1]), root, (middle[0] - side[0], middle[1] - side[1])], colour
        )
        s.line([root, tip], tone(colour, 0.8), 0.7)
    s.poly([(33, 56), (67, 56), (62, 86), (38, 86)], s.main)
    s.poly([(57, 56), (67, 56), (62, 86), (55, 86)], s.dark)
    s.rect((31, 52, 69, 60), s.light, 2)
    s.rect((37, 68, 63, 71), s.accent)


def candle(s: Sketch) -> None:
    s.shadow(30, 72, 84)
    s.oval((34, 4, 66, 36), (255, 226, 150, 70))
    s.rect((30, 34, 70, 84), s.main, 5)
    s.rect((58, 34, 70, 84), s.dark, 5, "0110")
    s.oval((30, 29, 70, 40), s.light)
    s.line([(50, 34), (50, 26)], s.ink, 1.2)
    s.curve([(50, 11), (54, 20), (50, 27), (46, 20)], (248, 176, 64))
    s.curve([(50, 17), (52, 22), (50, 26), (48, 22)], (255, 240, 190))
    s.rect((36, 50, 60, 70), WHITE, 2)
    s.rect((41, 56, 55, 58), s.accent, 1)
    s.rect((44, 62, 52, 63.5), s.ink, 0.7)


def backpack(s: Sketch) -> None:
    s.shadow(24, 78, 86)
    s.arc((40, 8, 60, 30), 180, 0, s.ink, 3)
    s.rect((22, 44, 30, 76), s.dark, 4)
    s.rect((70, 44, 78, 76), s.dark, 4)
    s.rect((27, 18, 73, 86), s.main, 16)
    s.rect((62, 18, 73, 86), s.dark, 10, "0110")
    s.rect((33, 52, 67, 80), s.light, 5)
    s.line([(36, 58), (64, 58)], s.ink, 1.4)
    s.line([(33, 36), (67, 36)], s.ink, 1.6)
    s.rect((47, 36, 53, 46), s.accent, 1.5)
    s.rect((44, 66, 56, 74), s.accent, 1.5)


def tote(s: Sketch) -> None:
    s.shadow(22, 78, 86)
    s.arc((36, 8, 64, 56), 180, 0, s.dark, 3)
    s.poly([(24, 34), (76, 34), (80, 86), (20, 86)], s.main)
    s.poly([(64, 34), (76, 34), (80, 86), (67, 86)], s.dark)
    s.oval((34, 48, 58, 72), s.accent)
    s.line([(46, 72), (46, 54)], WHITE, 1.6)
    for y, x in ((58, 8), (64, 7)):
        s.line([(46, y + 3), (46 - x, y - 3)], WHITE, 1.4)
        s.line([(46, y + 3), (46 + x, y - 3)], WHITE, 1.4)


def bottle(s: Sketch) -> None:
    s.shadow(34, 68, 90, 4)
    s.rect((42, 8, 58, 20), s.accent, 3)
    s.rect((40, 17, 60, 23), tone(s.accent, 0.8), 1.5)
    s.rect((34, 24, 66, 90), s.main, 10)
    s.rect((56, 24, 66, 90), s.dark, 8, "0110")
    s.rect((34, 62, 66, 68), s.accent)
    s.gloss((39, 34, 43, 58), 2)


def umbrella(s: Sketch) -> None:
    s.line([(50, 20), (50, 80), (53, 86), (58, 86), (60, 80)], s.ink, 2.2, smooth=True)
    for index in range(4):
        left = 14 + index * 18
        s.slice((14, 16, 86, 100), 180 + index * 45, 225 + index * 45, s.main if index % 2 else s.dark)
        s.oval((left, 53, left + 18, 64), tone(s.ground, 1.02))
    s.line([(50, 54), (50, 80)], s.ink, 2.2)
    s.line([(50, 12), (50, 17)], s.accent, 2)


def tshirt(s: Sketch) -> None:
    s.shadow(26, 74, 88, 4)
    body = [(36, 20), (64, 20), (88, 34), (79, 50), (70, 44), (70, 86), (30, 86), (30, 44), (21, 50), (12, 34)]
    s.poly(body, s.main)
    s.poly([(70, 44), (79, 50), (88, 34), (76, 27)], s.dark)
    s.poly([(30, 44), (21, 50), (12, 34), (24, 27)], s.dark)
    s.slice((38, 10, 62, 32), 0, 180, s.dark)
    s.oval((43, 46, 57, 60), s.accent)
    s.line([(50, 60), (50, 50)], s.main, 1.4)
    s.line([(50, 56), (46, 52)], s.main, 1.2)
    s.line([(50, 56), (54, 52)], s.main, 1.2)


def beanie(s: Sketch) -> None:
    s.shadow(24, 76, 78)
    s.oval((42, 10, 58, 26), s.accent)
    s.slice((22, 20, 78, 104), 180, 360, s.main)
    s.slice((22, 20, 78, 104), 305, 360, s.dark)
    for x in (36, 50, 64):
        s.line([(x, 30 + abs(50 - x) / 3), (x + (x - 50) / 8, 60)], s.dark, 1.2)
    s.rect((19, 58, 81, 76), s.light, 6)
    for x in range(25, 80, 6):
        s.line([(x, 61), (x, 73)], s.main, 1)


def scarf(s: Sketch) -> None:
    s.shadow(26, 78, 88, 4)
    s.poly([(52, 36), (70, 36), (74, 84), (56, 84)], s.dark)
    s.poly([(30, 36), (50, 36), (46, 76), (26, 76)], s.main)
    for y in (56, 66):
        s.poly([(28, y), (48, y), (47, y + 4), (27.5, y + 4)], s.accent)
        s.poly([(54, y + 8), (72.5, y + 8), (73, y + 12), (55, y + 12)], s.accent)
    s.oval((22, 16, 78, 48), s.main)
    s.oval((32, 20, 68, 36), s.dark)
    for x in range(28, 46, 4):
        s.line([(x, 77), (x - 0.5, 82)], s.main, 1.2)
    for x in range(58, 74, 4):
        s.line([(x, 85), (x, 90)], s.dark, 1.2)


def sneaker(s: Sketch) -> None:
    s.shadow(10, 90, 76)
    s.curve([(14, 42), (24, 34), (36, 40), (52, 52), (74, 56), (88, 62), (88, 72), (12, 72), (11, 56)], s.main)
    s.curve([(60, 55), (76, 56), (88, 62), (88, 72), (62, 72)], s.light)
    s.rect((9, 69, 91, 77), WHITE, 4)
    s.rect((9, 74, 91, 78), s.accent, 2)
    s.curve([(12, 46), (18, 42), (24, 58), (22, 70), (12, 70)], s.dark)
    for x, y in ((40, 43), (46, 48), (52, 52)):
        s.line([(x, y), (x - 5, y + 5)], WHITE, 1.6)
    s.curve([(30, 62), (46, 60), (60, 66), (44, 66)], s.accent)


def notebook(s: Sketch) -> None:
    s.shadow(24, 78, 86)
    s.rect((30, 18, 76, 86), WHITE, 3)
    s.rect((26, 16, 72, 84), s.main, 3)
    s.rect((26, 16, 33, 84), s.dark, 3, "1001")
    s.rect((62, 16, 65, 84), s.accent)
    s.rect((40, 32, 58, 42), WHITE, 1.5)
    s.rect((43, 36, 55, 37.5), s.ink, 0.7)


def pencils(s: Sketch) -> None:
    s.shadow(28, 74, 86)
    for index, colour in enumerate([(226, 92, 74), (244, 182, 66), (86, 150, 108), (70, 124, 178)]):
        x, top = 34 + index * 9, 14 + (index % 3) * 6
        s.rect((x, top + 9, x + 6, 56), colour)
        s.poly([(x, top + 9), (x + 6, top + 9), (x + 3, top)], (238, 208, 166))
        s.poly([(x + 2, top + 3), (x + 4, top + 3), (x + 3, top)], colour)
    s.poly([(28, 44), (72, 44), (68, 86), (32, 86)], s.main)
    s.poly([(60, 44), (72, 44), (68, 86), (58, 86)], s.dark)
    s.rect((30, 60, 70, 66), s.accent)


def pen(s: Sketch) -> None:
    s.shadow(16, 84, 78, 3)
    s.line([(24, 72), (72, 28)], s.main, 9)
    s.line([(52, 46.5), (72, 28)], s.dark, 9)
    s.line([(66, 27), (54, 38)], s.accent, 1.8)
    s.poly([(15, 81), (20, 70), (27, 77)], STEEL)
    s.line([(50, 44), (54, 48.5)], s.accent, 2)


def car(s: Sketch) -> None:
    s.shadow(12, 88, 78)
    s.curve([(28, 48), (36, 32), (60, 32), (70, 48)], s.light)
    s.poly([(34, 46), (39, 36), (48, 36), (48, 46)], tone(s.ground, 1.1))
    s.poly([(51, 46), (51, 36), (59, 36), (64, 46)], tone(s.ground, 1.1))
    s.rect((10, 46, 90, 68), s.main, 10)
    s.rect((10, 58, 90, 68), s.dark, 8)
    for x in (28, 72):
        s.oval((x - 11, 58, x + 11, 80), tone(WOOD, 0.7))
        s.oval((x - 7, 62, x + 7, 76), WOOD)
        s.oval((x - 2.5, 66.5, x + 2.5, 71.5), s.accent)
    s.oval((82, 50, 88, 56), (255, 236, 170))


def blocks(s: Sketch) -> None:
    s.shadow(16, 86, 82)
    for box, colour in (
        ((16, 54, 42, 80), s.main),
        ((44, 54, 70, 80), s.accent),
        ((30, 27, 56, 53), (86, 150, 168)),
    ):
        s.rect(box, colour, 3)
        s.rect((box[0] + 4, box[1] + 4, box[2] - 4, box[3] - 4), tone(colour, 1.14), 2)
    s.poly([(74, 80), (90, 80), (82, 58)], LEAF)
    s.oval((36, 33, 50, 47), (250, 244, 232))


def kite(s: Sketch) -> None:
    s.line([(50, 60), (44, 72), (54, 80), (46, 92)], s.ink, 1, smooth=True)
    s.poly([(50, 8), (76, 32), (50, 64), (24, 32)], s.main)
    s.poly([(50, 8), (76, 32), (50, 64)], s.dark)
    s.poly([(50, 8), (50, 32), (24, 32)], s.accent)
    s.poly([(50, 32), (76, 32), (50, 64)], tone(s.accent, 0.85))
    for x, y in ((46, 73), (52, 82)):
        s.poly([(x, y), (x - 5, y - 3), (x - 5, y + 3)], s.main)
        s.poly([(x, y), (x + 5, y - 3), (x + 5, y + 3)], s.accent)


def ball(s: Sketch) -> None:
    s.shadow(26, 76, 84)
    s.oval((20, 22, 80, 82), s.main)
    s.slice((20, 22, 80, 82), 330, 90, s.dark)
    s.oval((20, 22, 72, 76), s.main)
    s.arc((2, 16, 52, 88), 290, 70, s.accent, 3)
    s.arc((48, 16, 98, 88), 110, 250, s.accent, 3)
    s.line([(21, 52), (79, 52)], s.accent, 2.4)
    s.oval((32, 30, 44, 40), (255, 255, 255, 60))


def puzzle(s: Sketch) -> None:
    s.shadow(18, 82, 84)
    colours = [s.main, s.accent, (86, 150, 168), LEAF]
    for index, (x, y) in enumerate(((20, 22), (51, 22), (20, 53), (51, 53))):
        s.rect((x, y, x + 29, y + 29), colours[index], 3)
    s.oval((46, 31, 58, 43), colours[0])
    s.oval((42, 62, 54, 74), colours[3])
    s.oval((29, 47, 41, 59), colours[2])
    s.oval((60, 46, 72, 58), colours[1])


def headphones(s: Sketch) -> None:
    s.shadow(22, 78, 88, 4)
    s.arc((20, 14, 80, 90), 180, 0, s.ink, 6)
    s.arc((22, 16, 78, 88), 205, 335, s.accent, 2)
    for left, right in ((14, 34), (66, 86)):
        s.rect((left, 48, right, 84), s.main, 9)
        s.rect((left + (11 if left < 50 else 0), 50, right - (0 if left < 50 else 11), 82), s.dark, 5)
    s.gloss((17, 56, 20, 74), 1.5)


def speaker(s: Sketch) -> None:
    s.shadow(26, 76, 88)
    s.rect((28, 12, 72, 88), s.main, 8)
    s.rect((62, 12, 72, 88), s.dark, 7, "0110")
    s.oval((35, 44, 65, 74), s.ink)
    s.oval((40, 49, 60, 69), s.accent)
    s.oval((46, 55, 54, 63), s.ink)
    s.oval((42, 20, 58, 36), s.ink)
    s.oval((46, 24, 54, 32), s.accent)
    s.oval((48, 79, 52, 83), s.accent)


def camera(s: Sketch) -> None:
    s.shadow(14, 86, 78)
    s.rect((36, 24, 62, 40), s.dark, 4)
    s.rect((18, 27, 28, 34), s.accent, 2)
    s.rect((12, 32, 88, 78), s.main, 8)
    s.rect((12, 42, 88, 66), s.dark)
    s.oval((32, 34, 70, 76), STEEL)
    s.oval((36, 38, 66, 72), (38, 44, 54))
    s.oval((42, 45, 60, 65), (72, 98, 132))
    s.oval((45, 48, 51, 55), (190, 214, 236))
    s.rect((74, 36, 83, 41), (255, 240, 200), 1.5)


def watch(s: Sketch) -> None:
    s.shadow(34, 66, 92, 3)
    s.rect((38, 6, 62, 94), s.main, 6)
    s.rect((54, 6, 62, 94), s.dark, 5, "0110")
    s.oval((26, 28, 74, 76), STEEL)
    s.oval((30, 32, 70, 72), WHITE)
    for x, y in ((50, 35), (67, 52), (50, 69), (33, 52)):
        s.oval((x - 1.2, y - 1.2, x + 1.2, y + 1.2), s.ink)
    s.line([(50, 52), (50, 39)], s.ink, 1.6)
    s.line([(50, 52), (59, 57)], s.accent, 1.6)
    s.rect((73, 49, 78, 55), STEEL, 1)


def jar(s: Sketch) -> None:
    s.shadow(28, 74, 86)
    s.rect((28, 28, 72, 86), s.main, 10)
    s.rect((60, 28, 72, 86), s.dark, 9, "0110")
    s.rect((27, 16, 73, 30), s.accent, 3)
    s.rect((27, 24, 73, 30), tone(s.accent, 0.82), 2)
    s.rect((34, 46, 60, 72), WHITE, 2)
    s.poly([(47, 50), (53, 54), (53, 61), (47, 65), (41, 61), (41, 54)], s.main)
    s.rect((41, 67.5, 53, 69), s.ink, 0.7)
    s.gloss((32, 36, 35, 44), 1.5, 90)


def soap(s: Sketch) -> None:
    s.shadow(16, 84, 76)
    s.rect((18, 46, 82, 76), s.dark, 9)
    s.rect((18, 38, 82, 68), s.main, 9)
    s.rect((34, 38, 66, 76), s.accent)
    s.rect((40, 47, 60, 59), WHITE, 2)
    s.rect((44, 52, 56, 53.5), s.ink, 0.7)
    for x, y, size in ((26, 28, 5), (34, 21, 3), (72, 26, 4)):
        s.ring((x - size, y - size, x + size, y + size), WHITE, 0.8)


def basket(s: Sketch) -> None:
    s.shadow(18, 82, 86)
    s.arc((26, 10, 74, 76), 180, 0, tone(WOOD, 0.75), 3)
    s.poly([(16, 44), (84, 44), (74, 86), (26, 86)], WOOD)
    for row, y in enumerate(range(46, 84, 6)):
        inset = (y - 44) / 42 * 10
        for x in range(18 + (row % 2) * 5, 80, 10):
            if 17 + inset < x < 79 - inset:
                s.rect((x, y, x + 4.5, y + 4), tone(WOOD, 0.84), 1.5)
    s.rect((14, 40, 86, 47), tone(WOOD, 1.12), 3)
    s.rect((14, 44, 86, 47), s.main, 2)


THINGS: dict[str, Callable[[Sketch], None]] = {
    thing.__name__: thing
    for thing in (
        mug, teapot, pan, pot, board, knife, bowl, bag, tin, press, kettle, lamp, pendant, cushion, blanket, plant,
        candle, backpack, tote, bottle, umbrella, tshirt, beanie, scarf, sneaker, notebook, pencils, pen, car, blocks,
        kite, ball, puzzle, headphones, speaker, camera, watch, jar, soap, basket,
    )
}  # fmt: skip
