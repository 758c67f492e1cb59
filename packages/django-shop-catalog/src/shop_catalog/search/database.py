"""Search on any database: every word must occur."""

from __future__ import annotations

from typing import Any

from django.db.models import Case, IntegerField, QuerySet, Value, When

from shop_catalog.search.base import SearchBackend, simplify


class DatabaseSearch(SearchBackend):
    """Compares words as substrings. Names that begin with the text come first, then names that contain it."""

    def search(self, products: QuerySet[Any, Any], text: str) -> QuerySet[Any, Any]:
        simple = simplify(text)
        for word in simple.split():
            products = products.filter(search_text__contains=word)
        ranked: QuerySet[Any, Any] = products.annotate(
            relevance=Case(
                When(search_text__startswith=simple, then=Value(2)),
                When(name__icontains=text, then=Value(1)),
                default=Value(0),
                output_field=IntegerField(),
            )
        )
        return ranked
