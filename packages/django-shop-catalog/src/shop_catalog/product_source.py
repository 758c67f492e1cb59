"""The catalogue as a source of products for who sells them: a cart, an order, a till.

The class has the shape that ``shop_orders`` asks for and imports nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import OuterRef, Subquery
from django.db.models.functions import Coalesce

from shop_catalog import inventory, money
from shop_catalog.conf import app_settings
from shop_catalog.models import Product, ProductImage


@dataclass(frozen=True)
class CatalogProduct:
    """What a seller needs to know of a product. ``ref`` is the SKU; ``weight`` is in kg."""

    ref: str
    sku: str
    name: str
    unit_price: Decimal
    currency: str
    tax_class: str
    price_includes_tax: bool
    available: int
    weight: Decimal | None
    url: str
    image: str


class CatalogProductSource:
    """Sells the simple products and variants of this catalogue, by SKU."""

    def fetch(self, refs: Iterable[str], *, customer: object | None = None) -> Mapping[str, CatalogProduct]:  # noqa: ARG002
        """What can be bought of these references. Unknown, unpublished ones and groups are left out."""
        pictures = ProductImage.objects.order_by("-is_primary", "position", "id").values("pk")
        rows = Product.objects.sellable().published().filter(sku__in=list(refs)).select_related("parent")
        products: list[Any] = list(
            rows.annotate(
                picture=Coalesce(
                    Subquery(pictures.filter(product=OuterRef("pk"))[:1]),
                    Subquery(pictures.filter(product=OuterRef("parent"))[:1]),
                )
            )
        )
        images = ProductImage.objects.in_bulk([row.picture for row in products if row.picture])
        return {product.sku: _seen(product, images.get(product.picture)) for product in products}

    def reserve(self, quantities: Mapping[str, int], *, reference: str) -> Mapping[str, int]:
        """Take stock for all lines or none. Returns ``{}`` or, for each short ref, what is available."""
        return inventory.reserve(quantities, reference=reference)

    def release(self, quantities: Mapping[str, int], *, reference: str) -> None:
        """Give back what was reserved."""
        inventory.release(quantities, reference=reference)

    def ship(self, quantities: Mapping[str, int], *, reference: str) -> None:
        """Take what was reserved out of the house."""
        inventory.ship(quantities, reference=reference)

    def restock(self, quantities: Mapping[str, int], *, reference: str) -> None:
        """Put what came back on hand."""
        inventory.restock(quantities, reference=reference)


def _seen(product: Product, image: ProductImage | None) -> CatalogProduct:
    options = ", ".join(str(value) for value in product.options.values())
    return CatalogProduct(
        ref=product.sku,
        sku=product.sku,
        name=f"{product.name} ({options})" if options and product.parent is not None else product.name,
        unit_price=money.quantise(product.price),
        currency=app_settings.CURRENCY,
        tax_class=product.tax_class,
        price_includes_tax=app_settings.PRICES_INCLUDE_TAX,
        available=product.available_quantity,
        weight=product.weight,
        url=product.get_absolute_url(),
        image=image.rendition_url("thumb") if image is not None else "",
    )
