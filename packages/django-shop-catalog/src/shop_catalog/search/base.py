"""The extension point: a search backend filters and ranks a queryset of products."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Hashable
from functools import lru_cache
from typing import Any, NamedTuple

from django.db import connections, router
from django.db.models import Model, QuerySet
from django.utils.module_loading import import_string

from shop_catalog.conf import app_settings


class Prepared(NamedTuple):
    """A search whose SQL can be compiled once. ``shape`` decides the SQL text, ``values`` are the parameters."""

    shape: Hashable
    values: dict[str, Any]


class SearchBackend:
    """Finds products by text. ``OPTIONS`` of the setting are the constructor's keywords."""

    def __init__(self, **options: Any) -> None:
        self.options = options

    def search(self, products: QuerySet[Any, Any], text: str) -> QuerySet[Any, Any]:
        """The products that match, annotated with ``relevance``: a whole number, higher is better.

        The ``search_text`` of a product is the text to search, as ``simplify`` returns it. The first line has name,
        SKU and attributes, for a group also those of its variants. The second line has the description.
        """
        raise NotImplementedError

    def best(self, products: QuerySet[Any, Any], text: str) -> QuerySet[Any, Any]:
        """As ``search``, for a list ordered by relevance. The least relevant of very many matches may be omitted."""
        return self.search(products, text)

    def prepare(self, text: str) -> Prepared | None:  # noqa: ARG002
        """The arguments of ``narrow``, or ``None`` if the SQL of this backend cannot be compiled once."""
        return None

    def narrow(self, products: QuerySet[Any, Any], p: Any, shape: Any, *, by_relevance: bool) -> QuerySet[Any, Any]:
        """``search`` or ``best`` with ``p(name, field)`` in place of each prepared value (see ``CompiledQuery``)."""
        raise NotImplementedError

    def suggest(self, products: QuerySet[Any, Any], text: str, *, limit: int) -> list[Any]:
        """The best matches, for suggestions while somebody types."""
        return list(self.best(products, text).order_by("-relevance", "-pk")[:limit])


def backend(model: type[Model]) -> SearchBackend:
    """The configured backend; without a setting, the one for the database of the model."""
    setting = app_settings.SEARCH
    if setting:
        return _load(setting["BACKEND"], json.dumps(setting.get("OPTIONS", {}), sort_keys=True))
    vendor = connections[router.db_for_read(model)].vendor
    if vendor == "postgresql":
        return _load("shop_catalog.search.postgres.PostgresSearch", "{}")
    return _load("shop_catalog.search.database.DatabaseSearch", "{}")


@lru_cache(maxsize=8)
def _load(path: str, options: str) -> SearchBackend:
    made: SearchBackend = import_string(path)(**json.loads(options))
    return made


def simplify(text: str) -> str:
    """Lower case, no accents, one space between words: "Blåbær  Té" becomes "blabaer te"."""
    if text.isascii():
        return " ".join(text.lower().split())
    decomposed = unicodedata.normalize("NFKD", text.casefold().replace("æ", "ae").replace("ø", "o"))
    return " ".join("".join(part for part in decomposed if not unicodedata.combining(part)).split())
