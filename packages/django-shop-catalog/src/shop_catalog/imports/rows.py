"""A row of an import: the values of the catalogue's fields, and the faults of its cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class Fault(NamedTuple):
    """One fault of a row. ``column`` and ``value`` are as in the file."""

    field: str
    code: str
    reason: str
    column: str = ""
    value: str = ""


class Picture(NamedTuple):
    """A picture of a product, by its address."""

    address: str
    alt: str = ""


class RawRow(NamedTuple):
    """Values of one product, in the catalogue's fields.

    ``number`` is the row as the spreadsheet numbers it: the header is row 1. In JSON lines it is the line,
    in an array the place.
    ``problem``: the row as a whole cannot be read. ``sources``: ``{field: (column, value)}`` as in the file.
    ``alias``: another name of a group, which its variants may give as ``parent``.
    """

    number: int
    values: Mapping[str, Any]
    problem: str = ""
    faults: Sequence[Fault] = ()
    sources: Mapping[str, tuple[str, str]] = {}
    pictures: Sequence[Picture] = ()
    alias: str = ""
