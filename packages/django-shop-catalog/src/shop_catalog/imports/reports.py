"""The report of an import of products."""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_ERRORS = 1000
"""Errors listed in a report; the rest are only counted."""


@dataclass
class RowError:
    """The first error of one row."""

    row: int
    sku: str
    field: str
    code: str
    reason: str


@dataclass
class Report:
    """The result of an import, or of a dry run. With errors and ``on_error="stop"`` nothing was written."""

    rows: int = 0
    created: int = 0
    updated: int = 0
    failed: int = 0
    is_written: bool = True
    errors: list[RowError] = field(default_factory=list)

    def add(self, error: RowError) -> None:
        self.failed += 1
        if len(self.errors) < MAX_ERRORS:
            self.errors.append(error)

    def merge(self, chunk: Report) -> None:
        """Add the counts and errors of one chunk."""
        self.created += chunk.created
        self.updated += chunk.updated
        for error in chunk.errors:
            self.add(error)
