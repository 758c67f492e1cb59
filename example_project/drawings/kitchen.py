"""Drawings of things for the kitchen and the table."""

from __future__ import annotations

from drawings.sketch import LEAF, STEEL, WHITE, WOOD, Sketch, tone


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
