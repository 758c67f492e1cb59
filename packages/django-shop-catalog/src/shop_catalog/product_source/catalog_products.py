"""Products of this catalogue, for an app that sells them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from django.urls import reverse
from django.utils import timezone
from django.utils.module_loading import import_string
from shop_core.money import quantise

from shop_catalog import inventory
from shop_catalog.conf import app_settings
from shop_catalog.models import Product
from shop_catalog.models.image import image_url
from shop_catalog.product_source import queries
from shop_catalog.product_source.queries import ProductOnSale


class CatalogProduct(NamedTuple):
    """The data of a product that an app needs to sell it. ``ref`` is the SKU; ``weight`` is in kg.

    ``url`` is that of its page, see ``Product.get_absolute_url``; "" without one, as ``image`` without an image.
    """

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
    line_options: Sequence[str] = ()


class CatalogProductSource:
    """Sells the simple products and variants of this catalogue, by SKU.

    ``line_options`` is the dotted path of a function: given an SKU, it returns the names of the texts that a buyer may
    type for the product, such as ``["Engraving"]``.
    """

    stock_model = Product
    """The model whose rows are changed in the caller's transaction, which must be on the same database."""

    def __init__(self, *, line_options: str = "") -> None:
        self.line_options: Callable[[str], Sequence[str]] | None = (
            import_string(line_options) if line_options else None
        )

    def fetch(self, refs: Iterable[str], *, customer: object | None = None) -> Mapping[str, CatalogProduct]:  # noqa: ARG002
        """The published simple products and variants, by reference, also those without stock. Others are left out."""
        wanted = {ref for ref in refs if "\x00" not in ref}  # PostgreSQL refuses NUL, and no SKU contains it
        if not wanted:
            return {}
        rows = queries.products_on_sale(wanted, now=timezone.now())
        shop = _Shop(app_settings.CURRENCY, app_settings.PRODUCT_URL, app_settings.PRICES_INCLUDE_TAX)
        products = {row.sku: _product_of(row, shop) for row in rows}
        if self.line_options is None:
            return products
        return {sku: row._replace(line_options=tuple(self.line_options(sku))) for sku, row in products.items()}

    def reserve(self, quantities: Mapping[str, int], *, reference: str) -> Mapping[str, int]:
        """Reserve stock for all lines or none. Returns ``{}``, or ``{ref: available}`` of those that are short."""
        return inventory.reserve(quantities, reference=reference)

    def release(self, quantities: Mapping[str, int], *, reference: str) -> None:
        """Give reserved stock back."""
        inventory.release(quantities, reference=reference)

    def ship(self, quantities: Mapping[str, int], *, reference: str) -> None:
        """Remove reserved goods that were shipped."""
        inventory.ship(quantities, reference=reference)

    def restock(self, quantities: Mapping[str, int], *, reference: str) -> None:
        """Add goods that were returned."""
        inventory.restock(quantities, reference=reference)


class _Shop(NamedTuple):
    """The settings that products need."""

    currency: str
    page: str | None
    prices_include_tax: bool


def _product_of(row: ProductOnSale, shop: _Shop) -> CatalogProduct:
    options = ", ".join(map(str, row.options.values())) if row.parent_slug is not None else ""
    picture = row.picture
    return CatalogProduct(
        ref=row.sku,
        sku=row.sku,
        name=f"{row.name} ({options})" if options else row.name,
        unit_price=quantise(row.price, shop.currency),
        currency=shop.currency,
        tax_class=row.tax_class,
        price_includes_tax=shop.prices_include_tax,
        available=row.stock_quantity - row.reserved_quantity,
        weight=row.weight,
        url=reverse(shop.page, kwargs={"slug": row.parent_slug or row.slug}) if shop.page else "",
        image=image_url(picture["file"], "thumb", made=picture["renditions"]) if picture else "",
    )
