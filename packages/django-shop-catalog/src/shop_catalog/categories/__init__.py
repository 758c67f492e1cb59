"""The category tree: changing it, checking it, and the copy of it that each process keeps in memory.

Every change locks the whole tree with ``models.write_gate``, so that concurrent writers cannot corrupt it.
"""

from shop_catalog.categories.cached_tree import CategoryTree, Node, current_tree, tree_at, tree_version
from shop_catalog.categories.editing import change, create, delete, get, move, reorder
from shop_catalog.categories.repairs import check, repair

__all__ = [
    "CategoryTree",
    "Node",
    "change",
    "check",
    "create",
    "current_tree",
    "delete",
    "get",
    "move",
    "reorder",
    "repair",
    "tree_at",
    "tree_version",
]
