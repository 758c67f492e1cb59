"""The base of column maps. Each knows the headers of one kind of file, and makes rows of products from its records."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from shop_catalog.imports.rows import Fault, Picture, RawRow
from shop_catalog.imports.understanding.cells import UNITS, WEIGHT, Target

WEIGHT_HEADER = re.compile(r"^(?:weight|gewicht)\s*(?:(?:in|[(\[/])\s*)?(kg|g|lbs?|oz)\s*[)\]]?$")


@dataclass
class Record:
    """One row of a table: its values by the names of the map's targets, and where each came from."""

    number: int
    values: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, tuple[str, str]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def text(self, name: str) -> str:
        return str(self.values.get(name, ""))


class ColumnMap:
    """The columns of one kind of file. ``gathers`` names the value that the rows of one product share, if any do."""

    name: ClassVar[str] = ""
    gathers: ClassVar[str] = ""
    creates_categories: ClassVar[bool] = False
    required: ClassVar[frozenset[str]] = frozenset()
    """The targets that this kind of file always has."""

    headers: Mapping[str, Target] = {}
    """``{plain header: target}``."""

    def target(self, plain: str, header: str) -> Target | None:  # noqa: ARG002 - used by subclasses
        """What the column with this header holds; ``None`` if it is not used."""
        found = self.headers.get(plain)
        if found is None and (weight := WEIGHT_HEADER.match(plain)) is not None:
            return Target("weight", WEIGHT, UNITS[weight[1]])
        return found

    def targets(self) -> dict[str, Target]:
        """The targets by name, for a column that is chosen by hand."""
        return {target.name: target for target in self.headers.values()}

    def fits(self, headers: Iterable[str]) -> bool:
        """Whether a file with these plain headers is of this kind."""
        return self.required <= {self.headers[header].name for header in headers if header in self.headers}

    def names_product(self, targets: Iterable[str]) -> bool:
        """Whether these targets are enough to know which product a row is about."""
        return "sku" in targets

    def rows(self, records: Sequence[Record]) -> Iterator[RawRow]:
        """The products of a record, or of the records that are gathered for one."""
        raise NotImplementedError


class RowMaker:
    """Collects the values of one product, each with its source."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.values: dict[str, Any] = {}
        self.sources: dict[str, tuple[str, str]] = {}
        self.pictures: list[Picture] = []

    def set(self, name: str, value: Any, *, source: str = "") -> None:
        """Set a value of the catalogue, unless it is empty."""
        if value in (None, "", [], {}):
            return
        self.values[name] = value
        if source in self.record.sources:
            self.sources[name] = self.record.sources[source]

    def take(self, name: str, source: str = "") -> None:
        """Take a value of the record as it is."""
        self.set(name, self.record.values.get(source or name), source=source or name)

    def attribute(self, name: str, value: Any) -> None:
        if value not in (None, "", []):
            self.values.setdefault("attributes", {})[name] = value

    def row(self, *, faults: Sequence[Fault] = (), alias: str = "") -> RawRow:
        return RawRow(
            self.record.number,
            self.values,
            faults=tuple(faults),
            sources=self.sources,
            pictures=tuple(self.pictures),
            alias=alias,
        )


def split_list(text: str) -> list[str]:
    r"""Parts between commas, without empty and repeated ones. ``\,`` is a comma within a part."""
    parts = [part.replace("\\,", ",").strip() for part in re.split(r"(?<!\\),", text)]
    return list(dict.fromkeys(part for part in parts if part))
