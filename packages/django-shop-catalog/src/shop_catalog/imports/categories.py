"""Categories from a list of indented lines, or of ``A > B > C``: the format of the Google product taxonomy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

from django.utils.translation import gettext as _

from shop_catalog import bulk
from shop_catalog.categories import nested_sets
from shop_catalog.categories.repairs import write_numbers
from shop_catalog.models import Category, write_gate
from shop_catalog.slugs import MAX_LENGTH, RESERVED, slug_of, unused_slug

MAX_NAME = 200
COLUMNS = ("name", "slug", "parent", "description", "image", "is_active", "position")

Path = tuple[str, ...]
"""The names from the root to a category."""


class NewCategory(NamedTuple):
    slug: str
    position: int


@dataclass
class CategoryReport:
    """The result of an import of categories: lines read, categories created, errors by line number."""

    lines: int = 0
    created: int = 0
    errors: list[tuple[int, str]] = field(default_factory=list)


@write_gate()
def import_categories(lines: Iterable[str], *, dry_run: bool = False) -> CategoryReport:
    """Add the categories that are missing, in the order of the file, after the existing ones.

    Runs in one transaction, which locks the tree. The tree's numbers are computed in memory and written in chunks.
    """
    report = CategoryReport()
    known, rows = _existing()
    slugs = {*RESERVED["category"], *Category.objects.values_list("slug", flat=True)}
    fresh: dict[Path, NewCategory] = {}
    positions = count(max((row.position for row in rows), default=-1) + 1)
    for path in _paths(lines, report):
        for part in _missing(path, known, fresh):
            slug = _slug(part, slugs)
            slugs.add(slug)
            fresh[part] = NewCategory(slug, next(positions))
    report.created = len(fresh)
    if fresh and not dry_run:
        _write(fresh, known, rows)
    return report


def _existing() -> tuple[dict[Path, int], list[nested_sets.TreeNode]]:
    """The categories by their path of names, and the tree's rows."""
    columns = ("pk", "parent_id", "position", "name", *nested_sets.NUMBERS)
    rows = [nested_sets.TreeNode(*values) for values in Category.objects.values_list(*columns)]
    paths: dict[int, Path] = {}
    for row in rows:
        above = paths.get(row.parent_id, ()) if row.parent_id is not None else ()
        paths[row.id] = (*above, row.name)
    return {path: pk for pk, path in paths.items()}, rows


def _paths(lines: Iterable[str], report: CategoryReport) -> Iterator[Path]:
    """Each line as a path of names. Empty lines and those that begin with # are skipped."""
    above: list[tuple[int, str]] = []
    for number, line in enumerate(lines, start=1):
        text = line.rstrip().lstrip("\ufeff")
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        report.lines += 1
        if ">" in text:
            names = tuple(name.strip() for name in text.split(">"))
        else:
            indent = len(text) - len(text.lstrip())
            while above and above[-1][0] >= indent:
                above.pop()
            above.append((indent, text.strip()))
            names = tuple(name for _indent, name in above)
        problem = _problem(names)
        if problem:
            report.errors.append((number, problem))
        else:
            yield names


def _missing(path: Path, *known: Mapping[Path, object]) -> list[Path]:
    """The categories of a path that do not exist yet. Looks from the end, since most parents exist."""
    missing: list[Path] = []
    while path and not any(path in paths for paths in known):
        missing.append(path)
        path = path[:-1]
    return missing[::-1]


def _problem(names: Path) -> str:
    if not all(names):
        return _("A name between two > is missing.")
    if any(len(name) > MAX_NAME for name in names):
        return _("A name is longer than 200 characters.")
    if any("\0" in name for name in names):
        return _("A name contains a NUL character.")
    return ""


def _slug(path: Path, taken: set[str]) -> str:
    """The slug of the name; if it is taken, with the parent's name before it."""
    stem = slug_of(path[-1])[: MAX_LENGTH - 10] or "category"
    if stem in taken and len(path) > 1:
        stem = slug_of(f"{path[-2]} {path[-1]}")[: MAX_LENGTH - 10]
    return unused_slug(stem, taken)


def _write(fresh: Mapping[Path, NewCategory], known: Mapping[Path, int], rows: list[nested_sets.TreeNode]) -> None:
    """Number the whole tree with temporary keys, then write it level by level: a row needs its parent's real key."""
    keys = dict(known)
    keys |= {path: -number for number, path in enumerate(fresh, start=1)}
    unnumbered = [
        nested_sets.TreeNode(keys[path], keys.get(path[:-1]), new.position, path[-1], 0, 0, 0, 0)
        for path, new in fresh.items()
    ]
    numbers = nested_sets.number([*rows, *unnumbered])
    write_numbers(rows, numbers)
    for depth in range(1, max(map(len, fresh)) + 1):
        level = {path: new for path, new in fresh.items() if len(path) == depth}
        bulk.insert(
            Category,
            (*COLUMNS, *nested_sets.NUMBERS),
            (
                (path[-1], new.slug, keys.get(path[:-1]), "", "", True, new.position, *numbers[keys[path]])
                for path, new in level.items()
            ),
        )
        pks = dict(Category.objects.filter(level=depth - 1).values_list("slug", "pk"))
        keys |= {path: pks[new.slug] for path, new in level.items()}
    bulk.analyse(Category)
