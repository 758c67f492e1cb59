"""The filters of a product list: from the query string to ``browsing.Filters``, and back to links."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from django.http import QueryDict
from django.utils.formats import sanitize_separators
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from shop_catalog import browsing
from shop_core.money import MAX_AMOUNT
from shop_orders.contrib.pages.templatetags.shop_orders_pages import price

SORTS = {
    "relevance": gettext_lazy("Best match"),
    "newest": gettext_lazy("Newest"),
    "price": gettext_lazy("Price, low to high"),
    "-price": gettext_lazy("Price, high to low"),
    "name": gettext_lazy("Name"),
    "rating": gettext_lazy("Best rated"),
}
RATINGS = (4, 3, 2)
MAX_QUERY_LENGTH = 100
MAX_ATTRIBUTES = 10
MAX_OPTIONS = 20
SIZES = ("XXS", "XS", "S", "M", "L", "XL", "XXL", "3XL")


@dataclass(frozen=True)
class Chip:
    """An active filter, and the URL of the list without it."""

    label: str
    url: str


@dataclass(frozen=True, kw_only=True)
class Option:
    id: str
    value: str
    label: str
    count: int
    is_chosen: bool


@dataclass(frozen=True, kw_only=True)
class Facet:
    """An attribute with its values and their product counts."""

    name: str
    options: tuple[Option, ...]


class Choice:
    """The visitor's filters. Invalid values in the query string are ignored."""

    def __init__(self, query: QueryDict, *, category: str = "") -> None:
        self.query = query
        self.text = " ".join(query.get("q", "").replace("\0", "").split())[:MAX_QUERY_LENGTH]
        self.category = category
        self.min_price = _amount(query.get("min_price", ""))
        self.max_price = _amount(query.get("max_price", ""))
        self.in_stock = query.get("in_stock") == "1"
        self.rating = next((stars for stars in RATINGS if query.get("rating") == str(stars)), None)
        self.attributes = _attributes(query)
        self.default_sort = "relevance" if self.text else "newest"
        asked = query.get("sort", "")
        self.sort = asked if asked in self.sorts() else self.default_sort

    def sorts(self) -> dict[str, Any]:
        return {key: label for key, label in SORTS.items() if key != "relevance" or self.text}

    def filters(self) -> browsing.Filters:
        return browsing.Filters(
            q=self.text,
            category=self.category,
            min_price=self.min_price,
            max_price=self.max_price,
            in_stock=True if self.in_stock else None,
            rating=None if self.rating is None else Decimal(self.rating),
            attributes=self.attributes,
        )

    def url(self, **changes: str | None) -> str:
        """The query string with some parameters changed, or removed for None. It leads to the first page."""
        query = self.query.copy()
        query.pop("after", None)
        for name, value in changes.items():
            if value is None:
                query.pop(name, None)
            else:
                query[name] = value
        return f"?{query.urlencode()}"

    def first_url(self) -> str:
        return self.url()

    def other_parameters(self, *names: str) -> list[tuple[str, str]]:
        """All parameters except these, as hidden fields of a form that changes these."""
        skipped = {"after", *names}
        return [(name, value) for name, values in self.query.lists() if name not in skipped for value in values]

    def chips(self) -> list[Chip]:
        chips = []
        if self.min_price is not None:
            chips.append(Chip(_("from %(amount)s") % {"amount": price(self.min_price)}, self.url(min_price=None)))
        if self.max_price is not None:
            chips.append(Chip(_("up to %(amount)s") % {"amount": price(self.max_price)}, self.url(max_price=None)))
        if self.in_stock:
            chips.append(Chip(_("In stock"), self.url(in_stock=None)))
        if self.rating is not None:
            chips.append(Chip(_("%(stars)s stars and more") % {"stars": self.rating}, self.url(rating=None)))
        chips += [Chip(capfirst(value), self._url_without(name, value)) for name, value in self.attributes]
        return chips

    def attribute_facets(self, counted: Mapping[str, Mapping[str, int]]) -> list[Facet]:
        """The attributes to choose from, without those that have a single value."""
        facets: list[Facet] = []
        for name, counts in counted.items():
            chosen = {value for key, value in self.attributes if key == name}
            values = {**counts, **{value: 0 for value in chosen if value not in counts}}
            if not chosen and len(values) < 2:
                continue
            options = tuple(
                Option(
                    id=f"facet-{len(facets) + 1}-{place}",
                    value=browsing.attribute_to_text(name, value),
                    label=capfirst(value),
                    count=count,
                    is_chosen=value in chosen,
                )
                for place, (value, count) in enumerate(sorted(values.items(), key=_rank)[:MAX_OPTIONS], 1)
            )
            facets.append(Facet(name=name.replace("_", " ").capitalize(), options=options))
        return facets

    def _url_without(self, name: str, value: str) -> str:
        query = self.query.copy()
        query.pop("after", None)
        query.setlist(
            "attr", [part for part in query.getlist("attr") if browsing.attribute_from_text(part) != (name, value)]
        )
        return f"?{query.urlencode()}"


def _rank(counted: tuple[str, int]) -> tuple[int, int, str]:
    """The sort key: clothing sizes from small to large, then numbers, then words."""
    value = counted[0]
    if value.upper() in SIZES:
        return 0, SIZES.index(value.upper()), value
    if value.isdecimal():
        return 1, int(value), value
    return 2, 0, value


def _amount(text: str) -> Decimal | None:
    try:
        amount = Decimal(str(sanitize_separators(text.strip())))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and 0 <= amount <= MAX_AMOUNT else None


def _attributes(query: QueryDict) -> tuple[tuple[str, str], ...]:
    """``attr=colour:red`` as pairs."""
    pairs = (browsing.attribute_from_text(part[:200]) for part in query.getlist("attr")[:MAX_ATTRIBUTES])
    return tuple(pair for pair in pairs if pair is not None and "\0" not in "".join(pair))
