"""The extension point: a search backend filters and ranks a queryset of products."""

from __future__ import annotations

import json
from collections.abc import Hashable
from functools import lru_cache
from typing import Any, NamedTuple

from django.db import connections, router
from django.db.models import Model, QuerySet
from django.utils.module_loading import import_string

from shop_catalog.conf import app_settings


class Group(NamedTuple):
    """Matches of the same relevance. They are listed newest first, after those of higher relevance.

    ``shape`` may omit some of very many matches. ``filtered_shape`` omits fewer, for a list with other filters: they
    might exclude all matches that ``shape`` finds.
    """

    shape: Hashable
    relevance: int
    filtered_shape: Hashable


class Prepared(NamedTuple):
    """A search whose SQL can be compiled once. ``shape`` decides the SQL text, ``values`` are the parameters.

    ``corrected`` is the text that is searched instead of the given one, or "". If there are ``groups``, a list by
    relevance shows one group after the other, and its matches are not ranked one by one. ``counted_shape`` finds all
    matches, for their count; ``None`` means that ``shape`` is as fast.
    """

    shape: Hashable
    values: dict[str, Any]
    corrected: str = ""
    groups: tuple[Group, ...] = ()
    counted_shape: Hashable = None


class SearchBackend:
    """Finds products by text. ``OPTIONS`` of the setting are the constructor's keywords."""

    def __init__(self, **options: Any) -> None:
        self.options = options

    def search(self, products: QuerySet[Any, Any], text: str) -> QuerySet[Any, Any]:
        """The products that match, annotated with ``relevance``: a whole number, higher is better.

        ``products`` has listed products only: no variants. A group is found by the words of its variants. The text
        may have any length and content. A text without words, such as "%", finds nothing.
        """
        raise NotImplementedError

    def best(self, products: QuerySet[Any, Any], text: str) -> QuerySet[Any, Any]:
        """As ``search``, for a list ordered by relevance. The least relevant of very many matches may be omitted."""
        return self.search(products, text)

    def corrected(self, text: str) -> str:  # noqa: ARG002
        """The text that ``search`` and ``best`` search instead, since no product matches the given one, or ""."""
        return ""

    def prepare(self, text: str) -> Prepared | None:  # noqa: ARG002
        """The arguments of ``narrow``, or ``None`` if the SQL of this backend cannot be compiled once."""
        return None

    def narrow(self, products: QuerySet[Any, Any], p: Any, shape: Any) -> QuerySet[Any, Any]:
        """``search``, or one of its groups, with ``p(name, field)`` in place of each prepared value.

        See ``shop_core.db.compiled.CompiledQuery``.
        """
        raise NotImplementedError

    def rank(self, p: Any, shape: Any) -> Any:
        """The ``relevance`` of ``narrow`` as an expression."""
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
    return _load(_BACKENDS.get(vendor, _BACKENDS["sqlite"]), "{}")


_BACKENDS = {
    "postgresql": "shop_catalog.search.postgres.PostgresSearch",
    "sqlite": "shop_catalog.search.sqlite.SqliteSearch",
}


@lru_cache(maxsize=8)
def _load(path: str, options: str) -> SearchBackend:
    made: SearchBackend = import_string(path)(**json.loads(options))
    return made
