"""Products: lists, a single product, featured products, and changes by staff."""

from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import Path, Query, Schema
from ninja.errors import HttpError
from ninja.responses import Status
from pydantic import Field
from pydantic_core import to_json
from shop_core.api.auth import OPTIONAL_SECURITY
from shop_core.api.problems import responses
from shop_core.api.types import Money, SearchText
from shop_core.exceptions import PermissionMissing

from shop_catalog import browsing, categories, money, products
from shop_catalog.api import auth
from shop_catalog.api.routers import router
from shop_catalog.api.schemas import ProductDetail, ProductIn, ProductPage, ProductPatch
from shop_catalog.conf import app_settings
from shop_catalog.exceptions import UnknownProduct
from shop_catalog.models import Product, ProductImage
from shop_catalog.models.image import image_url
from shop_catalog.types import Cursor, Limit, Slug, given

PRODUCT_PATH = "/products/{slug}/"


class Paging(Schema):
    cursor: Cursor = ""
    limit: Limit = 20


class ProductFilters(Paging):
    q: SearchText = Field("", description="Search words.")
    category: Slug | None = Field(None, description="A category's slug; products of its whole subtree are included.")
    min_price: Money | None = None
    max_price: Money | None = None
    in_stock: bool | None = None
    featured: bool | None = None
    attributes: list[SearchText] = Field(
        [],
        max_length=10,
        description="An attribute as name:value, of the product or of one of its variants. The value may be empty. "
        "In the name, write a colon as \\: and a backslash as \\\\.",
    )
    rating: Decimal | None = Field(
        None, ge=0, le=5, max_digits=3, decimal_places=2, description="The lowest average rating to include."
    )
    related_to: Slug | None = Field(
        None, description="The slug of a product; lists other products that share a category with it."
    )
    order: Literal["newest", "price", "-price", "name", "-name", "rating", "relevance"] | None = Field(
        None, description="By default newest first, or by relevance if q is given."
    )
    count: bool = Field(default=False, description="Whether to count the matching products, up to 1000.")
    facets: bool = Field(
        default=False, description="Whether to count the matching products by category, attribute, price and rating."
    )
    include_inactive: bool = Field(default=False, description="For staff.")


@router.get(
    "/products/",
    auth=auth.optional,
    response={200: ProductPage, 304: None, **responses(401, 403, 404)},
    operation_id="list_products",
    summary="List, filter and search products",
    openapi_extra=OPTIONAL_SECURITY,
)
def list_products(request: HttpRequest, filters: Query[ProductFilters]) -> Any:
    if filters.include_inactive and not auth.is_staff(request, "shop_catalog.view_product"):
        raise PermissionMissing("shop_catalog.view_product")
    wanted = browsing.Filters(
        q=filters.q,
        category=filters.category or "",
        min_price=filters.min_price,
        max_price=filters.max_price,
        in_stock=filters.in_stock,
        featured=filters.featured,
        rating=filters.rating,
        attributes=tuple(_attribute(text) for text in filters.attributes),
        related_to=filters.related_to or "",
        with_unpublished=filters.include_inactive,
    )
    order = filters.order or ("relevance" if filters.q else "newest")
    body = _page(wanted, order=order, paging=filters)
    if filters.count:
        body["count"], body["count_is_exact"] = browsing.count_products(wanted)
    if filters.facets:
        body["facets"] = _facets(wanted)
    return _json(body)


@router.get(
    "/products/featured/",
    auth=auth.optional,
    response={200: ProductPage, 304: None, **responses(401)},
    operation_id="list_featured_products",
    summary="List featured products, newest first",
    openapi_extra=OPTIONAL_SECURITY,
)
def list_featured_products(request: HttpRequest, paging: Query[Paging]) -> Any:  # noqa: ARG001
    return _json(_page(browsing.Filters(featured=True), order="newest", paging=paging))


@router.get(
    PRODUCT_PATH,
    auth=auth.optional,
    response={200: ProductDetail, 304: None, **responses(401, 404)},
    operation_id="get_product",
    summary="One product with its variants, images and breadcrumbs",
    openapi_extra=OPTIONAL_SECURITY,
)
def get_product(request: HttpRequest, slug: Path[Slug]) -> Any:
    page = browsing.find_product(slug)
    if page is None and auth.is_staff(request, "shop_catalog.view_product"):
        page = browsing.find_product(slug, with_unpublished=True)
    return _json(_detail(page, slug))


@router.post(
    "/products/",
    auth=auth.staff,
    response={201: ProductDetail, **responses(401, 403, 404, 409)},
    operation_id="create_product",
    summary="Add a product",
)
def create_product(request: HttpRequest, payload: ProductIn) -> Any:
    user = auth.check_permission(request, "shop_catalog.add_product")
    values = _values(payload, without={"sku", "kind", "parent", "stock_quantity"})
    parent = products.get(payload.parent) if payload.parent else None
    product = products.create(
        payload.sku,
        kind=payload.kind,
        parent=parent,
        stock_quantity=payload.stock_quantity or 0,
        by=user,
        **values,
    )
    return Status(201, _detail(browsing.find_product(product.slug, with_unpublished=True), product.slug))


@router.patch(
    PRODUCT_PATH,
    auth=auth.staff,
    response={200: ProductDetail, **responses(401, 403, 404, 409)},
    operation_id="update_product",
    summary="Change a product",
)
def update_product(request: HttpRequest, slug: Path[Slug], payload: ProductPatch) -> Any:
    user = auth.check_permission(request, "shop_catalog.change_product")
    product = products.change(by_slug(slug), by=user, **_values(payload, without=set()))
    return _detail(browsing.find_product(product.slug, with_unpublished=True), product.slug)


@router.delete(
    PRODUCT_PATH,
    auth=auth.staff,
    response={204: None, **responses(401, 403, 404)},
    operation_id="delete_product",
    summary="Delete a product, or a group with its variants",
)
def delete_product(request: HttpRequest, slug: Path[Slug]) -> Any:
    auth.check_permission(request, "shop_catalog.delete_product")
    products.delete(by_slug(slug))
    return Status(204, None)


def by_slug(slug: str) -> Product:
    product = Product.objects.select_related("parent").filter(slug=slug).first()
    if product is None:
        raise UnknownProduct(_("There is no product %(slug)s.") % {"slug": slug})
    return product


def image_out(image: browsing.Image | ProductImage) -> dict[str, Any]:
    return {
        "id": image.public_id,
        "url": image.url,
        "alt": image.alt,
        "width": image.width,
        "height": image.height,
        "is_primary": image.is_primary,
        "renditions": {name: image.rendition_url(name) for name in app_settings.RENDITION_WIDTHS},
    }


def _attribute(text: str) -> tuple[str, str]:
    pair = browsing.attribute_from_text(text)
    if pair is None:
        raise HttpError(422, _("Write attributes as name:value."))
    return pair


def _page(wanted: browsing.Filters, *, order: str, paging: Paging) -> dict[str, Any]:
    after = browsing.place_from_cursor(paging.cursor, ordering=order) if paging.cursor else None
    page = browsing.list_products(wanted, ordering=order, after=after, limit=paging.limit)
    currency = app_settings.CURRENCY
    return {
        "items": [_item(row, page.categories[row.id], currency) for row in page.rows],
        "next": browsing.place_to_cursor(page.next, ordering=order) if page.next is not None else None,
        "corrected": page.corrected,
    }


def _facets(wanted: browsing.Filters) -> dict[str, Any]:
    found = browsing.count_facets(wanted)
    return {
        **asdict(found),
        "min_price": money.as_text(found.min_price),
        "max_price": money.as_text(found.max_price),
        "prices": [
            {"start": money.as_text(band.start), "below": money.as_text(band.below), "count": band.count}
            for band in found.prices
        ],
        "ratings": {str(stars): number for stars, number in found.ratings.items()},
    }


def _item(row: browsing.ListedProduct, nodes: list[Any], currency: str) -> dict[str, Any]:
    return {
        "sku": row.sku,
        "slug": row.slug,
        "name": row.name,
        "kind": row.kind,
        "price": money.as_text(row.price),
        "compare_at_price": money.as_text(row.compare_at_price),
        "currency": currency,
        "in_stock": row.in_stock,
        "is_featured": row.is_featured,
        "rating": str(row.rating_average),
        "rating_count": row.rating_count,
        "image": _card(row),
        "categories": [{"slug": node.slug, "name": node.name} for node in nodes],
    }


def _card(row: browsing.ListedProduct) -> dict[str, Any] | None:
    if not row.image:
        return None
    return {"url": image_url(row.image, "card", made=row.image_renditions or ""), "alt": row.image_alt}


def _detail(page: browsing.ProductPage | None, slug: str) -> dict[str, Any]:
    if page is None:
        raise UnknownProduct(_("There is no product %(slug)s.") % {"slug": slug})
    product = page.product
    return {
        "sku": product.sku,
        "slug": product.slug,
        "name": product.name,
        "kind": product.kind,
        "group": product.group_slug,
        "description": product.description,
        "price": money.as_text(product.price),
        "compare_at_price": money.as_text(product.compare_at_price),
        "lowest_price_30_days": money.as_text(product.lowest_price),
        "currency": app_settings.CURRENCY,
        "price_includes_tax": app_settings.PRICES_INCLUDE_TAX,
        "tax_class": product.tax_class,
        "attributes": product.attributes,
        "options": product.options,
        "weight": None if product.weight is None else str(product.weight),
        "available": page.available,
        "in_stock": page.available > 0,
        "is_active": product.is_active,
        "is_featured": product.is_featured,
        "publish_from": _in_utc(product.publish_from),
        "publish_until": _in_utc(product.publish_until),
        "rating": str(product.rating_average),
        "rating_count": product.rating_count,
        "images": [image_out(image) for image in page.images],
        "variants": [_variant(variant) for variant in page.variants],
        "breadcrumbs": [[{"slug": node.slug, "name": node.name} for node in path] for path in page.paths],
    }


def _variant(variant: browsing.Variant) -> dict[str, Any]:
    return {
        "sku": variant.sku,
        "slug": variant.slug,
        "name": variant.name,
        "options": variant.options,
        "price": money.as_text(variant.price),
        "compare_at_price": money.as_text(variant.compare_at_price),
        "available": variant.available,
        "in_stock": variant.available > 0,
        "is_active": variant.is_active,
    }


def _values(payload: ProductIn | ProductPatch, *, without: set[str]) -> dict[str, Any]:
    """The fields that were sent, as arguments of ``products.create`` and ``products.change``."""
    values = {name: value for name, value in given(payload).items() if name not in without}
    if "categories" in values:
        values["categories"] = [categories.get(slug) for slug in values["categories"]]
    return values


def _in_utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)


def _json(value: Any) -> HttpResponse:
    return HttpResponse(to_json(value), content_type="application/json")
