"""Filters and orderings of product lists."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import NamedTuple


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
            related_to="x" if self.related_to else "",
        )
