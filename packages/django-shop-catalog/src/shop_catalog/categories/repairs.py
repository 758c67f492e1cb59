"""Finding and repairing faults of the category tree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from shop_catalog import bulk
from shop_catalog.categories import nested_sets
from shop_catalog.models import Category, write_gate


def check() -> list[nested_sets.Fault]:
    """List the faults of the tree; empty when there are none."""
    return nested_sets.find_faults(read_nodes())


@write_gate()
def repair() -> int:
    """Repair the tree: orphans and one category of each parent cycle become roots, and all nodes are numbered again.

    Returns how many categories were changed. Siblings keep the order of position and name.
    """
    nodes = read_nodes()
    new_roots = nested_sets.future_roots(nodes)
    Category.objects.filter(pk__in=new_roots).update(parent=None)
    nodes = [node._replace(parent_id=None) if node.id in new_roots else node for node in nodes]
    return len(new_roots.keys() | write_numbers(nodes, nested_sets.number(nodes)))


def read_nodes() -> list[nested_sets.TreeNode]:
    """All categories with their nested-set numbers, by primary key."""
    columns = ("pk", "parent_id", "position", "name", *nested_sets.NUMBERS)
    return [nested_sets.TreeNode(*values) for values in Category.objects.order_by("pk").values_list(*columns)]


def write_numbers(nodes: Iterable[nested_sets.TreeNode], numbers: Mapping[int, nested_sets.Numbers]) -> set[int]:
    """Write the numbers of existing categories where they differ. Returns the ids of those categories.

    Call it inside ``write_gate``, which locks the tree.
    """
    changed = {node.id: numbers[node.id] for node in nodes if numbers[node.id] != node.numbers}
    names = ("id", *nested_sets.NUMBERS)
    bulk.update(Category, names, ((pk, *new) for pk, new in changed.items()))
    return set(changed)
