"""Finds the categories that a file names: by path (``A > B``), by slug, or by a name that only one category has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from django.utils.translation import gettext as _

from shop_catalog.exceptions import InvalidProduct
from shop_catalog.models import Category

MOST_CANDIDATES = 5


class CategoryIndex:
    """All categories, read once.

    With ``creates=True`` a path that does not exist is collected in ``missing``, and slugs and single names are not
    searched: in the files of other shops a name without ``>`` is a category at the top.
    """

    def __init__(self, *, creates: bool = False) -> None:
        self.creates = creates
        self.missing: dict[str, None] = {}
        self.by_slug: dict[str, int] = {}
        self.by_path: dict[str, list[int]] = defaultdict(list)
        self.by_name: dict[str, list[int]] = defaultdict(list)
        self.paths: dict[int, str] = {}
        self.slugs: dict[int, str] = {}
        for pk, parent_id, slug, name in Category.objects.values_list("pk", "parent_id", "slug", "name"):
            path = f"{self.paths[parent_id]} > {name}" if parent_id in self.paths else name
            self.paths[pk], self.slugs[pk] = path, slug
            self.by_slug[slug] = pk
            self.by_path[_plain(path)].append(pk)
            self.by_name[_plain(name)].append(pk)

    def text_of(self, pk: int) -> str:
        """What ``find`` reads as this category only: its path, its slug, or its slug in brackets."""
        path, slug = self.paths[pk], self.slugs[pk]
        usual = (text for text in (path, slug) if "|" not in text and self._candidates(text.strip()) == [pk])
        return next(usual, f"({slug})")

    def count_missing(self) -> int:
        """The number of categories that the missing paths need."""
        parts = [path.split(" > ") for path in self.missing]
        needed = {" > ".join(names[:depth]) for names in parts for depth in range(1, len(names) + 1)}
        return sum(_plain(path) not in self.by_path for path in needed)

    def find(self, texts: Iterable[str]) -> list[int]:
        """The keys of the named categories, in their order, each once.

        Raises:
            InvalidProduct: one does not exist, or the text can mean several.
        """
        return list(dict.fromkeys(pk for text in texts for pk in self._find(text)))

    def _find(self, text: str) -> list[int]:
        found = self._candidates(text)
        if len(found) == 1:
            return found
        if found:
            raise InvalidProduct(self._ambiguous(text, found), field="categories")
        if self.creates:
            self.missing[_spaced(text)] = None
            return []
        parts = [part.strip() for part in text.split(",") if part.strip()]
        if len(parts) > 1 and all(len(self._candidates(part)) == 1 for part in parts):
            return [pk for part in parts for pk in self._candidates(part)]
        raise InvalidProduct(_("There is no category %(name)s.") % {"name": text}, field="categories")

    def _candidates(self, text: str) -> list[int]:
        exact = list(self.by_path.get(_plain(text), ()))
        if self.creates:
            return exact
        if text.startswith("(") and (bracketed := self.by_slug.get(text[1:-1])) is not None and text.endswith(")"):
            return [bracketed]
        if (by_slug := self.by_slug.get(text)) is not None and by_slug not in exact:
            exact.append(by_slug)
        return exact or list(self.by_name.get(_plain(text), ()))

    def _ambiguous(self, text: str, found: list[int]) -> str:
        shown = [f"{self.paths[pk]} ({self.slugs[pk]})" for pk in found[:MOST_CANDIDATES]]
        message = _("“%(name)s” can mean several categories. Write the slug in brackets instead: %(candidates)s.")
        return message % {"name": text, "candidates": ", ".join(shown)}


def _spaced(path: str) -> str:
    return " > ".join(part.strip() for part in path.split(">"))


def _plain(path: str) -> str:
    return _spaced(path).casefold()
