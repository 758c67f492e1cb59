"""Search by the stored words, on PostgreSQL and SQLite. They differ only in how an index is queried."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple

from django.db.models import Case, F, IntegerField, Q, QuerySet, TextField, Value, When
from django.db.models.functions import StrIndex
from django.db.models.lookups import GreaterThan, LessThan

from shop_catalog.managers import one_by_one
from shop_catalog.models import Product
from shop_catalog.search.base import Group, Prepared, SearchBackend
from shop_catalog.search.matching import values_of
from shop_catalog.search.planning import FEW, FREQUENT, Plan, Way, plan
from shop_catalog.wording import NAME, SKU, Term, words_of

BY_SKU, BEGINS, BY_NAME, OTHER = 4, 3, 2, 1
"""Relevance: the SKU, a name that begins with the words, all words in the name, all words anywhere."""


class Part(StrEnum):
    """Which of the matches are found."""

    NONE = "none"
    ALL = "all"
    BY_SKU = "by SKU"
    BY_NAME = "by name"
    OTHERS = "others"


RELEVANCE = {Part.NONE: 0, Part.BY_SKU: BY_SKU, Part.BY_NAME: BY_NAME, Part.OTHERS: OTHER}
"""The relevance of parts that are not ranked one by one."""


class Shape(NamedTuple):
    """``structure`` has a tuple for each term: the number of needles in each of its alternatives.

    At most ``limit`` products are looked up in the index; ``None`` means all. With ``FEW``, only products of the list:
    this is for lists without other filters, and for suggestions.
    """

    part: Part
    way: Way
    structure: tuple[tuple[int, ...], ...]
    has_code: bool
    limit: int | None = FREQUENT


class WordSearch(SearchBackend):
    """Finds the products that have every word, or a longer one that begins with it.

    If no product has them, words with one wrong, missing, additional or swapped letter are corrected. A list by
    relevance begins with the product whose SKU was given, then come those that have all words in their name.
    """

    query: ClassVar[Any]
    """``(terms, mark) -> str``: terms in the language of the index."""
    code_query: ClassVar[Any]
    """``(code) -> str``: a whole SKU in this language."""

    def in_index(self, query: Any) -> Any:
        """The condition that the index of words finds a product."""
        raise NotImplementedError

    def in_skus(self, pattern: Any) -> Any:
        """The condition that a SKU is LIKE this pattern, or ``None`` if the query of the index has that condition."""
        raise NotImplementedError

    def search(self, products: QuerySet[Any, Any], text: str) -> QuerySet[Any, Any]:
        prepared = self.prepare(text)
        return self._narrowed(products, prepared, prepared.shape)

    def suggest(self, products: QuerySet[Any, Any], text: str, *, limit: int) -> list[Any]:
        prepared = self.prepare(text)
        if not prepared.groups:
            return list(self._narrowed(products, prepared, prepared.shape).order_by("-relevance", "-pk")[:limit])
        rows: list[Any] = []
        for group in prepared.groups:
            found = self._narrowed(products, prepared, group.shape)
            rows += found.order_by("-pk")[: limit - len(rows)]
            if len(rows) >= limit:
                break
        return rows

    def _narrowed(self, products: QuerySet[Any, Any], prepared: Prepared, shape: Any) -> QuerySet[Any, Any]:
        return self.narrow(products, lambda name, field: Value(prepared.values[name], output_field=field), shape)

    def corrected(self, text: str) -> str:
        return plan(text).corrected

    def prepare(self, text: str) -> Prepared:
        found = plan(text)
        if not found.terms:
            return Prepared(Shape(Part.NONE, Way.BY_INDEX, (), has_code=False), {})
        words = found.terms
        values = {
            "search_words": self.query(words),
            "search_names": self.query(words, mark=NAME),
            "search_code": self.code_query(found.code),
            "search_code_text": f" {SKU}{found.code} ",
            "search_beginning": "\n" + "".join(f" {NAME}{word}" for word in words_of(found.corrected or text)),
            **dict(values_of(words)),
        }
        shape = Shape(Part.ALL, found.way, _structure(words), found.has_code)
        groups = () if found.is_few else tuple(_groups(found, shape))
        counted = shape._replace(way=Way.BY_INDEX, limit=None) if _has_words_only(found) else None
        return Prepared(shape, values, found.corrected, groups, counted)

    def narrow(self, products: QuerySet[Any, Any], p: Any, shape: Shape) -> QuerySet[Any, Any]:
        found: QuerySet[Any, Any] = products.filter(*self._conditions(products, p, shape)).annotate(
            relevance=self.rank(p, shape)
        )
        return found

    def rank(self, p: Any, shape: Shape) -> Any:
        if shape.part in RELEVANCE:
            return Value(RELEVANCE[shape.part], output_field=IntegerField())
        in_names = _compared(p, shape, "name")
        ranks = [
            When(_has_text(p, "search_code_text"), then=Value(BY_SKU)),
            When(_has_text(p, "search_beginning"), then=Value(BEGINS)),
            *([] if in_names is None else [When(in_names, then=Value(BY_NAME))]),
        ]
        return Case(*ranks, default=Value(OTHER), output_field=IntegerField())

    def _conditions(self, products: QuerySet[Any, Any], p: Any, shape: Shape) -> list[Any]:
        searched = products if shape.limit == FEW else Product.objects.filter(parent__isnull=True)
        not_code = [~Q(_has_text(p, "search_code_text"))] if shape.has_code else []
        match shape.part:
            case Part.NONE:
                return [Q(pk=-1)]
            case Part.BY_SKU:
                return [_in_first(searched, self.in_index(p("search_code", TextField())), limit=FEW)]
            case Part.BY_NAME:
                return [*self._found(searched, p, shape, "search_names", "name"), *not_code]
            case Part.OTHERS:
                in_names = _compared(p, shape, "name")
                not_names = [] if in_names is None else [~Q(in_names)]
                return [*self._found(searched, p, shape, "search_words", "word"), *not_code, *not_names]
        return self._found(searched, p, shape, "search_words", "word")

    def _found(self, searched: QuerySet[Any, Any], p: Any, shape: Shape, query: str, kind: str) -> list[Any]:
        if shape.way == Way.BY_TEXT:
            compared = _compared(p, shape, kind)
            return [] if compared is None else [compared]
        parts = [
            self.in_skus(p(f"pattern{index}", TextField()))
            for index, alternatives in enumerate(shape.structure)
            if not alternatives
        ]
        has_words = len(parts) < len(shape.structure) or None in parts
        in_index = [_in_first(searched, self.in_index(p(query, TextField())), limit=shape.limit)] if has_words else []
        return [*in_index, *(_in_first(searched, part, limit=FREQUENT) for part in parts if part is not None)]


def _in_first(products: QuerySet[Any, Any], is_found: Any, *, limit: int | None) -> Any:
    """Whether a product is one of the first ``limit`` of ``products`` that an index finds.

    Given a plain condition, PostgreSQL would read the list in its order and compare row by row, since it assumes that
    every word is frequent.
    """
    return one_by_one(products.filter(is_found).order_by().values("pk")[:limit])


def _groups(found: Plan, shape: Shape) -> Iterator[Group]:
    has_words_only = _has_words_only(found)

    def group(part: Part, way: Way) -> Group:
        whole = shape._replace(part=part, way=way)
        limited = whole._replace(limit=FEW) if has_words_only else whole
        return Group(limited, RELEVANCE[part], filtered_shape=whole)

    if found.has_code:
        yield group(Part.BY_SKU, Way.BY_INDEX)
    if has_words_only and found.is_in_names:
        yield group(Part.BY_NAME, found.way_in_names)
    yield group(Part.OTHERS, shape.way)


def _has_words_only(found: Plan) -> bool:
    return all(term.alternatives for term in found.terms)


def _structure(terms: Iterable[Term]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(len(needles) for needles in term.alternatives) for term in terms)


def _compared(p: Any, shape: Shape, kind: str) -> Q | None:
    """The terms as comparisons of the search text. ``None`` for names if a term is a part of a SKU: no name has it."""
    conditions = Q()
    for term, alternatives in enumerate(shape.structure):
        if not alternatives:
            if kind == "name":
                return None
            conditions &= _has_part(p, f"part{term}")
        one_of = Q()
        for index, size in enumerate(alternatives):
            needles = Q()
            for place in range(size):
                needles &= Q(_has_text(p, f"{kind}{term}_{index}_{place}"))
            one_of |= needles
        conditions &= one_of
    return conditions


def _has_text(p: Any, name: str) -> Any:
    return GreaterThan(StrIndex(F("search_text"), p(name, TextField())), 0)


def _has_part(p: Any, name: str) -> Q:
    """Whether the text is in the first line of the search text, which has the SKUs."""
    line_break = StrIndex(F("search_text"), Value("\n"))
    return Q(_has_text(p, name), LessThan(StrIndex(F("search_text"), p(name, TextField())), line_break))
