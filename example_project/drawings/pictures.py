"""The subject and the colours of each picture."""

from __future__ import annotations

from typing import NamedTuple

TERRACOTTA, TEAL, MOSS, PLUM, MUSTARD = "#d9694f", "#3f7f8c", "#6b8f4e", "#7a5c8e", "#e3a93f"
NAVY, ROSE, SAND, CHARCOAL, CREAM, SKY = "#33507f", "#d98a94", "#c9a27c", "#4a4f57", "#f3e7d3", "#6fa8c7"
SECOND_GROUND = "#fbf7f0"
WARM, COOL, GREEN, LILAC, BLUSH, STONE = "#f6e3d3", "#dcebea", "#e6eed8", "#ebe2f0", "#f7e2e0", "#ebe7e0"


class Picture(NamedTuple):
    """A thing to draw, its main colour, the colour of its details, and the colour behind it."""

    thing: str
    main: str
    accent: str
    ground: str


_FIRST = {
    "mug-red": Picture("mug", TERRACOTTA, "#f2c14e", WARM),
    "mug-tea": Picture("mug", TEAL, CREAM, COOL),
    "mug-esp": Picture("mug", CHARCOAL, MUSTARD, STONE),
    "bwl-grn": Picture("bowl", MOSS, "#f2c14e", GREEN),
    "bwl-ros": Picture("bowl", ROSE, CREAM, BLUSH),
    "pan-24": Picture("pan", CHARCOAL, MUSTARD, STONE),
    "pot-5l": Picture("pot", TERRACOTTA, CREAM, WARM),
    "knf-chf": Picture("knife", NAVY, MUSTARD, COOL),
    "brd-olv": Picture("board", TERRACOTTA, MUSTARD, GREEN),
    "bsk-mkt": Picture("basket", TEAL, MUSTARD, WARM),
    "cof-nye": Picture("bag", PLUM, MUSTARD, LILAC),
    "cof-kir": Picture("bag", TERRACOTTA, MUSTARD, WARM),
    "cof-drk": Picture("bag", CHARCOAL, TERRACOTTA, STONE),
    "cof-dec": Picture("bag", SKY, CREAM, COOL),
    "tea-ker": Picture("tin", TERRACOTTA, MUSTARD, WARM),
    "tea-grn": Picture("tin", MOSS, CREAM, GREEN),
    "tea-hib": Picture("tin", PLUM, ROSE, LILAC),
    "hon-aca": Picture("jar", MUSTARD, CHARCOAL, WARM),
    "prs-1l": Picture("press", TEAL, MUSTARD, COOL),
    "tpt-blu": Picture("teapot", TEAL, MUSTARD, WARM),
    "ktl-grn": Picture("kettle", MOSS, MUSTARD, GREEN),
    "lmp-tbl": Picture("lamp", PLUM, ROSE, LILAC),
    "lmp-dsk": Picture("lamp", MUSTARD, CHARCOAL, WARM),
    "lmp-pen": Picture("pendant", TERRACOTTA, MUSTARD, WARM),
    "csh-kit": Picture("cushion", TEAL, MUSTARD, COOL),
    "csh-red": Picture("cushion", TERRACOTTA, CREAM, BLUSH),
    "blk-wol": Picture("blanket", MOSS, CREAM, GREEN),
    "plt-alo": Picture("plant", TERRACOTTA, CREAM, WARM),
    "plt-plm": Picture("plant", NAVY, MUSTARD, COOL),
    "cdl-bee": Picture("candle", MUSTARD, TERRACOTTA, WARM),
    "cdl-lav": Picture("candle", PLUM, ROSE, LILAC),
    "sop-olv": Picture("soap", MOSS, CREAM, GREEN),
    "bpk-day": Picture("backpack", TEAL, MUSTARD, COOL),
    "bpk-mnt": Picture("backpack", TERRACOTTA, CHARCOAL, WARM),
    "tot-tre": Picture("tote", MOSS, MUSTARD, GREEN),
    "btl-750": Picture("bottle", NAVY, MUSTARD, COOL),
    "btl-500": Picture("bottle", ROSE, CREAM, BLUSH),
    "umb-red": Picture("umbrella", TERRACOTTA, MUSTARD, STONE),
    "tsh-tre": Picture("tshirt", TEAL, MUSTARD, COOL),
    "tsh-sun": Picture("tshirt", MUSTARD, TERRACOTTA, WARM),
    "snk-red": Picture("sneaker", TERRACOTTA, MUSTARD, WARM),
    "snk-nvy": Picture("sneaker", NAVY, SKY, COOL),
    "bni-mos": Picture("beanie", MOSS, MUSTARD, GREEN),
    "scf-plm": Picture("scarf", PLUM, ROSE, LILAC),
    "ntb-a5": Picture("notebook", NAVY, MUSTARD, STONE),
    "ntb-red": Picture("notebook", TERRACOTTA, CREAM, BLUSH),
    "pen-fnt": Picture("pen", PLUM, MUSTARD, LILAC),
    "pcl-set": Picture("pencils", TEAL, CREAM, WARM),
    "hph-ovr": Picture("headphones", NAVY, MUSTARD, COOL),
    "spk-shf": Picture("speaker", SAND, TERRACOTTA, WARM),
    "cam-flm": Picture("camera", CHARCOAL, TERRACOTTA, STONE),
    "wch-day": Picture("watch", SAND, TERRACOTTA, STONE),
    "toy-car": Picture("car", TERRACOTTA, MUSTARD, WARM),
    "toy-blk": Picture("blocks", TERRACOTTA, MUSTARD, COOL),
    "pzl-64": Picture("puzzle", TERRACOTTA, MUSTARD, LILAC),
    "kit-dia": Picture("kite", TEAL, MUSTARD, COOL),
    "bal-ply": Picture("ball", ROSE, CREAM, BLUSH),
}
_WITH_A_SECOND = ("mug-red", "cof-nye", "bpk-day", "tsh-tre", "lmp-dsk", "kit-dia", "hon-aca", "pan-24", "hph-ovr")

PICTURES: dict[str, Picture] = {
    **_FIRST,
    **{f"{name}-2": Picture(*_FIRST[name][:3], SECOND_GROUND) for name in _WITH_A_SECOND},
}
"""``{file name without extension: what the picture shows}``."""
