"""The compiled statement of the category tree."""

from __future__ import annotations

import uuid
from typing import Any, NamedTuple

from django.db.models import QuerySet, Subquery
from shop_core.db.compiled import CompiledQuery

from shop_catalog.models import CategoryTreeVersion


class TreeVersion(NamedTuple):
    version: uuid.UUID


def tree_version() -> uuid.UUID | None:
    """The version of the tree, ``None`` before the first write."""
    row = _VERSION.first()
    return row.version if row is not None else None


def version_expression() -> Subquery:
    """The tree's version as a column of another statement."""
    return Subquery(CategoryTreeVersion.objects.filter(pk=1).values("version"))


def _build_version(_p: Any) -> QuerySet[Any, Any]:
    return CategoryTreeVersion.objects.filter(pk=1).values_list("version")


_VERSION = CompiledQuery(CategoryTreeVersion, _build_version, row=TreeVersion, reads=True)
