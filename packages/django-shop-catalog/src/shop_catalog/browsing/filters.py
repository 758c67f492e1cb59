"""Filters and orderings of product lists."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import NamedTuple

from shop_catalog.facets.terms import attribute_term


class Ordering(NamedTuple):
    column: str
    is_descending: bool


ORDERINGS = {
    "newest": Ordering("created_at", is_descending=True),
    "price": Ordering("price", is_descending=False),
    "-price": Ordering("price", is_descending=True),
    "name": Ordering("name", is_descending=False),
    "-name": Ordering("name", is_descending=True),
    "rating": Ordering("rating_average", is_descending=True),
    "relevance": Ordering("relevance", is_descending=True),
}


@dataclass(frozen=True)
class Filters:
    """The filters of a list. ``None`` and empty mean: no filter.

    ``attributes`` are (name, value) pairs. For each name, a product must have one of the values given with it.
    """

    q: str = ""
    category: str = ""
    min_price: Decimal | None = None
    max_price: Decimal | None = None
    in_stock: bool | None = None
    featured: bool | None = None
    rating: Decimal | None = None
    attributes: tuple[tuple[str, str], ...] = ()
    related_to: str = ""
    with_unpublished: bool = False

    @property
    def shape(self) -> Filters:
        """The filters without their values. Filters of the same shape have the same SQL text."""
        return replace(
            self,
            q="x" if self.q else "",
            category="x" if self.category else "",
            min_price=None if self.min_price is None else Decimal(0),
            max_price=None if self.max_price is None else Decimal(0),
            rating=None if self.rating is None else Decimal(0),
            attributes=tuple(
                (str(place), "x")
                for place, texts in enumerate(self.wanted.values())
                for _turn in range(places_for(len(texts)))
            ),
            related_to="x" if self.related_to else "",
        )

    def only_for(self, column: str) -> Filters:
        """Only the filters by this column, and by publication."""
        if column == "price":
            return Filters(min_price=self.min_price, max_price=self.max_price, with_unpublished=self.with_unpublished)
        rating = self.rating if column == "rating_average" else None
        return Filters(rating=rating, with_unpublished=self.with_unpublished)

    @property
    def without_terms(self) -> Filters:
        """The filters for which a product has no terms."""
        return replace(self, category="", in_stock=None, attributes=())

    @property
    def condition_count(self) -> int:
        """The number of conditions, without the search."""
        given = (self.category, self.related_to, self.min_price, self.max_price, self.in_stock, self.featured)
        return sum(value not in {None, ""} for value in (*given, self.rating)) + len(self.wanted)

    @property
    def wanted(self) -> dict[str, list[str]]:
        """The values of ``attributes`` by name."""
        wanted: dict[str, list[str]] = {}
        for name, text in self.attributes:
            wanted.setdefault(name, []).append(text)
        return wanted

    def attribute_terms(self) -> dict[str, int]:
        """Parameters ``attribute0_0``, ``attribute0_1``, ...: the terms of each name.

        They are padded to the next power of two.
        """
        found = {}
        for number, (name, texts) in enumerate(self.wanted.items()):
            for place in range(places_for(len(texts))):
                term = attribute_term(name, texts[min(place, len(texts) - 1)])
                found[f"attribute{number}_{place}"] = term
        return found


_PAIR = re.compile(r"((?:[^:\\]|\\.)*):(.*)", re.DOTALL)


def attribute_from_text(text: str) -> tuple[str, str] | None:
    """``name:value`` as a pair. In the name, a colon or a backslash is written with a backslash before it."""
    found = _PAIR.fullmatch(text)
    return (re.sub(r"\\([:\\])", r"\1", found[1]), found[2]) if found else None


def attribute_to_text(name: str, value: str) -> str:
    """The text that ``attribute_from_text`` reads."""
    return re.sub(r"([:\\])", r"\\\1", name) + f":{value}"


def places_for(number: int) -> int:
    """The next power of two, so that few statements serve any number of values."""
    return 1 << (number - 1).bit_length()
