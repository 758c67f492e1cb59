"""The catalogue as a source of products for who sells them: a cart, an order, a till.

The class has the shape that ``shop_orders`` asks for and imports nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, JSONObject
from django.db.models.lookups import In
from django.urls import reverse
from django.utils import timezone

from shop_catalog import inventory, money
from shop_catalog.conf import app_settings
from shop_catalog.hot_query import HotQuery
from shop_catalog.managers import published_at
from shop_catalog.models import Product, ProductImage
from shop_catalog.models.image import image_url


@dataclass(frozen=True)
class CatalogProduct:
    """What a seller needs to know of a product. ``ref`` is the SKU; ``weight`` is in kg.

    Its addresses are made when they are asked for: a cart shows them, an order does not.
    """

    sku: str
    name: str
    unit_price: Decimal
    currency: str
    tax_class: str
    price_includes_tax: bool
    available: int
    weight: Decimal | None
    page_slug: str
    picture: Mapping[str, Any] | None

    @property
    def ref(self) -> str:
        return self.sku

    @property
    def url(self) -> str:
        """As ``Product.get_absolute_url`` has it."""
        name = app_settings.PRODUCT_URL
        return reverse(name, kwargs={"slug": self.page_slug}) if name else ""

    @property
    def image(self) -> str:
        picture = self.picture
        return image_url(picture["file"], "thumb" if picture["has_renditions"] else "") if picture else ""


class CatalogProductSource:
    """Sells the simple products and variants of this catalogue, by SKU."""

    def fetch(self, refs: Iterable[str], *, customer: object | None = None) -> Mapping[str, CatalogProduct]:  # noqa: ARG002
        """What can be bought of these references. Unknown, unpublished ones and groups are left out."""
        wanted = set(refs)
        if not wanted:
            return {}
        parameters = inventory.sku_parameters(wanted)
        found = _ON_SALE.rows(len(parameters), now=timezone.now(), **parameters)
        return {row.sku: _seen(row) for row in (_Row(*values) for values in found)}

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


class _Row(NamedTuple):
    """The columns of a product on sale. ``picture`` has the name of a file and whether renditions lie beside it."""

    sku: str
    name: str
    options: dict[str, Any]
    price: Decimal
    tax_class: str
    stock_quantity: int
    reserved_quantity: int
    weight: Decimal | None
    slug: str
    parent_slug: str | None
    picture: dict[str, Any] | None


def _seen(row: _Row) -> CatalogProduct:
    options = ", ".join(map(str, row.options.values())) if row.parent_slug is not None else ""
    return CatalogProduct(
        sku=row.sku,
        name=f"{row.name} ({options})" if options else row.name,
        unit_price=money.quantise(row.price),
        currency=app_settings.CURRENCY,
        tax_class=row.tax_class,
        price_includes_tax=app_settings.PRICES_INCLUDE_TAX,
        available=row.stock_quantity - row.reserved_quantity,
        weight=row.weight,
        page_slug=row.parent_slug or row.slug,
        picture=row.picture,
    )


def _build_on_sale(p: Any, places: int) -> QuerySet[Any, Any]:
    sku, now = Product._meta.get_field("sku"), p("now", Product._meta.get_field("publish_from"))
    named = In(F("sku"), [p(f"sku{place}", sku) for place in range(places)])
    pictures = ProductImage.objects.order_by("-is_primary", "position", "id")
    picture = pictures.values(json=JSONObject(file="file", has_renditions="has_renditions"))
    rows: QuerySet[Any, Any] = (
        Product.objects.filter(named)
        .sellable()
        .filter(published_at(now), Q(parent__isnull=True) | published_at(now, prefix="parent__"))
        .annotate(
            picture=Coalesce(
                Subquery(picture.filter(product=OuterRef("pk"))[:1]),
                Subquery(picture.filter(product=OuterRef("parent"))[:1]),
            )
        )
        .values_list(
            "sku",
            "name",
            "options",
            "price",
            "tax_class",
            "stock_quantity",
            "reserved_quantity",
            "weight",
            "slug",
            "parent__slug",
            "picture",
        )
    )
    return rows


_ON_SALE = HotQuery(Product, _build_on_sale)
