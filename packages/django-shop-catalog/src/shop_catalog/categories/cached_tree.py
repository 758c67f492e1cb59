"""The category tree in memory: each process reads it once per version."""

from __future__ import annotations

import threading
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from django.core.files.storage import Storage
from pydantic_core import to_json

from shop_catalog.categories import queries
from shop_catalog.conf import app_settings
from shop_catalog.models import Category
from shop_catalog.models.image import image_srcset, image_url

MAX_DEPTH = 64


class Node(NamedTuple):
    """A category without its description. ``is_visible``: the category and all its ancestors are active.

    ``image`` is the URL of its image or empty; ``renditions`` has the URLs of the smaller copies by name. ``srcset``
    has all of them with their widths, for HTML.
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
    srcset: str = ""

    @property
    def picture(self) -> dict[str, Any] | None:
        """The image as the API returns it."""
        return {"url": self.image, "renditions": self.renditions} if self.image else None


class _Row(NamedTuple):
    """The columns of a category that the tree keeps."""

    id: int
    parent_id: int | None
    slug: str
    name: str
    image: str
    renditions: str
    level: int
    is_active: bool


class CategoryTree:
    """The tree at one version. It is immutable, so threads can share it."""

    def __init__(self, version: uuid.UUID, rows: Iterable[_Row], storage: Storage) -> None:
        self.version = version
        self.nodes: dict[int, Node] = {}
        self.children: defaultdict[int | None, list[Node]] = defaultdict(list)
        for row in rows:
            node = self._node(row, storage)
            self.nodes[row.id] = node
            self.children[row.parent_id].append(node)
        self.by_slug = {node.slug: node for node in self.nodes.values()}
        self.nested_json = lru_cache(maxsize=128)(self._nested_json)

    def path(self, category_id: int) -> list[Node]:
        """From the root to the category, for breadcrumbs; empty if it is unknown."""
        path: list[Node] = []
        node = self.nodes.get(category_id)
        while node is not None:
            path.append(node)
            node = self.nodes.get(node.parent_id) if node.parent_id is not None else None
        return path[::-1]

    def walk(self, parent_id: int | None = None) -> Iterator[Node]:
        """All descendants of a category in tree order."""
        waiting = list(reversed(self.children.get(parent_id, ())))  # no recursion: the tree has any depth
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(self.children.get(node.id, ())))

    def _node(self, row: _Row, storage: Storage) -> Node:
        parent = self.nodes.get(row.parent_id) if row.parent_id is not None else None
        is_visible = row.is_active and (parent.is_visible if parent is not None else row.parent_id is None)
        image, renditions, srcset = "", {}, ""
        if row.image:
            image = storage.url(row.image)
            renditions = {
                name: image_url(row.image, name, made=row.renditions) for name in app_settings.RENDITION_WIDTHS
            }
            srcset = image_srcset(row.image, made=row.renditions)
        return Node(
            *(row.id, row.parent_id, row.slug, row.name, image, row.level, row.is_active, is_visible),
            renditions,
            srcset,
        )

    def _nested_json(self, root: str = "", depth: int = MAX_DEPTH) -> bytes | None:
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


NEVER_WRITTEN = uuid.UUID(int=0)
"""The version while no category was ever written. Its tree is not cached, and reading it writes nothing."""
_trees: dict[str, CategoryTree] = {}
_building = threading.Lock()


def current_tree() -> CategoryTree:
    """The tree as it is now: one small statement, and a second one after a change."""
    return tree_at(tree_version())


def tree_version() -> uuid.UUID:
    """The tree's version, which changes in the transaction of every change."""
    return queries.tree_version() or NEVER_WRITTEN


def tree_at(version: uuid.UUID) -> CategoryTree:
    """Return the tree for a version that was just read. Its rows are read after the version, so they are not older."""
    if version == NEVER_WRITTEN:
        return CategoryTree(version, _read_rows(), Category._meta.get_field("image").storage)
    alias = Category.objects.db
    tree = _trees.get(alias)
    if tree is None or tree.version != version:
        with _building:
            tree = _trees.get(alias)
            if tree is None or tree.version != version:
                tree = CategoryTree(version, _read_rows(), Category._meta.get_field("image").storage)
                _trees[alias] = tree
    return tree


def _read_rows() -> list[_Row]:
    """All categories, parents before their children."""
    columns = ("pk", "parent_id", "slug", "name", "image", "renditions", "level", "is_active")
    return [_Row(*values) for values in Category.objects.values_list(*columns)]
