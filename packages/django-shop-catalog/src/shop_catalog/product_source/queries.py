"""The compiled statement of the product source."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, JSONObject
from django.db.models.lookups import In
from shop_core.db.compiled import CompiledQuery

from shop_catalog.inventory.queries import sku_parameters
from shop_catalog.managers import published_at
from shop_catalog.models import Product, ProductImage


class ProductOnSale(NamedTuple):
    """The columns of a product on sale. A variant without a weight or an image has that of its group.

    ``picture`` is the name of the image's file, and whether the image has smaller copies.
    """

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


def products_on_sale(skus: Iterable[str], *, now: datetime) -> list[ProductOnSale]:
    """The published simple products and variants among some SKUs (at least one). One statement."""
    parameters = sku_parameters(skus)
    return _ON_SALE.rows(len(parameters), now=now, **parameters)


def _build_on_sale(p: Any, places: int) -> QuerySet[Any, Any]:
    sku, now = Product._meta.get_field("sku"), p("now", Product._meta.get_field("publish_from"))
    named = In(F("sku"), [p(f"sku{place}", sku) for place in range(places)])
    pictures = ProductImage.objects.order_by("-is_primary", "position", "id")
    picture = pictures.values(json=JSONObject(file="file", renditions="renditions"))
    weight = Coalesce(F("weight"), F("parent__weight"))
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
        .annotate(parent_slug=F("parent__slug"))
        .values_list(*(weight if name == "weight" else name for name in ProductOnSale._fields))
    )
    return rows


_ON_SALE = CompiledQuery(Product, _build_on_sale, row=ProductOnSale, reads=True)
