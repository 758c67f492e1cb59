"""Search on PostgreSQL: full text and, if that finds nothing, similarly spelt words."""

from __future__ import annotations

import re
from typing import Any

from django.db.models import BooleanField, F, FloatField, Func, IntegerField, QuerySet, TextField, Value
from django.db.models.functions import Cast

from shop_catalog.models import Product
from shop_catalog.search import queries
from shop_catalog.search.base import Prepared, SearchBackend, simplify

CANDIDATES = 10_000
"""The maximum number of products that are ranked. The limit keeps a search for a common word fast in a large shop."""

SIMILAR = 200
"""The maximum number of products found by similar spelling; the least similar ones are left out."""

VECTOR = "to_tsvector('simple', %(expressions)s)"
"""The expression of the index in migration 0002. "simple" does not stem words, so SKUs and any language work."""

FIRST_LINE = "split_part(%(expressions)s, E'\\n', 1)"
"""Name, SKU and attributes: a word found there ranks higher than one in the description."""

WORDS, SIMILAR_WORDS = "words", "similar"


class PostgresSearch(SearchBackend):
    """Full text with prefixes of words. Words in the name, SKU and attributes rank highest.

    If no product has all the words, products with similarly spelt words are found: "blu teapt" finds the blue teapot.
    Needs the extension ``pg_trgm`` and the functions that migration 0002 creates.
    """

    def search(self, products: QuerySet[Any, Any], text: str) -> QuerySet[Any, Any]:
        return self._with_values(products, text, by_relevance=False)

    def best(self, products: QuerySet[Any, Any], text: str) -> QuerySet[Any, Any]:
        return self._with_values(products, text, by_relevance=True)

    def prepare(self, text: str) -> Prepared:
        words = simplify(text).split()
        query = " & ".join(f"{_quoted(word)}:*" for word in words)
        if not queries.has_match(query):
            words = sorted(re.findall(r"\w+", simplify(text)), key=len, reverse=True)
            values = {f"word{index}": word for index, word in enumerate(words)}
            return Prepared((SIMILAR_WORDS, len(words)), {"search_words": " ".join(words), **values})
        values = {f"word{index}": f" {word}" for index, word in enumerate(words)}
        return Prepared((WORDS, len(words)), {"search_query": query, "search_phrase": f" {' '.join(words)}", **values})

    def narrow(self, products: QuerySet[Any, Any], p: Any, shape: Any, *, by_relevance: bool) -> QuerySet[Any, Any]:
        kind, number = shape
        words = [p(f"word{index}", TextField()) for index in range(number)]
        if kind == SIMILAR_WORDS:
            return self._similar(products, p("search_words", TextField()), words)
        found = products.filter(_has_words(p("search_query", TextField())))
        if by_relevance:
            found = Product.objects.filter(pk__in=found.order_by().values("pk")[:CANDIDATES])
        ranked: QuerySet[Any, Any] = found.annotate(relevance=_rank(p("search_phrase", TextField()), words))
        return ranked

    def _with_values(self, products: QuerySet[Any, Any], text: str, *, by_relevance: bool) -> QuerySet[Any, Any]:
        shape, values = self.prepare(text)
        return self.narrow(products, lambda name, field: Value(values[name], field), shape, by_relevance=by_relevance)

    def _similar(self, products: QuerySet[Any, Any], text: Any, words: list[Any]) -> QuerySet[Any, Any]:
        is_similar = Func(
            F("pk"),
            text,
            template=f"%(expressions)s, ' '), {SIMILAR}))",
            arg_joiner=" IN (SELECT id FROM shop_catalog_similar_products(string_to_array(",
            output_field=BooleanField(),
        )
        score: Any = Value(0.0)
        for word in words:
            for place in (_first_line(), F("search_text")):
                score += Func(word, place, function="word_similarity", output_field=FloatField())
        # A whole number, so that a page begins exactly where the previous one ended.
        ranked: QuerySet[Any, Any] = products.filter(is_similar).annotate(
            relevance=Cast(score * 1_000_000, IntegerField())
        )
        return ranked


def _has_words(query: Any) -> Func:
    query = Func(query, template="to_tsquery('simple', %(expressions)s)", output_field=TextField())
    vector = Func(F("search_text"), template=VECTOR, output_field=TextField())
    return Func(vector, query, template="%(expressions)s", arg_joiner=" @@ ", output_field=BooleanField())


def _rank(phrase: Any, words: list[Any]) -> Any:
    """100 for each word in the first line, 20 for the whole phrase, 50 more if the line begins with it."""
    line = Func(_first_line(), template="(' ' || %(expressions)s)", output_field=TextField())
    rank = _contains(line, phrase) * 20 + _starts_with(line, phrase) * 50
    for word in words:
        rank += _contains(line, word) * 100
    return rank


def _contains(line: Any, text: Any) -> Func:
    return Func(line, text, template="(strpos(%(expressions)s) > 0)::integer", output_field=IntegerField())


def _starts_with(line: Any, text: Any) -> Func:
    return Func(line, text, template="starts_with(%(expressions)s)::integer", output_field=IntegerField())


def _first_line() -> Func:
    return Func(F("search_text"), template=FIRST_LINE, output_field=TextField())


def _quoted(word: str) -> str:
    """A word as a literal of ``to_tsquery``, in which operators have no meaning."""
    return "'" + word.replace("\\", "\\\\").replace("'", "''") + "'"
