"""One product as its page shows it: four statements at most."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import F, Min, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.db.models.lookups import In
from django.utils import timezone

from shop_catalog import category_tree
from shop_catalog.hot_query import HotQuery
from shop_catalog.managers import published_at
from shop_catalog.models import PriceChange, Product, ProductCategory, ProductImage, ProductKind
from shop_catalog.models.image import image_url
from shop_catalog.products import LOWEST_PRICE_WINDOW

COLUMNS = (
    "id",
    "listed_id",
    "sku",
    "slug",
    "name",
    "kind",
    "parent__slug",
    "description",
    "price",
    "compare_at_price",
    "lowest_price",
    "tax_class",
    "attributes",
    "options",
    "weight",
    "stock_quantity",
    "reserved_quantity",
    "is_active",
    "is_featured",
    "publish_from",
    "publish_until",
    "rating_average",
    "rating_count",
)


VARIANT_COLUMNS = (
    "sku",
    "slug",
    "name",
    "options",
    "price",
    "compare_at_price",
    "stock_quantity",
    "reserved_quantity",
    "is_active",
)


class Image(NamedTuple):
    """A picture as its row says; no file is opened for it."""

    public_id: uuid.UUID
    file: str
    alt: str
    width: int
    height: int
    is_primary: bool
    has_renditions: bool

    @property
    def url(self) -> str:
        return image_url(self.file)

    def rendition_url(self, rendition: str) -> str:
        return image_url(self.file, rendition if self.has_renditions else "")


class Variant(NamedTuple):
    sku: str
    slug: str
    name: str
    options: dict[str, Any]
    price: Decimal
    compare_at_price: Decimal | None
    stock_quantity: int
    reserved_quantity: int
    is_active: bool

    @property
    def available(self) -> int:
        return self.stock_quantity - self.reserved_quantity


@dataclass(frozen=True)
class ProductView:
    """A product with what belongs to it. ``values`` are the columns; a variant has its group's images and paths."""

    values: dict[str, Any]
    images: list[Image]
    variants: list[Variant]
    paths: list[list[category_tree.Node]]

    @property
    def available(self) -> int:
        own: int = self.values["stock_quantity"] - self.values["reserved_quantity"]
        return own + sum(variant.available for variant in self.variants)


def find(slug: str, *, with_unpublished: bool = False) -> ProductView | None:
    """The page of a product or a variant; ``None`` where there is none to be seen."""
    now = timezone.now()
    since = now - LOWEST_PRICE_WINDOW
    rows = _PRODUCT.rows(with_unpublished, slug=slug, now=now, since=since)
    if not rows:
        return None
    values = dict(zip(COLUMNS, rows[0], strict=True))
    values["lowest_price"] = min(values["price"], values["lowest_price"] or values["price"])
    is_group = values["kind"] == ProductKind.GROUP
    return ProductView(
        values=values,
        images=[Image(*row) for row in _IMAGES.rows(own=values["id"], listed=values["listed_id"])],
        variants=[Variant(*row) for row in _VARIANTS.rows(with_unpublished, group=values["id"], now=now)]
        if is_group
        else [],
        paths=_paths(values["listed_id"]),
    )


def _paths(listed_id: int) -> list[list[category_tree.Node]]:
    rows = _LINKS.rows(product=listed_id)
    if not rows:
        return []
    tree = category_tree.at_version(rows[0][1])
    paths = [tree.path(category_id) for category_id, _version in rows]
    return [path for path in paths if path and path[-1].is_visible]


def _field(name: str) -> Any:
    return Product._meta.get_field(name)


def _build_product(p: Any, with_unpublished: bool) -> QuerySet[Any, Any]:  # noqa: FBT001
    now, since = p("now", _field("publish_from")), p("since", _field("publish_from"))
    products: QuerySet[Any, Any] = Product.objects.filter(slug=p("slug", _field("slug")))
    if not with_unpublished:
        products = products.filter(published_at(now), Q(parent__isnull=True) | published_at(now, prefix="parent__"))
    recent = PriceChange.objects.order_by().filter(product=OuterRef("pk"), changed_at__gte=since)
    lowest = recent.values("product").annotate(lowest=Min("old_price")).values("lowest")
    listed_id = Coalesce(F("parent_id"), F("pk"))
    rows: QuerySet[Any, Any] = products.annotate(listed_id=listed_id, lowest_price=Subquery(lowest))
    columns: QuerySet[Any, Any] = rows.values_list(*COLUMNS)
    return columns


def _build_images(p: Any) -> QuerySet[Any, Any]:
    products = [p("own", _field("id")), p("listed", _field("id"))]
    return (
        ProductImage.objects.filter(In(F("product_id"), products))
        .order_by("-is_primary", "position", "id")
        .values_list("public_id", "file", "alt", "width", "height", "is_primary", "has_renditions")
    )


def _build_variants(p: Any, with_unpublished: bool) -> QuerySet[Any, Any]:  # noqa: FBT001
    variants: QuerySet[Any, Any] = Product.objects.filter(parent=p("group", _field("id")))
    if not with_unpublished:
        variants = variants.filter(published_at(p("now", _field("publish_from"))))
    return variants.order_by("position", "pk").values_list(*VARIANT_COLUMNS)


def _build_links(p: Any) -> QuerySet[Any, Any]:
    links = ProductCategory.objects.filter(product=p("product", _field("id"))).order_by("position", "pk")
    columns: QuerySet[Any, Any] = links.values_list("category_id", category_tree.version_expression())
    return columns


_PRODUCT = HotQuery(Product, _build_product)
_IMAGES = HotQuery(ProductImage, _build_images)
_VARIANTS = HotQuery(Product, _build_variants)
_LINKS = HotQuery(ProductCategory, _build_links)
