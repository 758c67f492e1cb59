"""The catalogue's own columns. What is exported and imported again changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from shop_catalog import money
from shop_catalog.exports.batches import batches, category_ids
from shop_catalog.imports.category_index import CategoryIndex
from shop_catalog.imports.maps.own import KINDS
from shop_catalog.imports.understanding.cells import bare
from shop_catalog.imports.understanding.guards import guarded
from shop_catalog.models import Product, ProductKind

COLUMNS = tuple(KINDS)


def rows(products: QuerySet[Product]) -> Iterator[Sequence[Any]]:
    """One row for each product: texts, and numbers as ``int`` or ``Decimal``."""
    categories = CategoryIndex()
    for batch in batches(products):
        links = category_ids(batch)
        for product in batch:
            named = [categories.text_of(pk) for pk in links.get(product.pk, ()) if pk in categories.paths]
            yield _row(product, " | ".join(named))


def _row(product: Product, categories: str) -> list[Any]:
    is_group = product.kind == ProductKind.GROUP
    values = {
        **{name: getattr(product, name) for name in COLUMNS if name not in ("parent", "categories")},
        "parent": product.parent.sku if product.parent is not None else "",
        "categories": categories,
        "price": None if is_group else _amount(product.price),
        "compare_at_price": _amount(product.compare_at_price),
        "stock_quantity": None if is_group else product.stock_quantity,
    }
    return [_cell(values[name]) for name in COLUMNS]


def _amount(amount: Decimal | None) -> Decimal | None:
    """The amount with its currency's decimals, unless it has more."""
    if amount is None:
        return None
    usual = money.quantise(amount)
    return usual if usual == amount else amount


def _cell(value: Any) -> Any:
    match value:
        case bool():
            return "yes" if value else "no"
        case dict():
            return guarded(json.dumps(value, ensure_ascii=False))
        case datetime():
            return (value if timezone.is_aware(value) else timezone.make_aware(value)).astimezone(UTC).isoformat()
        case str():
            return _text(value)
    return "" if value is None else value


def _text(text: str) -> str:
    """Without the blanks around it, which no import reads. A tab or CR before it stays, behind an apostrophe."""
    inner = bare(text)
    return guarded(text if inner and text[0] in "\t\r" else inner)
