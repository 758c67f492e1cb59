"""The report of an import of products."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID, uuid4

MAX_ERRORS = 1000
"""Errors listed in a report; the rest are only counted."""


@dataclass
class RowError:
    """One fault of a row. A row may have several.

    ``row`` is the number that a spreadsheet shows; ``column`` and ``value`` are as in the file.
    """

    row: int
    sku: str
    field: str
    code: str
    reason: str
    column: str = ""
    value: str = ""


@dataclass
class Report:
    """The result of an import, or of a dry run.

    ``rows``: the rows of the file. ``created`` and ``updated``: products that were written, or that would be.
    ``failed``: rows with errors. ``repeated``: rows whose SKU is in a later row too. ``pictures``: pictures that
    are to be fetched; ``images.count_fetches(import_id)`` says how many were.
    """

    rows: int = 0
    created: int = 0
    updated: int = 0
    failed: int = 0
    repeated: int = 0
    pictures: int = 0
    new_categories: int = 0
    is_written: bool = False
    import_id: UUID = field(default_factory=uuid4)
    errors: list[RowError] = field(default_factory=list)

    @property
    def written(self) -> int:
        """The number of products that were written."""
        return self.created + self.updated if self.is_written else 0
