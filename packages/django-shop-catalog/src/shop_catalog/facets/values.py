"""The values of the counted attributes, and their facets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from shop_catalog.bulk.queries import insert
from shop_catalog.conf import app_settings
from shop_catalog.facets import queries
from shop_catalog.facets.terms import attribute_term
from shop_catalog.models import FacetValue, ProductTerms

MAX_NAMES = 20
MAX_VALUES = 300
"""The maximum number of values of one attribute that are counted individually. Further values are counted together."""

MAX_LENGTH = 100
"""Longer texts are not counted individually."""


class Pair(NamedTuple):
    name: str
    text: str


def counted_names() -> list[str]:
    """The names of the attributes that are counted."""
    return list(app_settings.FACETS)[:MAX_NAMES]


def facets_of(pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """The facets of attributes with a value: its term, or that of all values beyond the limit.

    Unknown values are stored, up to the limit.
    """
    names = set(counted_names())
    wanted = {Pair(*pair): attribute_term(*pair) for pair in pairs if pair[0] in names}
    if not wanted:
        return {}
    known = queries.known_keys(list(wanted.values()))
    if missing := {pair: key for pair, key in wanted.items() if key not in known}:
        known |= _store(missing, names)
    return {pair: key if key in known else attribute_term(pair.name, None) for pair, key in wanted.items()}


def store_names() -> None:
    """Store a row for the further values of each counted attribute."""
    _store({}, set(counted_names()))


def _store(missing: Mapping[Pair, int], names: set[str]) -> set[int]:
    """Insert values, and return their keys. No writer waits for another one, as two may insert the same value."""
    room = {name: MAX_VALUES + 1 - count for name, count in queries.value_counts().items()}
    rows: list[tuple[int, str, str | None, bool]] = []
    if new_names := names - room.keys():
        is_complete = not ProductTerms.objects.exists()
        rows += [(attribute_term(name, None), name, None, is_complete) for name in new_names]
    added: defaultdict[str, int] = defaultdict(int)
    for pair, key in sorted(missing.items()):
        if added[pair.name] < room.get(pair.name, MAX_VALUES) and len(pair.text) <= MAX_LENGTH:
            added[pair.name] += 1
            rows.append((key, pair.name, pair.text, True))
    insert(FacetValue, ("key", "name", "value", "is_complete"), rows)
    return {key for key, *_columns in rows}
