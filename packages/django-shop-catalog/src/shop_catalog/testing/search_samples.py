"""The products and searches of the contract kit of search backends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

CATALOGUE: Mapping[str, Mapping[str, Any]] = {
    "TB-1234": {
        "name": "Blue T-Shirt",
        "description": "Soft cotton; washable at 30/40 degrees",
        "attributes": {"brand": "Kilimani", "fit": "slim", "sizes": ["small", "large"], "year": 2026},
    },
    "P-8A": {"name": "Café crème kettle", "description": "Blåbær colour, half-litre"},
    "HP-077": {"name": "Headphones", "description": "Wireless audio/video, noise-cancelling"},
    "JP-1": {"name": "電気ケトル 1.5L", "description": "日本製の電気ケトルです"},
    "KR-1": {"name": "무선이어폰"},
    "HN-5": {"name": "Honey jar", "attributes": {"brand": "Asali"}, "description": "From the highlands"},
    "JR-2": {"name": "Empty jar", "description": "Blue glass"},
    "BP-9": {"name": "Backpack", "description": "Waterproof"},
    "CF-2": {"name": "Coffee, ground"},
    "LM-3": {"name": "Desk lamp"},
    "SH": {"name": "Long-sleeved shirt", "kind": "group"},
    "SH-RED": {"group": "SH", "options": {"colour": "Turquoise"}},
}
"""The arguments of ``products.create`` by SKU. ``group`` is the SKU of a variant's group."""

FOUND = (
    ("blue", "TB-1234"), ("shirt", "TB-1234"), ("kilimani", "TB-1234"), ("slim", "TB-1234"), ("large", "TB-1234"),
    ("2026", "TB-1234"), ("cotton", "TB-1234"), ("degrees", "TB-1234"), ("40", "TB-1234"), ("30", "TB-1234"),
    ("tshirt", "TB-1234"), ("t-shirt", "TB-1234"), ("T Shirt", "TB-1234"), ("tb-1234", "TB-1234"),
    ("video", "HP-077"), ("audio", "HP-077"), ("cancelling", "HP-077"), ("audio/video", "HP-077"),
    ("litre", "P-8A"), ("cafe creme", "P-8A"), ("CAFÉ CRÈME", "P-8A"), ("Cafe\u0301", "P-8A"), ("blabaer", "P-8A"),
    ("BLÅBÆR", "P-8A"), ("asali", "HN-5"), ("highlands", "HN-5"), ("turquoise", "SH"), ("sh-red", "SH"),
    ("long-sleeved", "SH"), ("sleeved", "SH"), ("coffee", "CF-2"), ("coffe", "CF-2"), ("headpho", "HP-077"),
)  # fmt: skip
"""A text, and the SKU of a product that it finds."""

PARTS_OF_SKUS = (
    ("1234", "TB-1234"), ("TB1234", "TB-1234"), ("tb 1234", "TB-1234"), ("tb-12", "TB-1234"), ("b123", "TB-1234"),
    ("234", "TB-1234"), ("p-8", "P-8A"), ("p8", "P-8A"), ("P8A", "P-8A"), ("p-8a", "P-8A"), ("8a", "P-8A"),
    ("077", "HP-077"), ("77", "HP-077"), ("hp-077", "HP-077"), ("shred", "SH"),
    ("shirt 1234", "TB-1234"), ("234 cotton", "TB-1234"),
)  # fmt: skip

SCRIPTS = (
    ("電気", "JP-1"), ("ケトル", "JP-1"), ("気ケ", "JP-1"), ("電", "JP-1"), ("日本", "JP-1"), ("電気ケトル", "JP-1"),
    ("ｹﾄﾙ", "JP-1"), ("무선", "KR-1"), ("이어폰", "KR-1"),
)  # fmt: skip

CORRECTED = (
    ("cofee", "CF-2"), ("hedphones", "HP-077"), ("honney", "HN-5"), ("bakcpack", "BP-9"), ("t-shrit", "TB-1234"),
    ("tshrit", "TB-1234"), ("tshirt", "TB-1234"), ("lapm", "LM-3"), ("lmp", "LM-3"), ("lanp", "LM-3"),
    ("llamp", "LM-3"), ("ground cofee", "CF-2"), ("cofee grund", "CF-2"), ("turquoisse", "SH"), ("wirless", "HP-077"),
    ("asalli", "HN-5"), ("honney asali", "HN-5"), ("blue kotton", "TB-1234"),
)  # fmt: skip

NOT_FOUND = ("umbrella", "xylophone", "zz-9999", "blue kettle coffee", "turquoise honey", "新聞", "99999")

NOTHING = (" ", "%", "_", "%%%", "___", "*", "-", "'", '"', "\\", "( )", "& | !", "…", "\0", "\ud800")
"""Texts without a word."""

RANKED: Mapping[str, Mapping[str, Any]] = {
    "LANTERN": {"name": "Storm light"},
    "LN-1": {"name": "Lantern of brass"},
    "LN-2": {"name": "Candle", "description": "For a lantern"},
}
"""In the order in which "lantern" finds them."""

UGLY = (
    "'; DROP TABLE shop_catalog_product; --", '"', "'", "''", "\\", "\\'", "%", "_", "%s", "%(x)s", "{}", "$1", ":x",
    "& | ! ( ) : * <->", "a & b | !c", "a <-> b", "a:*", "(a", "a)", "NEAR(a b)", "a AND", "OR", "NOT", "name : x",
    "^a", "-a", "+a", "a*", "*", '"a', "a\"b'c\\d", "\0", "a\0b", "\ud800", "a\udfffb", "\n", "a\nb", "\t", "\u200b",
    "\u0301", "ﷺ" * 20, "𝔞", "🫖 teapot", "a" * 10_000, "a " * 5_000, "ab-" * 3_000, "電" * 5_000, "1" * 100,
    "'" * 1_000, "\\" * 1_000, "é" * 10_000, "ß", "İ", "=blue", "#tb1234", "= # :", "\N{COMBINING ACUTE ACCENT}a",
)  # fmt: skip
"""Texts that must not raise an error."""


def misspelt_words() -> Iterator[tuple[str, str]]:
    """Words of names with one fault each: missing, wrong, doubled or swapped letters, at the first to last place."""
    names = {"headphones": "HP-077", "backpack": "BP-9", "kettle": "P-8A", "empty": "JR-2", "desk": "LM-3"}
    for word, sku in names.items():
        for place in range(len(word)):
            before, letter, after = word[:place], word[place], word[place + 1 :]
            yield before + after, sku
            yield f"{before}{letter}{letter}{after}", sku
            yield f"{before}w{after}", sku
            if after and after[0] != letter:
                yield f"{before}{after[0]}{letter}{after[1:]}", sku
