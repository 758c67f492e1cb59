"""Shopify's columns: one row for each variant, and further rows for further pictures.

https://help.shopify.com/en/manual/products/import-export/using-csv
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urljoin

from django.db.models import QuerySet
from django.utils.html import linebreaks

from shop_catalog import money
from shop_catalog.exports.batches import batches, category_ids
from shop_catalog.imports.category_index import CategoryIndex
from shop_catalog.imports.understanding.guards import GUARDED, guarded
from shop_catalog.models import Product, ProductImage, ProductKind

MOST_OPTIONS = 3
OPTIONS = tuple(f"Option{number} {part}" for number in range(1, MOST_OPTIONS + 1) for part in ("Name", "Value"))
COLUMNS = (
    *("Handle", "Title", "Body (HTML)", "Vendor", "Type", "Tags", "Published"),
    *OPTIONS,
    *("Variant SKU", "Variant Grams", "Variant Inventory Tracker", "Variant Inventory Qty"),
    *("Variant Inventory Policy", "Variant Fulfillment Service", "Variant Price", "Variant Compare At Price"),
    *("Variant Requires Shipping", "Variant Taxable", "Variant Barcode"),
    *("Image Src", "Image Position", "Image Alt Text", "Status"),
)
WITHOUT_OPTIONS = {"Option1 Name": "Title", "Option1 Value": "Default Title"}
FIXED = {
    "Variant Inventory Tracker": "shopify",
    "Variant Inventory Policy": "deny",
    "Variant Fulfillment Service": "manual",
    "Variant Requires Shipping": "TRUE",
}


def rows(products: QuerySet[Product], *, base_url: str = "") -> Iterator[Sequence[Any]]:
    """The rows of each product, and of the group of each variant once, with all of its variants.

    Pictures are named by their whole address, for which ``base_url`` completes those that are only a path.
    """
    paths = CategoryIndex().paths
    groups: set[int] = set()
    for batch in batches(products):
        listed = list(dict.fromkeys(product.listed for product in batch if product.listed.pk not in groups))
        groups.update(product.pk for product in listed if product.kind == ProductKind.GROUP)
        links = category_ids(listed)
        variants, images = _by_product(listed)
        for product in listed:
            category = next((paths[pk] for pk in links.get(product.pk, ()) if pk in paths), "")
            addresses = [(urljoin(base_url, image.url), image.alt) for image in images[product.pk]]
            pictures = [picture for picture in addresses if picture[0].startswith(("https://", "http://"))]
            for row in _rows(product, variants[product.pk], category, pictures):
                yield [_cell(row.get(name, "")) for name in COLUMNS]


def _by_product(listed: Iterable[Product]) -> tuple[Mapping[int, list[Product]], Mapping[int, list[ProductImage]]]:
    keys = [product.pk for product in listed]
    variants: dict[int, list[Product]] = defaultdict(list)
    for variant in Product.objects.filter(parent__in=keys).order_by("position", "pk"):
        variants[variant.parent_id or 0].append(variant)
    images: dict[int, list[ProductImage]] = defaultdict(list)
    for image in ProductImage.objects.filter(product__in=keys).order_by("-is_primary", "position", "pk"):
        images[image.product_id].append(image)
    return variants, images


def _rows(
    product: Product, variants: Sequence[Product], category: str, pictures: Sequence[tuple[str, str]]
) -> Iterator[dict[str, Any]]:
    names = list(dict.fromkeys(name for variant in variants for name in variant.options))[:MOST_OPTIONS]
    lines = [_sellable(variant, names) for variant in variants]
    if product.kind != ProductKind.GROUP:
        lines = [{**_sellable(product, []), **WITHOUT_OPTIONS}]
    shown = [
        {"Image Src": address, "Image Position": place, "Image Alt Text": alt}
        for place, (address, alt) in enumerate(pictures, start=1)
    ]
    for place in range(max(len(lines), len(shown), 1)):
        row: dict[str, Any] = {"Handle": product.slug} | (_listed(product, category) if place == 0 else {})
        row |= lines[place] if place < len(lines) else {}
        yield row | (shown[place] if place < len(shown) else {})


def _listed(product: Product, category: str) -> dict[str, Any]:
    stated = product.attributes
    tags = stated.get("tags", "")
    return {
        "Title": product.name,
        "Body (HTML)": linebreaks(product.description, autoescape=True) if product.description else "",
        "Vendor": stated.get("brand", ""),
        "Type": stated.get("type") or category,
        "Tags": ", ".join(map(str, tags)) if isinstance(tags, list) else tags,
        "Published": "TRUE" if product.is_published else "FALSE",
        "Status": "active" if product.is_active else "draft",
    }


def _sellable(product: Product, names: Sequence[str]) -> dict[str, Any]:
    row = {
        **FIXED,
        "Variant SKU": product.sku,
        "Variant Grams": "" if product.weight is None else int(product.weight * 1000),
        "Variant Inventory Qty": product.available_quantity,
        "Variant Price": "" if product.price is None else money.quantise(product.price),
        "Variant Compare At Price": (
            "" if product.compare_at_price is None else money.quantise(product.compare_at_price)
        ),
        "Variant Taxable": "FALSE" if product.tax_class == "zero" else "TRUE",
        "Variant Barcode": product.attributes.get("gtin", ""),
    }
    for number, name in enumerate(names, start=1):
        row |= {f"Option{number} Name": name, f"Option{number} Value": product.options.get(name, "")}
    return row


def _cell(value: Any) -> Any:
    """Shopify keeps every apostrophe. So one is added only where it is needed, and not to every text with its own."""
    if value is None or (not isinstance(value, str) and isinstance(value, int)):
        return "" if value is None or isinstance(value, bool) else value
    if not isinstance(value, str):
        return value if hasattr(value, "as_tuple") else guarded(str(value))
    return value if value.startswith("'") and not GUARDED.match(value) else guarded(value)
