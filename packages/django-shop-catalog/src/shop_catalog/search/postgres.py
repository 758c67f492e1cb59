"""Search on PostgreSQL: full text, and where that finds nothing, words that are spelt alike."""

from __future__ import annotations

from typing import Any

from django.db.models import BooleanField, F, FloatField, Func, IntegerField, QuerySet, TextField, Value
from django.db.models.functions import Cast

from shop_catalog.search.base import SearchBackend, simplify

VECTOR = "to_tsvector('simple', %(expressions)s)"
"""As in the index of migration 0002; "simple" keeps SKUs and any language's words as they are."""

FIRST_LINE = "split_part(%(expressions)s, E'\\n', 1)"
"""Name, SKU and attributes: what is found there counts more than what is found in the description."""


class PostgresSearch(SearchBackend):
    """Full text with word beginnings, ranked. Falls back to trigram similarity: "blu teapt" finds the blue teapot.

    Needs the extension ``pg_trgm``, which migration 0002 creates.
    """

    def search(self, products: QuerySet[Any, Any], text: str) -> QuerySet[Any, Any]:
        words = simplify(text).split()
        found = self._full_text(products, words)
        if found.order_by().values("pk")[:1]:
            return found
        return self._similar(products, words)

    def _full_text(self, products: QuerySet[Any, Any], words: list[str]) -> QuerySet[Any, Any]:
        query = Func(
            Value(" & ".join(f"{_quoted(word)}:*" for word in words)),
            template="to_tsquery('simple', %(expressions)s)",
            output_field=TextField(),
        )
        text = F("search_text")
        vector = Func(text, template=VECTOR, output_field=TextField())
        first = Func(_first_line(), template=VECTOR, output_field=TextField())
        rank = Func(first, query, function="ts_rank", output_field=FloatField()) * 2
        rank += Func(vector, query, function="ts_rank", output_field=FloatField())
        matches = Func(vector, query, template="%(expressions)s", arg_joiner=" @@ ", output_field=BooleanField())
        ranked: QuerySet[Any, Any] = products.filter(matches).annotate(relevance=_whole(rank))
        return ranked

    def _similar(self, products: QuerySet[Any, Any], words: list[str]) -> QuerySet[Any, Any]:
        score: Any = Value(0.0)
        for word in words:
            likeness = Func(
                Value(word, output_field=TextField()),
                F("search_text"),
                template="%(expressions)s",
                arg_joiner=" <%% ",
                output_field=BooleanField(),
            )
            products = products.filter(likeness)
            for place in (_first_line(), F("search_text")):
                score += Func(Value(word), place, function="word_similarity", output_field=FloatField())
        ranked: QuerySet[Any, Any] = products.annotate(relevance=_whole(score))
        return ranked


def _first_line() -> Func:
    return Func(F("search_text"), template=FIRST_LINE, output_field=TextField())


def _whole(score: Any) -> Cast:
    """A whole number, so that a page can begin exactly where another ended."""
    return Cast(score * 1_000_000, IntegerField())


def _quoted(word: str) -> str:
    """A word as a literal of ``to_tsquery``, so that no operator in it is read as one."""
    return "'" + word.replace("\\", "\\\\").replace("'", "''") + "'"
