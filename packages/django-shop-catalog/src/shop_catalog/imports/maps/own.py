"""The catalogue's own columns, by their usual names in English and German, and maps of one's own in JSON files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from django.utils.translation import gettext as _

from shop_catalog.exceptions import UnreadableFile
from shop_catalog.imports.maps.base import ColumnMap, Record
from shop_catalog.imports.rows import Fault, RawRow
from shop_catalog.imports.understanding.cells import AMOUNT, CODE, FLAG, TEXT, TIME, WEIGHT, WHOLE, Target
from shop_catalog.imports.understanding.headers import plain

KINDS = {
    "sku": CODE,
    "name": TEXT,
    "slug": TEXT,
    "kind": TEXT,
    "parent": CODE,
    "description": TEXT,
    "price": AMOUNT,
    "compare_at_price": AMOUNT,
    "tax_class": TEXT,
    "attributes": TEXT,
    "options": TEXT,
    "position": WHOLE,
    "weight": WEIGHT,
    "is_active": FLAG,
    "is_featured": FLAG,
    "publish_from": TIME,
    "publish_until": TIME,
    "low_stock_threshold": WHOLE,
    "categories": TEXT,
    "stock_quantity": WHOLE,
}
"""The columns of a product file, and what they hold."""

SPELLINGS = {
    "sku": "variant sku|item number|article number|product code|product sku|artikelnummer|artikel-nr.|art.-nr.",
    "name": "product name|title|product|bezeichnung|artikelbezeichnung|produktname",
    "slug": "handle|url key",
    "parent": "parent sku|group|group sku|gruppe",
    "description": "body (html)|beschreibung",
    "price": "variant price|regular price|unit price|sales price|preis|verkaufspreis|vk",
    "compare_at_price": "compare at price|compare-at price|variant compare at price|list price|rrp|uvp|streichpreis",
    "tax_class": "tax class|steuerklasse",
    "position": "sort order|reihenfolge",
    "weight": "gewicht",
    "is_active": "active|published|aktiv|veröffentlicht",
    "is_featured": "featured|is featured?|hervorgehoben",
    "publish_from": "publish from|available from|sichtbar ab",
    "publish_until": "publish until|available until|sichtbar bis",
    "low_stock_threshold": "low stock|low stock amount|reorder level|mindestbestand|meldebestand",
    "categories": "category|product category|kategorie|kategorien|warengruppe",
    "stock_quantity": "stock|quantity|qty|on hand|in stock|variant inventory qty|bestand|menge|lagerbestand",
}
NESTED = ("attributes", "options")


class OwnMap(ColumnMap):
    """The catalogue's own columns. ``attributes.colour`` is one entry of ``attributes``."""

    name: ClassVar[str] = "own"
    required: ClassVar[frozenset[str]] = frozenset({"sku"})

    def __init__(self) -> None:
        self.headers = {}
        for column, kind in KINDS.items():
            for spelling in (plain(column), *SPELLINGS.get(column, "").split("|")):
                if spelling:
                    self.headers[spelling] = Target(column, kind)

    def target(self, plain: str, header: str) -> Target | None:
        nested, dot, key = header.strip().partition(".")
        if dot and nested.strip().casefold() in NESTED and key.strip():
            return Target(f"{nested.strip().casefold()}.{key.strip()}")
        without_unit = plain.partition("(")[0].strip()
        return super().target(plain, header) or (self.headers.get(without_unit) if without_unit else None)

    def rows(self, records: Sequence[Record]) -> Iterator[RawRow]:
        for record in records:
            faults = list(record.faults)
            values = {name: value for name, value in record.values.items() if "." not in name}
            if "kind" in values:
                values["kind"] = values["kind"].lower()
            for nested in NESTED:
                entries = {
                    name.partition(".")[2]: value
                    for name, value in record.values.items()
                    if name.startswith(f"{nested}.")
                }
                if entries:
                    values[nested] = _merged(nested, values.get(nested), entries, record, faults)
            yield RawRow(record.number, values, faults=tuple(faults), sources=record.sources)


def _merged(nested: str, whole: Any, entries: Mapping[str, Any], record: Record, faults: list[Fault]) -> Any:
    """The entries of single columns, with those of a column that holds JSON. They must not contradict each other."""
    if whole is None:
        return dict(entries)
    try:
        stated = json.loads(whole)
    except (ValueError, RecursionError):
        stated = None
    if not isinstance(stated, dict):
        return whole  # refused with the row's other values
    for name, value in entries.items():
        if name in stated and str(stated[name]) != value:
            reason = _("The columns “%(whole)s” and “%(single)s” contradict each other.")
            names = {"whole": nested, "single": f"{nested}.{name}"}
            faults.append(Fault(nested, "conflict", reason % names, *record.sources.get(f"{nested}.{name}", ("", ""))))
    return {**stated, **entries}


class FileMap(OwnMap):
    """The own columns by further names, from a JSON file: ``{"columns": {"Artikel": "sku", "VK netto": "price"}}``."""

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
            columns = content["columns"]
            given = {str(header): str(column) for header, column in columns.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            message = _('The map %(name)s is not a JSON file such as {"columns": {"Article": "sku"}}.')
            raise UnreadableFile(message % {"name": Path(path).name})
        self.given = {plain(header): _own_target(column) for header, column in given.items()}
        self.headers = {**self.headers, **{header: target for header, target in self.given.items() if target}}

    def target(self, plain: str, header: str) -> Target | None:
        return self.given[plain] if plain in self.given else super().target(plain, header)


def _own_target(column: str) -> Target | None:
    """A target by the name of an own column; ``None`` for an empty name, which means "not used".

    Raises:
        UnreadableFile: there is no such column.
    """
    if not column:
        return None
    nested, dot, key = column.partition(".")
    if dot and nested in NESTED and key:
        return Target(column)
    if column not in KINDS:
        raise UnreadableFile(_("There is no column %(name)s in the catalogue.") % {"name": column})
    return Target(column, KINDS[column])
