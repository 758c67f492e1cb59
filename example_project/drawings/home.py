"""Drawings of things for the house and the desk."""

from __future__ import annotations

from drawings.sketch import LEAF, STEEL, WHITE, Sketch, tone


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


def soap(s: Sketch) -> None:
    s.shadow(16, 84, 76)
    s.rect((18, 46, 82, 76), s.dark, 9)
    s.rect((18, 38, 82, 68), s.main, 9)
    s.rect((34, 38, 66, 76), s.accent)
    s.rect((40, 47, 60, 59), WHITE, 2)
    s.rect((44, 52, 56, 53.5), s.ink, 0.7)
    for x, y, size in ((26, 28, 5), (34, 21, 3), (72, 26, 4)):
        s.ring((x - size, y - size, x + size, y + size), WHITE, 0.8)


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


def headphones(s: Sketch) -> None:
    s.shadow(22, 78, 88, 4)
    s.arc((20, 14, 80, 90), 180, 0, s.ink, 6)
    s.arc((22, 16, 78, 88), 205, 335, s.accent, 2)
    for left, right in ((14, 34), (66, 86)):
        s.rect((left, 48, right, 84), s.main, 9)
        s.rect((left + (11 if left < 50 else 0), 50, right - (0 if left < 50 else 11), 82), s.dark, 5)
    s.gloss((17, 56, 20, 74), 1.5)


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
