"""Names and descriptions. Their words are as frequent as those of a language: a few are common, most are rare."""

from __future__ import annotations

import random
from itertools import accumulate, product
from typing import NamedTuple

VOCABULARY = 30_000
BRANDS = 2_000
COMMON = [
    "the",
    "and",
    "with",
    "for",
    "of",
    "in",
    "a",
    "is",
    "this",
    "to",
    "from",
    "your",
    "it",
    "by",
    "are",
    "or",
    "can",
    "be",
    "all",
    "as",
    "has",
    "more",
    "made",
    "use",
    "on",
    "at",
    "home",
    "set",
    "new",
    "quality",
    "size",
    "design",
    "easy",
    "colour",
    "water",
    "light",
    "black",
    "white",
    "high",
    "cotton",
    "steel",
    "soft",
    "hand",
    "kitchen",
    "garden",
    "red",
    "blue",
    "green",
]
THINGS = [
    "teapot",
    "lamp",
    "basket",
    "chair",
    "blanket",
    "kettle",
    "mirror",
    "clock",
    "vase",
    "frame",
    "bowl",
    "tray",
    "backpack",
    "headphones",
    "shirt",
    "coffee",
    "honey",
    "pillow",
    "ladder",
    "hammer",
    "carpet",
    "candle",
    "bottle",
    "jacket",
    "wallet",
    "scarf",
    "toaster",
    "drill",
    "curtain",
    "mattress",
    "turntable",
    "binoculars",
]
COLOURS = [
    "black",
    "white",
    "blue",
    "red",
    "green",
    "grey",
    "brown",
    "yellow",
    "orange",
    "violet",
    "turquoise",
    "beige",
]
MATERIALS = [
    "cotton",
    "steel",
    "glass",
    "oak",
    "wool",
    "leather",
    "linen",
    "brass",
    "clay",
    "paper",
    "bamboo",
    "porcelain",
]
SYLLABLES = ("ba", "ren", "to", "mil", "ka", "sor", "ne", "lin", "du", "pra", "vi", "gos", "tem", "ha", "fu", "lek")


class Text(NamedTuple):
    name: str
    brand: str
    colour: str
    material: str
    description: str


class Texts:
    """The same texts for the same seed."""

    def __init__(self, rng: random.Random) -> None:
        made = ["".join(parts) for length in (2, 3, 4) for parts in product(SYLLABLES, repeat=length)]
        random.Random(1).shuffle(made)
        self.rng = rng
        self.words = [*COMMON, *THINGS, *made][:VOCABULARY]
        self.brands = made[-BRANDS:]
        self.word_weights = _zipf(len(self.words))
        self.brand_weights = _zipf(BRANDS)
        self.thing_weights, self.colour_weights = _zipf(len(THINGS)), _zipf(len(COLOURS))

    def next(self, number: int) -> Text:
        choose, one = self.rng.choices, self.rng.choice
        [brand] = choose(self.brands, cum_weights=self.brand_weights)
        [thing] = choose(THINGS, cum_weights=self.thing_weights)
        [colour] = choose(COLOURS, cum_weights=self.colour_weights)
        material = one(MATERIALS)
        words = choose(self.words, cum_weights=self.word_weights, k=self.rng.randint(15, 90))
        name = f"{brand} {colour} {material} {thing} {number}".capitalize()
        return Text(name, brand.capitalize(), colour, material, f"{' '.join(words)}.".capitalize())


def _zipf(count: int) -> list[float]:
    return list(accumulate(1 / rank for rank in range(1, count + 1)))
