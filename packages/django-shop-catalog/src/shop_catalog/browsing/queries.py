"""Compiled statements of lists and product pages."""

from __future__ import annotations

import uuid
from collections.abc import Hashable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connections
from django.db.models import F, IntegerField, Min, OuterRef, Q, QuerySet, Subquery, TextField, Value
from django.db.models.functions import Coalesce, NullIf
from django.db.models.lookups import In
from shop_core.db.compiled import CompiledQuery

from shop_catalog.browsing.filters import Filters
from shop_catalog.browsing.matching import Reading, product_field
from shop_catalog.browsing.pages import build_page
from shop_catalog.categories.queries import version_expression
from shop_catalog.managers import published_at
from shop_catalog.models import Category, PriceChange, Product, ProductCategory, ProductImage
from shop_catalog.models.image import image_srcset, image_url


class ListedProduct(NamedTuple):
    """A product as lists show it. ``sort_value`` is the value by which the list is ordered.

    ``price`` is ``None`` only in lists with unpublished products: it is not given, or a group has no variant on sale.
    """

    id: int
    slug: str
    sku: str
    name: str
    kind: str
    price: Decimal | None
    compare_at_price: Decimal | None
    in_stock: bool
    is_featured: bool
    is_active: bool
    rating_average: Decimal
    rating_count: int
    image: str | None
    image_alt: str | None
    image_renditions: str | None
    sort_value: Any


class Place(NamedTuple):
    """The place where a page ends: the sort value and the key of its last row.

    ``in_groups``: the place is in a list by relevance with so many matches that they are listed in groups.
    """

    value: Any
    id: int
    in_groups: bool = False


class SubtreeBounds(NamedTuple):
    """A category, its place in the tree, the number of products in its subtree, and the shop's newest product."""

    category_id: int
    tree_id: int
    lft: int
    rght: int
    product_count: int | None
    newest_id: int | None


class NewestKey(NamedTuple):
    id: int


class CategoryLink(NamedTuple):
    product_id: int
    category_id: int
    tree_version: uuid.UUID


class PathLink(NamedTuple):
    category_id: int
    tree_version: uuid.UUID


class ProductDetails(NamedTuple):
    """A product's columns. ``listed_id`` is its own id, or that of its group.

    ``lowest_price`` is that of the last 30 days. A product without a price is not for sale. A variant without a
    description or weight has that of its group.
    """

    id: int
    listed_id: int
    sku: str
    slug: str
    name: str
    kind: str
    group_slug: str | None
    description: str
    price: Decimal | None
    compare_at_price: Decimal | None
    lowest_price: Decimal | None
    tax_class: str
    attributes: dict[str, Any]
    options: dict[str, Any]
    weight: Decimal | None
    stock_quantity: int
    reserved_quantity: int
    is_active: bool
    is_featured: bool
    publish_from: datetime | None
    publish_until: datetime | None
    rating_average: Decimal
    rating_count: int


class Image(NamedTuple):
    """An image. Its URLs are built without opening the file."""

    public_id: uuid.UUID
    file: str
    alt: str
    width: int
    height: int
    is_primary: bool
    renditions: str

    @property
    def url(self) -> str:
        return image_url(self.file)

    def rendition_url(self, rendition: str) -> str:
        return image_url(self.file, rendition, made=self.renditions)

    @property
    def srcset(self) -> str:
        return image_srcset(self.file, made=self.renditions)


class Variant(NamedTuple):
    sku: str
    slug: str
    name: str
    options: dict[str, Any]
    price: Decimal | None
    compare_at_price: Decimal | None
    stock_quantity: int
    reserved_quantity: int
    is_active: bool

    @property
    def available(self) -> int:
        return self.stock_quantity - self.reserved_quantity


def page_rows(
    filters: Filters,
    values: Mapping[str, Any],
    *,
    search: Hashable,
    reading: Reading,
    ordering: str,
    has_after: bool,
    limit: int,
) -> list[ListedProduct]:
    """One page of listed products. ``values`` has the values of the filters.

    Without ``search``, the shape of a prepared search, the backend's plain queryset is run.
    """
    place = (search, reading, ordering, has_after, limit)
    if filters.q and search is None:
        return _PAGE.plain_rows(filters, *place, **values)
    return _PAGE.rows(filters.shape, *place, **values)


def subtree_bounds(slug: str) -> SubtreeBounds | None:
    return _BOUNDS.first(slug=slug)


def newest_key() -> int:
    """The key of the newest product, as an estimate of the number of products. 0 if there is none."""
    return next((row.id for row in _NEWEST.rows()), 0)


def category_links(product_ids: list[int]) -> list[CategoryLink]:
    """The categories of listed products, with the tree's version. One statement."""
    padded = product_ids + product_ids[-1:] * (-len(product_ids) % 10)
    return _LINKS.rows(len(padded), **{f"id{index}": pk for index, pk in enumerate(padded)})


def product_details(slug: str, *, now: datetime, since: datetime, with_unpublished: bool) -> ProductDetails | None:
    """One product. ``lowest_price`` covers the time from ``since``."""
    return _PRODUCT.first(with_unpublished, slug=slug, now=now, since=since)


def product_images(product_id: int, listed_id: int) -> list[Image]:
    return _IMAGES.rows(own=product_id, listed=listed_id)


def product_variants(group_id: int, *, now: datetime, with_unpublished: bool) -> list[Variant]:
    return _VARIANTS.rows(with_unpublished, group=group_id, now=now)


def path_links(listed_id: int) -> list[PathLink]:
    """The categories of a listed product in their order, with the tree's version."""
    return _PATHS.rows(product=listed_id)


def compiles_statements(alias: str) -> bool:
    """Whether the database is PostgreSQL and compiles statements with a high estimated cost (JIT)."""
    connection = connections[alias]
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_jit_available() AND current_setting('jit_above_cost')::float8 >= 0")
        return bool(cursor.fetchone()[0])


def _build_bounds(p: Any) -> QuerySet[Any, Any]:
    slug = p("slug", Category._meta.get_field("slug"))
    newest = Subquery(_build_newest(p))
    rows: QuerySet[Any, Any] = Category.objects.order_by().filter(slug=slug)
    return rows.values_list("pk", "tree_id", "lft", "rght", "statistics__product_count", newest)


def _build_newest(_p: Any) -> QuerySet[Any, Any]:
    keys: QuerySet[Any, Any] = Product.objects.order_by("-pk").values_list("pk")[:1]
    return keys


def _build_links(p: Any, size: int) -> QuerySet[Any, Any]:
    ids: Iterable[Any] = [p(f"id{index}", IntegerField()) for index in range(size)]
    links = ProductCategory.objects.filter(In(F("product_id"), ids)).order_by("product", "position", "pk")
    columns: QuerySet[Any, Any] = links.values_list("product_id", "category_id", version_expression())
    return columns


def _build_product(p: Any, with_unpublished: bool) -> QuerySet[Any, Any]:  # noqa: FBT001
    now, since = p("now", product_field("publish_from")), p("since", product_field("publish_from"))
    products: QuerySet[Any, Any] = Product.objects.filter(slug=p("slug", product_field("slug")))
    if not with_unpublished:
        products = products.filter(published_at(now), Q(parent__isnull=True) | published_at(now, prefix="parent__"))
    recent = PriceChange.objects.order_by().filter(product=OuterRef("pk"), changed_at__gte=since)
    lowest = recent.values("product").annotate(lowest=Min("old_price")).values("lowest")
    listed_id = Coalesce(F("parent_id"), F("pk"))
    rows: QuerySet[Any, Any] = products.annotate(
        listed_id=listed_id, group_slug=F("parent__slug"), lowest_price=Coalesce(Subquery(lowest), F("price"))
    )
    own = NullIf(F("description"), Value("", output_field=TextField()))
    from_group = {
        "description": Coalesce(own, F("parent__description"), Value(""), output_field=TextField()),
        "weight": Coalesce(F("weight"), F("parent__weight")),
    }
    columns: QuerySet[Any, Any] = rows.values_list(*(from_group.get(name, name) for name in ProductDetails._fields))
    return columns


def _build_images(p: Any) -> QuerySet[Any, Any]:
    products = [p("own", product_field("id")), p("listed", product_field("id"))]
    return (
        ProductImage.objects.filter(In(F("product_id"), products))
        .order_by("-is_primary", "position", "id")
        .values_list(*Image._fields)
    )


def _build_variants(p: Any, with_unpublished: bool) -> QuerySet[Any, Any]:  # noqa: FBT001
    variants: QuerySet[Any, Any] = Product.objects.filter(parent=p("group", product_field("id")))
    if not with_unpublished:
        variants = variants.filter(published_at(p("now", product_field("publish_from"))))
    return variants.order_by("position", "pk").values_list(*Variant._fields)


def _build_paths(p: Any) -> QuerySet[Any, Any]:
    links = ProductCategory.objects.filter(product=p("product", product_field("id"))).order_by("position", "pk")
    columns: QuerySet[Any, Any] = links.values_list("category_id", version_expression())
    return columns


_PAGE = CompiledQuery(Product, build_page, row=ListedProduct, reads=True)
_BOUNDS = CompiledQuery(Category, _build_bounds, row=SubtreeBounds, reads=True)
_NEWEST = CompiledQuery(Product, _build_newest, row=NewestKey, reads=True)
_LINKS = CompiledQuery(ProductCategory, _build_links, row=CategoryLink, reads=True)
_PRODUCT = CompiledQuery(Product, _build_product, row=ProductDetails, reads=True)
_IMAGES = CompiledQuery(ProductImage, _build_images, row=Image, reads=True)
_VARIANTS = CompiledQuery(Product, _build_variants, row=Variant, reads=True)
_PATHS = CompiledQuery(ProductCategory, _build_paths, row=PathLink, reads=True)
