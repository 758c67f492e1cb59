"""Finding rows by parts of texts in tables with millions of rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError

MOST_COUNTED = 10_000
MOST_FOUND = 1_000
SHORTEST = 3
"""Letters of a part of a text that PostgreSQL's index of trigrams can find."""


def keys_found(model: Any, lookups: Mapping[str, str]) -> set[Any]:
    """The keys of the rows that match one of the lookups, at most the ``MOST_FOUND`` newest of each.

    A part of a text (``contains``, ``icontains``) of fewer than ``SHORTEST`` letters is in no index; it is looked for
    in the newest ``MOST_COUNTED`` rows. A text that a lookup cannot take, such as a word for a UUID, matches nothing.
    """
    found: set[Any] = set()
    newest = model._default_manager.order_by("-pk")
    for lookup, text in lookups.items():
        rows = newest
        if len(text) < SHORTEST and lookup.endswith("contains"):
            oldest = newest.values_list("pk", flat=True)[MOST_COUNTED : MOST_COUNTED + 1].first()
            rows = newest.filter(pk__gt=oldest) if oldest is not None else newest
        try:
            found.update(rows.filter(**{lookup: text}).values_list("pk", flat=True)[:MOST_FOUND])
        except (ValidationError, ValueError):
            continue
    return found
