"""Search on PostgreSQL: the words of products in a GIN index, their SKUs in another one by trigrams."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import BooleanField, F, Func, QuerySet

from shop_catalog.search.by_words import WordSearch
from shop_catalog.search.matching import sku_tsquery, tsquery


class PostgresSearch(WordSearch):
    """Needs the extension ``pg_trgm``, and the functions and indexes that migration 0002 creates."""

    query = staticmethod(tsquery)
    code_query = staticmethod(sku_tsquery)

    def in_index(self, products: QuerySet[Any, Any], query: Any, *, limit: int | None) -> Func:
        return _in_first(products, _compared("words", "@@", query, "::tsquery"), limit=limit)

    def in_skus(self, products: QuerySet[Any, Any], pattern: Any, *, limit: int) -> Func:
        return _in_first(products, _compared("skus", "LIKE", pattern), limit=limit)


def _compared(indexed: str, operator: str, value: Any, cast: str = "") -> Func:
    """The comparison of an indexed part of the search text."""
    template = f"shop_catalog_search_{indexed}(%(expressions)s{cast}"
    return Func(F("search_text"), value, template=template, arg_joiner=f") {operator} ", output_field=BooleanField())


def _in_first(products: QuerySet[Any, Any], is_found: Func, *, limit: int | None) -> Func:
    """Whether a product is one of the first of ``products`` that the index finds.

    PostgreSQL fills the array first, by the index. Given a plain condition, it would read the list in its order and
    compare row by row, since it assumes that every word is frequent.
    """
    keys = ArraySubquery(products.filter(is_found).order_by().values("pk")[:limit])
    return Func(F("pk"), keys, template="%(expressions)s)", arg_joiner=" = ANY (", output_field=BooleanField())
