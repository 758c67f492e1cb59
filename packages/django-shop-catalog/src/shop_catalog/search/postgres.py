"""Search on PostgreSQL: full text, and where that finds nothing, words that are spelt alike."""

from __future__ import annotations

import re
from typing import Any

from django.db import connections, router
from django.db.models import BooleanField, F, FloatField, Func, IntegerField, QuerySet, TextField, Value
from django.db.models.functions import Cast

from shop_catalog.models import Product
from shop_catalog.search.base import Prepared, SearchBackend, simplify

CANDIDATES = 10_000
"""Of a word that more products have than this, so many are ranked: ranking all would cost more with every product."""

ALIKE = 200
"""Products with words that are spelt alike; those that are spelt least alike are left out."""

VECTOR = "to_tsvector('simple', %(expressions)s)"
"""As in the index of migration 0002; "simple" keeps SKUs and any language's words as they are."""

FIRST_LINE = "split_part(%(expressions)s, E'\\n', 1)"
"""Name, SKU and attributes: what is found there counts more than what is found in the description."""

WORDS, SPELT_ALIKE = "words", "alike"


class PostgresSearch(SearchBackend):
    """Full text with word beginnings, ranked by what stands in the name, SKU and attributes.

    Where no product has all the words, those with words that are spelt alike: "blu teapt" finds the blue teapot. Needs
    the extension ``pg_trgm`` and the functions that migration 0002 creates.
    """

    def search(self, products: QuerySet[Any, Any], text: str) -> QuerySet[Any, Any]:
        return self._now(products, text, is_best=False)

    def best(self, products: QuerySet[Any, Any], text: str) -> QuerySet[Any, Any]:
        return self._now(products, text, is_best=True)

    def prepare(self, text: str) -> Prepared:
        words = simplify(text).split()
        query = " & ".join(f"{_quoted(word)}:*" for word in words)
        with connections[router.db_for_read(Product)].cursor() as cursor:
            cursor.execute("SELECT shop_catalog_known(%s)", [query])
            [is_known] = cursor.fetchone()
        if not is_known:
            words = sorted(re.findall(r"\w+", simplify(text)), key=len, reverse=True)
            values = {f"word{index}": word for index, word in enumerate(words)}
            return Prepared((SPELT_ALIKE, len(words)), {"search_words": " ".join(words), **values})
        values = {f"word{index}": f" {word}" for index, word in enumerate(words)}
        return Prepared((WORDS, len(words)), {"search_query": query, "search_phrase": f" {' '.join(words)}", **values})

    def narrow(self, products: QuerySet[Any, Any], p: Any, shape: Any, *, is_best: bool) -> QuerySet[Any, Any]:
        kind, number = shape
        words = [p(f"word{index}", TextField()) for index in range(number)]
        if kind == SPELT_ALIKE:
            return self._alike(products, p("search_words", TextField()), words)
        found = products.filter(_has_words(p("search_query", TextField())))
        if is_best:
            found = Product.objects.filter(pk__in=found.order_by().values("pk")[:CANDIDATES])
        ranked: QuerySet[Any, Any] = found.annotate(relevance=_rank(p("search_phrase", TextField()), words))
        return ranked

    def _now(self, products: QuerySet[Any, Any], text: str, *, is_best: bool) -> QuerySet[Any, Any]:
        shape, values = self.prepare(text)
        return self.narrow(products, lambda name, field: Value(values[name], field), shape, is_best=is_best)

    def _alike(self, products: QuerySet[Any, Any], text: Any, words: list[Any]) -> QuerySet[Any, Any]:
        is_alike = Func(
            F("pk"),
            text,
            template=f"%(expressions)s, ' '), {ALIKE}))",
            arg_joiner=" IN (SELECT id FROM shop_catalog_alike(string_to_array(",
            output_field=BooleanField(),
        )
        score: Any = Value(0.0)
        for word in words:
            for place in (_first_line(), F("search_text")):
                score += Func(word, place, function="word_similarity", output_field=FloatField())
        # A whole number, so that a page can begin exactly where another ended.
        ranked: QuerySet[Any, Any] = products.filter(is_alike).annotate(
            relevance=Cast(score * 1_000_000, IntegerField())
        )
        return ranked


def _has_words(query: Any) -> Func:
    query = Func(query, template="to_tsquery('simple', %(expressions)s)", output_field=TextField())
    vector = Func(F("search_text"), template=VECTOR, output_field=TextField())
    return Func(vector, query, template="%(expressions)s", arg_joiner=" @@ ", output_field=BooleanField())


def _rank(phrase: Any, words: list[Any]) -> Any:
    """Words in the first line count most, then the words in this order, then at its very beginning."""
    line = Func(_first_line(), template="(' ' || %(expressions)s)", output_field=TextField())
    rank = _holds(line, phrase) * 20 + _begins(line, phrase) * 50
    for word in words:
        rank += _holds(line, word) * 100
    return rank


def _holds(line: Any, text: Any) -> Func:
    return Func(line, text, template="(strpos(%(expressions)s) > 0)::integer", output_field=IntegerField())


def _begins(line: Any, text: Any) -> Func:
    return Func(line, text, template="starts_with(%(expressions)s)::integer", output_field=IntegerField())


def _first_line() -> Func:
    return Func(F("search_text"), template=FIRST_LINE, output_field=TextField())


def _quoted(word: str) -> str:
    """A word as a literal of ``to_tsquery``, so that no operator in it is read as one."""
    return "'" + word.replace("\\", "\\\\").replace("'", "''") + "'"
