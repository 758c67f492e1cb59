"""WooCommerce's product export: one row per product, variations name their parent.

https://woocommerce.com/document/product-csv-importer-exporter/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from django.utils import timezone
from django.utils.translation import gettext as _

from shop_catalog.imports.maps.base import UNITS, ColumnMap, Record, RowMaker, split_list
from shop_catalog.imports.maps.html_texts import as_text
from shop_catalog.imports.rows import Fault, Picture, RawRow
from shop_catalog.imports.understanding.cells import AMOUNT, FLAG, TIME, WEIGHT, WHOLE, Target

HEADERS = {
    "id": Target("id"),
    "type": Target("type"),
    "sku": Target("sku"),
    "gtin, upc, ean, or isbn": Target("gtin"),
    "name": Target("name"),
    "published": Target("is_active"),
    "is featured?": Target("is_featured", FLAG),
    "short description": Target("short description"),
    "description": Target("description"),
    "date sale price starts": Target("sale from", TIME),
    "date sale price ends": Target("sale until", TIME),
    "tax status": Target("tax status"),
    "tax class": Target("tax_class"),
    "stock": Target("stock_quantity", WHOLE, may_be_negative=True),
    "low stock amount": Target("low_stock_threshold", WHOLE),
    "sale price": Target("sale price", AMOUNT),
    "regular price": Target("price", AMOUNT),
    "categories": Target("categories"),
    "tags": Target("tags"),
    "brands": Target("brand"),
    "images": Target("images"),
    "parent": Target("parent"),
    "position": Target("position", WHOLE),
    **{f"weight ({unit})": Target("weight", WEIGHT, factor) for unit, factor in UNITS.items()},
}
ATTRIBUTE = re.compile(r"^attribute (\d{1,3}) (name|value\(s\))$")
PUBLISHED = {"1": True, "0": False, "-1": False, "true": True, "false": False, "yes": True, "no": False}
"""-1 is a draft."""

GROUP, VARIATION, SIMPLE = "variable", "variation", "simple"


class WooCommerceMap(ColumnMap):
    """A variable product is a group, and its variations are the variants."""

    name: ClassVar[str] = "woocommerce"
    creates_categories: ClassVar[bool] = True
    required: ClassVar[frozenset[str]] = frozenset({"type", "sku", "name", "regular price"})
    headers = HEADERS

    def target(self, plain: str, header: str) -> Target | None:
        return Target(plain) if ATTRIBUTE.match(plain) else super().target(plain, header)

    def names_product(self, targets: object) -> bool:
        return "sku" in targets or "id" in targets  # type: ignore[operator]

    def rows(self, records: Sequence[Record]) -> Iterator[RawRow]:
        for record in records:
            yield self._row(record)

    def _row(self, record: Record) -> RawRow:
        maker, faults = RowMaker(record), list(record.faults)
        types = {part.casefold() for part in split_list(record.text("type"))} or {SIMPLE}
        number = record.text("id")
        maker.set("sku", record.text("sku") or (f"woo-{number}" if number else ""), source="sku")
        maker.take("name")
        maker.set("description", _description(record), source="description")
        maker.take("is_featured")
        if published := record.text("is_active"):
            maker.set("is_active", PUBLISHED.get(published.casefold(), published), source="is_active")
        maker.take("weight")
        maker.take("position")
        maker.set("tax_class", _tax_class(record), source="tax_class")
        maker.attribute("gtin", record.text("gtin"))
        maker.pictures += [Picture(address) for address in split_list(record.text("images"))]
        if GROUP in types:
            maker.set("kind", "group")
        else:
            _add_sellable(maker, record)
        if VARIATION in types:
            maker.values.pop("name", None)  # it is the group's with the options added
            maker.set("kind", "variant")
            maker.take("parent")
            maker.set("options", _attributes(record))
        else:
            self._add_listed(maker, record, GROUP in types)
        if unknown := types - {GROUP, VARIATION, SIMPLE, "downloadable", "virtual"}:
            reason = _("Products of the type “%(type)s” cannot be imported.") % {"type": min(unknown)}
            faults.append(Fault("kind", "unknown_type", reason, *record.sources.get("type", ("", ""))))
        return maker.row(faults=faults, alias=f"id:{number}" if number else "")

    def _add_listed(self, maker: RowMaker, record: Record, is_group: bool) -> None:  # noqa: FBT001
        maker.set("categories", split_list(record.text("categories")), source="categories")
        maker.attribute("tags", split_list(record.text("tags")))
        maker.attribute("brand", record.text("brand"))
        for name, value in _attributes(record).items():
            values = split_list(value)
            if not is_group:  # a group's list the options of its variants
                maker.attribute(name, values[0] if len(values) == 1 else values)


def _add_sellable(maker: RowMaker, record: Record) -> None:
    """The price of a sale that is on now, with the regular price as the one to compare with."""
    sale, regular = record.values.get("sale price"), record.values.get("price")
    if sale is not None and _is_on(record) and (regular is None or Decimal(sale) < Decimal(regular)):
        maker.take("price", "sale price")
        maker.take("compare_at_price", "price")
    else:
        maker.take("price")
    maker.take("stock_quantity")
    maker.take("low_stock_threshold")


def _is_on(record: Record) -> bool:
    now = timezone.now()
    start, end = record.values.get("sale from"), record.values.get("sale until")
    return (start is None or _moment(start) <= now) and (end is None or _moment(end) >= now)


def _moment(text: Any) -> datetime:
    return datetime.fromisoformat(text)


def _description(record: Record) -> str:
    parts = [as_text(record.text(name).replace("\\n", "\n")) for name in ("short description", "description")]
    return "\n\n".join(part for part in parts if part)


def _tax_class(record: Record) -> str:
    if record.text("tax status").casefold() == "none":
        return "zero"
    named = record.text("tax_class").casefold()
    return {"parent": "", "reduced-rate": "reduced", "zero-rate": "zero"}.get(named, named)


def _attributes(record: Record) -> dict[str, str]:
    found = {}
    for name, value in record.values.items():
        match = ATTRIBUTE.match(name)
        if match is not None and match[2] == "name" and (text := record.text(f"attribute {match[1]} value(s)")):
            found[str(value)] = text
    return found
