"""The category tree as every process keeps it: read whole once per version, then walked in memory."""

from __future__ import annotations

import threading
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from django.core.files.storage import Storage
from django.db.models import QuerySet, Subquery
from pydantic_core import to_json

from shop_catalog.hot_query import HotQuery
from shop_catalog.models import Category, CategoryTreeVersion, write_gate
from shop_catalog.models.image import RENDITION_WIDTHS, rendition_name

MAX_DEPTH = 64


class Node(NamedTuple):
    """A category without its text. ``is_visible``: it and all above it are active.

    ``image`` is the URL of its picture or empty, ``renditions`` those of the smaller copies by their name.
    """

    id: int
    parent_id: int | None
    slug: str
    name: str
    image: str
    level: int
    is_active: bool
    is_visible: bool
    renditions: Mapping[str, str]

    @property
    def picture(self) -> dict[str, Any] | None:
        """The picture as answers show it."""
        return {"url": self.image, "renditions": self.renditions} if self.image else None


class CategoryTree:
    """The tree at one version. Immutable; share it freely."""

    def __init__(self, version: uuid.UUID, rows: Iterable[tuple[Any, ...]], storage: Storage) -> None:
        self.version = version
        self.nodes: dict[int, Node] = {}
        self.children: defaultdict[int | None, list[Node]] = defaultdict(list)
        for pk, parent_id, slug, name, image, has_renditions, level, is_active in rows:
            parent = self.nodes.get(parent_id)
            is_visible = is_active and (parent.is_visible if parent is not None else parent_id is None)
            url = storage.url(image) if image else ""
            renditions = _rendition_urls(storage, image, has_renditions=has_renditions) if image else {}
            node = Node(pk, parent_id, slug, name, url, level, is_active, is_visible, renditions)
            self.nodes[pk] = node
            self.children[parent_id].append(node)
        self.by_slug = {node.slug: node for node in self.nodes.values()}
        self.answer = lru_cache(maxsize=128)(self._answer)

    def path(self, category_id: int) -> list[Node]:
        """From the root to the category, for breadcrumbs; empty if it is unknown."""
        path: list[Node] = []
        node = self.nodes.get(category_id)
        while node is not None:
            path.append(node)
            node = self.nodes.get(node.parent_id) if node.parent_id is not None else None
        return path[::-1]

    def walk(self, parent_id: int | None = None) -> Iterator[Node]:
        """All below a category in tree order."""
        for node in self.children.get(parent_id, ()):
            yield node
            yield from self.walk(node.id)

    def _answer(self, root: str = "", depth: int = MAX_DEPTH) -> bytes | None:
        """The visible tree as nested JSON, from the roots or below one category; ``None`` for an unknown root."""
        if not root:
            return to_json([self._nested(node, depth) for node in self.children.get(None, ()) if node.is_visible])
        node = self.by_slug.get(root)
        if node is None or not node.is_visible:
            return None
        return to_json([self._nested(node, depth)])

    def _nested(self, node: Node, depth: int) -> dict[str, Any]:
        children = self.children.get(node.id, ()) if depth > 1 else ()
        return {
            "name": node.name,
            "slug": node.slug,
            "level": node.level,
            "image": node.picture,
            "children": [self._nested(child, depth - 1) for child in children if child.is_visible],
        }


_trees: dict[str, CategoryTree] = {}
_building = threading.Lock()


def current() -> CategoryTree:
    """The tree as it is now: one small statement, and a second one after a change."""
    return at_version(version())


def version() -> uuid.UUID:
    """The tree's version, which changes in the transaction of every change."""
    rows = _VERSION.rows()
    if not rows:
        with write_gate():
            pass
        rows = _VERSION.rows()
    value: uuid.UUID = rows[0][0]
    return value


def at_version(version: uuid.UUID) -> CategoryTree:
    """The tree for a version that was just read. It is read after the version, so it is never older."""
    alias = Category.objects.db
    tree = _trees.get(alias)
    if tree is None or tree.version != version:
        with _building:
            tree = _trees.get(alias)
            if tree is None or tree.version != version:
                tree = CategoryTree(version, _NODES.rows(), Category._meta.get_field("image").storage)
                _trees[alias] = tree
    return tree


def _rendition_urls(storage: Storage, name: str, *, has_renditions: bool) -> dict[str, str]:
    """URLs of the smaller copies; of the picture itself where none was made."""
    return {
        rendition: storage.url(rendition_name(name, rendition) if has_renditions else name)
        for rendition in RENDITION_WIDTHS
    }


def version_expression() -> Subquery:
    """The tree's version as a column of another statement."""
    return Subquery(CategoryTreeVersion.objects.filter(pk=1).values("version"))


def _build_version(_p: Any) -> QuerySet[Any, Any]:
    return CategoryTreeVersion.objects.filter(pk=1).values_list("version")


def _build_nodes(_p: Any) -> QuerySet[Any, Any]:
    columns = ("pk", "parent_id", "slug", "name", "image", "has_renditions", "level", "is_active")
    rows: QuerySet[Any, Any] = Category.objects.values_list(*columns)
    return rows


_VERSION = HotQuery(CategoryTreeVersion, _build_version)
_NODES = HotQuery(Category, _build_nodes)
