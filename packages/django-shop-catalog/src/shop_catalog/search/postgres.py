"""Search on PostgreSQL: the words of products in a GIN index, their SKUs in another one by trigrams."""

from __future__ import annotations

from typing import Any

from django.db.models import BooleanField, F, Func

from shop_catalog.search.by_words import WordSearch
from shop_catalog.search.matching import sku_tsquery, tsquery


class PostgresSearch(WordSearch):
    """Needs the extension ``pg_trgm``, and the functions and indexes that migration 0002 creates."""

    query = staticmethod(tsquery)
    code_query = staticmethod(sku_tsquery)

    def in_index(self, query: Any) -> Func:
        return _compared("words", "@@", query, "::tsquery")

    def in_skus(self, pattern: Any) -> Func:
        return _compared("skus", "LIKE", pattern)


def _compared(indexed: str, operator: str, value: Any, cast: str = "") -> Func:
    """The comparison of an indexed part of the search text."""
    template = f"shop_catalog_search_{indexed}(%(expressions)s{cast}"
    return Func(F("search_text"), value, template=template, arg_joiner=f") {operator} ", output_field=BooleanField())
