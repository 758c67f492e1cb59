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

from shop_catalog.imports.maps.base import ColumnMap, Record, RowMaker, split_list
from shop_catalog.imports.maps.html_texts import as_text
from shop_catalog.imports.rows import Fault, Picture, RawRow
from shop_catalog.imports.understanding.cells import AMOUNT, CODE, FLAG, FLAGS, TIME, UNITS, WEIGHT, WHOLE, Target

HEADERS = {
    "id": Target("id"),
    "type": Target("type"),
    "sku": Target("sku", CODE),
    "gtin, upc, ean, or isbn": Target("gtin", CODE),
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
    "parent": Target("parent", CODE),
    "position": Target("position", WHOLE),
    **{f"weight ({unit})": Target("weight", WEIGHT, factor) for unit, factor in UNITS.items()},
}
TRANSLATED = {
    "id": "identifiant",
    "type": "typ|tipo",
    "sku": "artikelnummer|ugs",
    "gtin, upc, ean, or isbn": "gtin, upc, ean oder isbn|gtin, upc, ean, o isbn|gtin, upc, ean ou isbn",
    "name": "nom|nombre",
    "published": "veröffentlicht|publié|publicado",
    "is featured?": "ist hervorgehoben?|mis en avant ?|¿está destacado?",
    "short description": "kurzbeschreibung|description courte|descripción corta",
    "description": "beschreibung|descripción",
    "date sale price starts": "datum, an dem angebotspreis beginnt|date de début de promo"
    "|día en que empieza el precio rebajado",
    "date sale price ends": "datum, an dem angebotspreis endet|date de fin de promo"
    "|día en que termina el precio rebajado",
    "tax status": "steuerstatus|état de la tva|estado del impuesto",
    "tax class": "steuerklasse|classe de tva|clase de impuesto",
    "stock": "bestand|lager|lagerbestand|inventario",
    "low stock amount": "geringe lagermenge|montant de stock faible|cantidad de bajo inventario",
    "sale price": "angebotspreis|tarif promo|precio rebajado",
    "regular price": "regulärer preis|tarif régulier|precio normal",
    "categories": "kategorien|catégories|categorías",
    "tags": "schlagwörter|étiquettes|etiquetas",
    "brands": "marken|marques|marcas",
    "images": "bilder|imágenes",
    "parent": "übergeordnetes produkt|superior",
    "position": "posición",
    **{f"weight ({unit})": f"gewicht ({unit})|poids ({unit})|peso ({unit})" for unit in UNITS},
}
"""The same headers in German, French and Spanish: an export has them in the language of the shop's staff."""

SPELLINGS = {
    **HEADERS,
    **{other: HEADERS[header] for header, others in TRANSLATED.items() for other in others.split("|")},
}
ATTRIBUTE = re.compile(r"^attribute (\d{1,3}) (name|value\(s\))$")
ATTRIBUTE_NAME = re.compile(
    r"^(?:attribut[eo]? (\d{1,3}) name|nom de l[’']attribut (\d{1,3})|nombre del atributo (\d{1,3}))$"
)
ATTRIBUTE_VALUES = re.compile(
    r"^(?:attribute (\d{1,3}) value\(s\)|attribut (\d{1,3}) wert\(e\)"
    r"|valeur\(s\) de l[’']attribut (\d{1,3})|valor\(es\) del atributo (\d{1,3}))$"
)
PUBLISHED = {**FLAGS, "-1": False}
"""-1 is a draft."""

GROUP, VARIATION, SIMPLE = "variable", "variation", "simple"


class WooCommerceMap(ColumnMap):
    """A variable product is a group, and its variations are the variants."""

    name: ClassVar[str] = "woocommerce"
    creates_categories: ClassVar[bool] = True
    required: ClassVar[frozenset[str]] = frozenset({"type", "sku", "name", "price"})
    headers = SPELLINGS

    def target(self, plain: str, header: str) -> Target | None:
        for pattern, name in ((ATTRIBUTE_NAME, "name"), (ATTRIBUTE_VALUES, "value(s)")):
            if (found := pattern.match(plain)) is not None:
                return Target(f"attribute {next(filter(None, found.groups()))} {name}")
        return super().target(plain, header)

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
            maker.set("options", {name: value.replace("\\,", ",") for name, value in _attributes(record).items()})
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
    """Add price and stock. During a sale, its price is the price, and the regular one the compare-at price."""
    sale, regular = record.values.get("sale price"), record.values.get("price")
    if sale is not None and _is_sale_on(record) and (regular is None or Decimal(sale) < Decimal(regular)):
        maker.take("price", "sale price")
        maker.take("compare_at_price", "price")
    else:
        maker.take("price")
    maker.take("stock_quantity")
    maker.take("low_stock_threshold")


def _is_sale_on(record: Record) -> bool:
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
