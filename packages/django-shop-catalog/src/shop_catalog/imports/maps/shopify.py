"""Shopify's product export: one row per variant, and the rows of one product share their handle.

https://help.shopify.com/en/manual/products/import-export/using-csv
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import ClassVar

from django.utils.text import slugify

from shop_catalog.imports.maps.base import ColumnMap, Record, RowMaker, split_list
from shop_catalog.imports.maps.html_texts import as_text
from shop_catalog.imports.rows import Fault, Picture, RawRow
from shop_catalog.imports.understanding.cells import AMOUNT, CODE, FLAG, UNITS, WEIGHT, WHOLE, Target

OPTIONS = (1, 2, 3)
HEADERS = {
    "handle": Target("handle"),
    "title": Target("name"),
    "body (html)": Target("description"),
    "body html": Target("description"),
    "vendor": Target("vendor"),
    "product category": Target("categories"),
    "standard product type": Target("categories"),
    "type": Target("type"),
    "custom product type": Target("type"),
    "tags": Target("tags"),
    "published": Target("is_active", FLAG),
    "status": Target("status"),
    "variant sku": Target("sku", CODE),
    "sku": Target("sku", CODE),
    "variant grams": Target("weight", WEIGHT, UNITS["g"]),
    "variant inventory qty": Target("stock_quantity", WHOLE, may_be_negative=True),
    "variant price": Target("price", AMOUNT),
    "variant compare at price": Target("compare_at_price", AMOUNT),
    "variant taxable": Target("tax_class", FLAG),
    "variant barcode": Target("gtin", CODE),
    "image src": Target("image"),
    "image position": Target("image position", WHOLE),
    "image alt text": Target("image alt"),
    "variant image": Target("variant image"),
    "url handle": Target("handle"),  # the names of the newer export
    "description": Target("description"),
    "published on online store": Target("is_active", FLAG),
    "barcode": Target("gtin", CODE),
    "weight value (grams)": Target("weight", WEIGHT, UNITS["g"]),
    "inventory quantity": Target("stock_quantity", WHOLE, may_be_negative=True),
    "price": Target("price", AMOUNT),
    "compare-at price": Target("compare_at_price", AMOUNT),
    "charge tax": Target("tax_class", FLAG),
    "product image url": Target("image"),
    "variant image url": Target("variant image"),
    **{f"option{number} name": Target(f"option{number} name") for number in OPTIONS},
    **{f"option{number} value": Target(f"option{number} value") for number in OPTIONS},
}
OF_VARIANT = frozenset({"sku", "price", *(f"option{number} value" for number in OPTIONS)})
MAX_SKU = 64
WITHOUT_OPTIONS = "default title"


class ShopifyMap(ColumnMap):
    """A product with options is a group, whose SKU is the handle; without options it is a simple product."""

    name: ClassVar[str] = "shopify"
    gathers: ClassVar[str] = "handle"
    creates_categories: ClassVar[bool] = True
    required: ClassVar[frozenset[str]] = frozenset({"handle", "name"})
    headers = HEADERS

    def names_product(self, targets: object) -> bool:
        return "handle" in targets  # type: ignore[operator]

    def rows(self, records: Sequence[Record]) -> Iterator[RawRow]:
        first = next((record for record in records if "name" in record.values), records[0])
        lines = [record for record in records if not OF_VARIANT.isdisjoint(record.values)] or [first]
        names = {
            number: next((name for record in records if (name := record.text(f"option{number} name"))), "")
            for number in OPTIONS
        }
        is_simple = len(lines) == 1 and _options(lines[0], names) == {}
        used = {first.number, *(record.number for record in lines)}
        if is_simple:
            maker = _listed(first, records)
            _add_sellable(maker, lines[0])
            maker.set("sku", lines[0].text("sku") or _short(first.text("handle")), source="sku")
            yield maker.row(faults=_collected(records))
            return
        group = _listed(first, records)
        group_sku = _group_sku(first, lines)
        group.set("sku", group_sku, source="handle")
        group.set("kind", "group")
        loose = [record for record in records if record.number not in used]
        yield group.row(faults=_collected(loose if first in lines else [first, *loose]))
        for position, line in enumerate(lines):
            variant = RowMaker(line)
            _add_sellable(variant, line)
            variant.set("sku", line.text("sku") or _made_sku(group_sku, _options(line, names)), source="sku")
            variant.values |= {"kind": "variant", "parent": group_sku, "position": position}
            variant.set("options", _options(line, names))
            if group.values.get("is_active") is False and "price" not in variant.values:
                variant.values["is_active"] = False  # a draft need not have a price yet
            if picture := line.text("variant image"):
                variant.pictures.append(Picture(picture))
            yield variant.row(faults=line.faults)


def _listed(first: Record, records: Sequence[Record]) -> RowMaker:
    """The values of a simple product or a group, which lists show."""
    maker = RowMaker(first)
    maker.take("name")
    maker.set("description", as_text(first.text("description")), source="description")
    maker.set("categories", [first.text("categories")] if first.text("categories") else [], source="categories")
    maker.attribute("brand", first.text("vendor"))
    maker.attribute("type", first.text("type"))
    maker.attribute("tags", split_list(first.text("tags")))
    status = first.text("status").casefold()
    published = first.values.get("is_active")
    if status or isinstance(published, bool):
        maker.set("is_active", published is not False and status in ("", "active"), source="is_active")
    elif published is not None:
        maker.take("is_active")  # refused with the row's other values
    found: dict[str, tuple[int, str]] = {}
    for record in records:
        if address := record.text("image"):
            found.setdefault(address, (int(record.text("image position") or 0), record.text("image alt")))
    ordered = sorted(found.items(), key=lambda item: item[1][0])
    maker.pictures += [Picture(address, alt) for address, (_position, alt) in ordered]
    return maker


def _add_sellable(maker: RowMaker, line: Record) -> None:
    """Add the values of a simple product or a variant, which customers buy."""
    record, maker.record = maker.record, line
    maker.take("price")
    compared = line.values.get("compare_at_price")
    if compared is not None and Decimal(compared) > 0:
        maker.take("compare_at_price")
    maker.take("weight")
    maker.take("stock_quantity")
    maker.attribute("gtin", line.text("gtin"))
    if line.values.get("tax_class") is False:
        maker.set("tax_class", "zero", source="tax_class")
    maker.record = record


def _options(line: Record, names: dict[int, str]) -> dict[str, str]:
    values = {number: line.text(f"option{number} value") for number in OPTIONS}
    return {
        names[number] or f"Option {number}": value
        for number, value in values.items()
        if value and not (number == 1 and value.casefold() == WITHOUT_OPTIONS)
    }


def _group_sku(first: Record, lines: Sequence[Record]) -> str:
    handle = first.text("handle")
    return _short(f"{handle}-group" if handle in {line.text("sku") for line in lines} else handle)


def _made_sku(group_sku: str, options: dict[str, str]) -> str:
    """The SKU of a variant that has none: the handle and the options, so that the next upload finds it again."""
    return _short("-".join([group_sku, *(slugify(value, allow_unicode=True) or "x" for value in options.values())]))


def _short(sku: str) -> str:
    """The SKU, if it is not too long. Otherwise its beginning and a digest, so that no two become the same."""
    if len(sku) <= MAX_SKU:
        return sku
    digest = hashlib.sha256(sku.encode()).hexdigest()[:8]
    return f"{sku[: MAX_SKU - 9]}-{digest}"


def _collected(records: Sequence[Record]) -> list[Fault]:
    return [fault for record in records for fault in record.faults]
