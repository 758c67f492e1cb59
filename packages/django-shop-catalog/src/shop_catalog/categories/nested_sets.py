"""Nested sets: computing the numbers from parents and sibling order, and finding faults in them.

Pure functions over plain rows: they use neither the database nor django-mptt.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple


class TreeNode(NamedTuple):
    """The columns of a category that place it in the tree. Siblings are ordered by ``position``, then ``name``."""

    id: int
    parent_id: int | None
    position: int
    name: str
    tree_id: int
    lft: int
    rght: int
    level: int

    @property
    def numbers(self) -> Numbers:
        return Numbers(self.tree_id, self.lft, self.rght, self.level)


class Numbers(NamedTuple):
    tree_id: int
    lft: int
    rght: int
    level: int


NUMBERS = ("tree_id", "lft", "rght", "level")


class Fault(NamedTuple):
    """A fault of one category: its id, a stable code and a sentence."""

    id: int
    code: str
    message: str


def future_roots(nodes: Iterable[TreeNode]) -> dict[int, str]:
    """Categories that become roots in a repair: ``orphan`` (unknown parent), ``cycle`` (lowest id in a cycle)."""
    parents = {row.id: row.parent_id for row in nodes}
    new_roots = {node: "orphan" for node, parent in parents.items() if parent is not None and parent not in parents}
    settled: set[int | None] = {None, *new_roots}
    for start in sorted(parents):
        path: list[int] = []
        seen: set[int] = set()
        node: int | None = start
        while node is not None and node not in settled and node not in seen:
            path.append(node)
            seen.add(node)
            node = parents[node]
        if node is not None and node in seen:
            new_roots[min(path[path.index(node) :])] = "cycle"
        settled.update(path)
    return new_roots


def number(nodes: Iterable[TreeNode]) -> dict[int, Numbers]:
    """The nested-set numbers that follow from the parents and the order of siblings. There must be no parent cycle."""
    children: defaultdict[int | None, list[TreeNode]] = defaultdict(list)
    for row in nodes:
        children[row.parent_id].append(row)
    for siblings in children.values():
        siblings.sort(key=lambda row: (row.position, row.name, row.id))
    numbers: dict[int, Numbers] = {}
    for tree_id, root in enumerate(children[None], start=1):
        _number_tree(root, tree_id, children, numbers)
    return numbers


def _number_tree(
    root: TreeNode, tree_id: int, children: Mapping[int | None, Sequence[TreeNode]], numbers: dict[int, Numbers]
) -> None:
    """Number the nodes of a tree, without recursion, so that its depth has no limit."""
    counter = 1
    opened: dict[int, int] = {root.id: counter}
    stack: list[tuple[int, Iterator[TreeNode]]] = [(root.id, iter(children.get(root.id, ())))]
    while stack:
        node, rest = stack[-1]
        child = next(rest, None)
        counter += 1
        if child is not None:
            opened[child.id] = counter
            stack.append((child.id, iter(children.get(child.id, ()))))
            continue
        stack.pop()
        numbers[node] = Numbers(tree_id, opened[node], counter, len(stack))


def find_faults(rows: Sequence[TreeNode]) -> list[Fault]:
    """All faults of a tree, the worst first. Empty when there are none."""
    new_roots = future_roots(rows)
    faults = [
        Fault(
            node,
            code,
            f"Category {node} has a parent that does not exist."
            if code == "orphan"
            else f"Category {node} is its own ancestor.",
        )
        for node, code in sorted(new_roots.items())
    ]
    by_id = {row.id: row for row in rows}
    descendants = _count_descendants(rows, new_roots)
    bounds: dict[tuple[int, int], int] = {}
    roots: dict[int, int] = {}
    for row in rows:
        parent = by_id.get(row.parent_id) if row.parent_id is not None and row.id not in new_roots else None
        faults += _row_faults(row, parent, descendants.get(row.id))
        for bound in (row.lft, row.rght):
            other = bounds.setdefault((row.tree_id, bound), row.id)
            if other != row.id:
                faults.append(
                    Fault(row.id, "shared_bound", f"Category {row.id} shares the bound {bound} with {other}.")
                )
        if row.parent_id is None:
            other = roots.setdefault(row.tree_id, row.id)
            if other != row.id:
                faults.append(Fault(row.id, "shared_tree", f"Root {row.id} shares tree {row.tree_id} with {other}."))
    return faults


def _row_faults(row: TreeNode, parent: TreeNode | None, descendants: int | None) -> Iterator[Fault]:
    if row.lft >= row.rght:
        yield Fault(row.id, "bounds", f"Category {row.id} has its right bound before its left one.")
    elif descendants is not None and row.rght - row.lft != 2 * descendants + 1:
        yield Fault(
            row.id, "width", f"Category {row.id} has {descendants} descendants, which its bounds do not match."
        )
    if parent is None:
        if row.parent_id is None and (row.level != 0 or row.lft != 1):
            yield Fault(row.id, "root", f"Root {row.id} does not have level 0 and left bound 1.")
        return
    if row.tree_id != parent.tree_id:
        yield Fault(row.id, "tree", f"Category {row.id} is in another tree than its parent.")
    elif not parent.lft < row.lft < row.rght < parent.rght:
        yield Fault(row.id, "outside", f"Category {row.id} lies outside its parent's bounds.")
    if row.level != parent.level + 1:
        yield Fault(row.id, "level", f"Category {row.id} has level {row.level}, but its parent {parent.level}.")


def _count_descendants(rows: Sequence[TreeNode], new_roots: Mapping[int, str]) -> dict[int, int]:
    """The number of descendants of each category, counted from ``parent_id``. Empty if there is a parent cycle."""
    if "cycle" in new_roots.values():
        return {}
    parents = {row.id: None if row.id in new_roots else row.parent_id for row in rows}
    counts = dict.fromkeys(parents, 0)
    for parent in parents.values():
        ancestor = parent
        while ancestor is not None:
            counts[ancestor] += 1
            ancestor = parents[ancestor]
    return counts
