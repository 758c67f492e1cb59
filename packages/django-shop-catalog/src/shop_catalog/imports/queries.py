"""The statements of the temporary store of an import: a SQLite file without a name, deleted with its process.

Everything that is read from a file waits here until all of it has been checked. So memory stays flat, nothing is
locked in the shop's database, and rows are found again by SKU wherever they stand in the file.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple, Self

from shop_catalog.imports.maps.base import Record
from shop_catalog.imports.rows import Fault, Picture

CHUNK = 1000
MOST_VALUES = 500
MOST_CORRECTIONS = 100_000
"""The most rows in a file of rows to correct."""

TABLES = """
CREATE TABLE record (number INTEGER PRIMARY KEY, key TEXT, content TEXT);
CREATE TABLE first (key TEXT PRIMARY KEY, number INTEGER) WITHOUT ROWID;
CREATE TABLE product (
    sku TEXT PRIMARY KEY, number INTEGER, part INTEGER, parent TEXT, slug TEXT, alias TEXT,
    content TEXT, sources TEXT, pictures TEXT, bad_fields TEXT
) WITHOUT ROWID;
CREATE TABLE fault (
    number INTEGER, sku TEXT, field TEXT, code TEXT, reason TEXT, source TEXT, value TEXT,
    UNIQUE (number, field, code, reason)
);
CREATE INDEX fault_sku ON fault (sku);
CREATE INDEX product_order ON product (part, number, sku);
CREATE INDEX product_alias ON product (alias) WHERE alias <> '';
CREATE INDEX product_slug ON product (slug) WHERE slug <> '';
"""


class Staged(NamedTuple):
    """The values of one product as the file gives them. ``bad_fields`` have faults and are left out."""

    sku: str
    number: int
    part: int
    parent: str
    slug: str
    alias: str
    values: dict[str, Any]
    sources: Mapping[str, Sequence[str]]
    pictures: Sequence[Picture]
    bad_fields: Sequence[str]


class Store:
    """The temporary store. Close it after use."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = OFF")
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.executescript(TABLES)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._connection.close()

    def gathered(self, records: Iterable[Record], name: str) -> Iterator[Record]:
        """The records, with those of the same value of ``name`` together, in the order of the first of each."""
        source = iter(records)
        while chunk := list(islice(source, CHUNK)):
            self._connection.executemany(
                "INSERT OR IGNORE INTO first VALUES (?, ?)", [(record.text(name), record.number) for record in chunk]
            )
            self._connection.executemany(
                "INSERT INTO record VALUES (?, ?, ?)",
                (
                    (record.number, record.text(name), json.dumps([record.values, record.sources, record.faults]))
                    for record in chunk
                ),
            )
        sql = "SELECT record.number, content FROM record JOIN first USING (key) ORDER BY first.number, record.number"
        found = self._connection.execute(sql)
        for number, content in found:
            values, sources, faults = json.loads(content)
            pairs = {key: (column, value) for key, (column, value) in sources.items()}
            yield Record(number, values, pairs, [Fault(*fault) for fault in faults])

    def products(self, skus: Iterable[str]) -> dict[str, Staged]:
        """The staged products with these SKUs."""
        return {row[0]: _staged(row) for row in self._in_parts("SELECT * FROM product WHERE sku IN ({})", skus)}

    def put(self, products: Iterable[Staged]) -> None:
        """Add products, in place of those with the same SKU."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO product VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    *row[:6],
                    json.dumps(row.values, default=str),
                    json.dumps(row.sources),
                    json.dumps(row.pictures) if row.pictures else "[]",
                    json.dumps(row.bad_fields) if row.bad_fields else "[]",
                )
                for row in products
            ),
        )

    def resolve_aliases(self) -> None:
        """Replace a group's other name by its SKU, in all of its variants."""
        self._connection.execute(
            "UPDATE product SET parent = (SELECT other.sku FROM product AS other WHERE other.alias = product.parent)"
            " WHERE parent IN (SELECT alias FROM product WHERE alias <> '')"
        )

    def skus(self) -> list[str]:
        """The SKUs of all products and their groups."""
        found = self._connection.execute("SELECT sku FROM product UNION SELECT parent FROM product WHERE parent <> ''")
        return [sku for (sku,) in found]

    def chunks(self, size: int, *, only_good: bool = False) -> Iterator[list[Staged]]:
        """All products in chunks: those without a parent in the order of the file, then variants.

        ``only_good``: only those of rows without a fault.
        """
        where = "WHERE NOT EXISTS (SELECT 1 FROM fault WHERE fault.number = product.number)" if only_good else ""
        last: tuple[int, int, str] = (-1, -1, "")
        while True:
            after = f"{'AND' if where else 'WHERE'} (part, number, sku) > (?, ?, ?)"
            sql = f"SELECT * FROM product {where} {after} ORDER BY part, number, sku LIMIT {size}"  # noqa: S608
            chunk = [_staged(row) for row in self._connection.execute(sql, last)]
            if not chunk:
                return
            part = [row for row in chunk if row.part == chunk[0].part]
            last = (part[-1].part, part[-1].number, part[-1].sku)
            yield part

    def given_slugs(self, slugs: Iterable[str]) -> dict[str, str]:
        """``{slug: sku}`` of the first row that gives each of these slugs."""
        rows = self._in_parts("SELECT slug, sku, min(number) FROM product WHERE slug IN ({}) GROUP BY slug", slugs)
        return {slug: sku for slug, sku, _number in rows}

    def add_faults(self, number: int, sku: str, faults: Iterable[Fault]) -> None:
        """Record the faults of a row, each once."""
        self._connection.executemany(
            "INSERT OR IGNORE INTO fault VALUES (?, ?, ?, ?, ?, ?, ?)",
            ((number, *map(_storable, (sku, *fault))) for fault in faults),
        )

    def refused(self, skus: Iterable[str]) -> dict[str, int]:
        """``{sku: row}`` of those SKUs whose row has a fault."""
        return dict(self._in_parts("SELECT sku, number FROM fault WHERE sku IN ({})", skus))

    def failed(self) -> int:
        """The number of rows with a fault."""
        return int(self._connection.execute("SELECT count(DISTINCT number) FROM fault").fetchone()[0])

    def failed_rows(self) -> dict[int, str]:
        """``{row: all reasons}`` of the first rows with a fault, as many as ``MOST_CORRECTIONS``."""
        found = self._connection.execute(
            "SELECT number, group_concat(trim(source || ': ' || reason, ': '), ' ') FROM fault"
            " GROUP BY number ORDER BY number LIMIT ?",
            [MOST_CORRECTIONS],
        )
        return dict(found.fetchall())

    def _in_parts(self, sql: str, values: Iterable[str]) -> Iterator[Any]:
        wanted = list(dict.fromkeys(values))
        for start in range(0, len(wanted), MOST_VALUES):
            part = wanted[start : start + MOST_VALUES]
            yield from self._connection.execute(sql.format(", ".join("?" * len(part))), part)

    def faults(self, limit: int = -1) -> Iterator[tuple[int, str, Fault]]:
        """``(row, sku, fault)``, in the order of the file."""
        found = self._connection.execute("SELECT * FROM fault ORDER BY number, rowid LIMIT ?", [limit])
        for number, sku, *fault in found:
            yield number, sku, Fault(*fault)


def _storable(text: str) -> str:
    """A text without lone surrogates, which JSON can contain."""
    return text.encode("utf-8", "replace").decode()


def _staged(row: Sequence[Any]) -> Staged:
    pictures = [Picture(*picture) for picture in json.loads(row[8])] if row[8] != "[]" else []
    sku, number, part, parent, slug, alias = row[:6]
    content, sources, bad_fields = json.loads(row[6]), json.loads(row[7]), json.loads(row[9])
    return Staged(sku, number, part, parent, slug, alias, content, sources, pictures, bad_fields)
