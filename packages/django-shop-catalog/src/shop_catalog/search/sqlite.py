"""Search on SQLite: words and SKUs of products in a full-text table (FTS5) with a trigram index."""

from __future__ import annotations

from typing import Any

from django.db.models import BooleanField, F, Func

from shop_catalog.search.by_words import WordSearch
from shop_catalog.search.matching import fts_query, sku_fts_query


class SqliteSearch(WordSearch):
    """Needs the table that migration 0002 creates, and SQLite 3.34 or newer with FTS5."""

    query = staticmethod(fts_query)
    code_query = staticmethod(sku_fts_query)

    def in_index(self, query: Any) -> Func:
        return Func(
            F("pk"),
            query,
            template="%(expressions)s)",
            arg_joiner=" IN (SELECT rowid FROM shop_catalog_search WHERE shop_catalog_search MATCH ",
            output_field=BooleanField(),
        )

    def in_skus(self, pattern: Any) -> None:  # noqa: ARG002
        """``fts_query`` has a condition for the parts of SKUs."""
        return
