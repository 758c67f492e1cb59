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

    def in_index(self, query: Any, *, limit: int) -> Func:
        return _found("shop_catalog_search_words(search_text) @@", query, f"::tsquery LIMIT {limit}")

    def in_skus(self, pattern: Any, *, limit: int) -> Func:
        return _found("shop_catalog_search_skus(search_text) LIKE", pattern, f" LIMIT {limit}")


def _found(condition: str, value: Any, end: str) -> Func:
    """Whether a product is one of those that the index finds.

    PostgreSQL fills the array first, by the index. Given a plain condition, it would read the list in its order and
    compare row by row, since it assumes that every word is frequent.
    """
    return Func(
        F("pk"),
        value,
        template=f"%(expressions)s{end}))",
        arg_joiner=f" = ANY (ARRAY (SELECT id FROM shop_catalog_product WHERE {condition} ",  # noqa: S608
        output_field=BooleanField(),
    )
