"""Drawings of things to wear, to carry and to play with."""

from __future__ import annotations

from drawings.sketch import LEAF, WHITE, WOOD, Sketch, tone


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
