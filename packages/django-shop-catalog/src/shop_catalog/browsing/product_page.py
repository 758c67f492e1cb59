"""The page of one product: four statements at most."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.utils import timezone

from shop_catalog import categories
from shop_catalog.browsing import queries
from shop_catalog.browsing.queries import Image, ProductDetails, Variant
from shop_catalog.models import ProductKind, texts
from shop_catalog.products import LOWEST_PRICE_WINDOW


@dataclass(frozen=True)
class ProductPage:
    """A product with its images, variants and breadcrumbs. A variant has its group's images and paths.

    ``tree`` is the tree that the paths are from, ``None`` if the product has no categories.
    """

    product: ProductDetails
    images: list[Image]
    variants: list[Variant]
    paths: list[list[categories.Node]]
    tree: categories.CategoryTree | None = None

    @property
    def available(self) -> int:
        own = self.product.stock_quantity - self.product.reserved_quantity
        return own + sum(variant.available for variant in self.variants)


def find_product(slug: str, *, with_unpublished: bool = False) -> ProductPage | None:
    """The page of a product or a variant; ``None`` for an unknown or unpublished one."""
    if not texts.is_storable(slug):
        return None
    now = timezone.now()
    product = queries.product_details(
        slug, now=now, since=now - LOWEST_PRICE_WINDOW, with_unpublished=with_unpublished
    )
    if product is None:
        return None
    variants: list[Variant] = []
    if product.kind == ProductKind.GROUP:
        variants = queries.product_variants(product.id, now=now, with_unpublished=with_unpublished)
        if not with_unpublished:
            product = product._replace(price=_lowest_variant_price(variants), lowest_price=None)
    links = queries.path_links(product.listed_id)
    tree = categories.tree_at(links[0].tree_version) if links else None
    return ProductPage(
        product=product._replace(lowest_price=_lowest(product)),
        images=queries.product_images(product.id, product.listed_id),
        variants=variants,
        paths=_paths(tree, [link.category_id for link in links]),
        tree=tree,
    )


def _lowest_variant_price(variants: list[Variant]) -> Decimal | None:
    """The lowest price of the variants on sale now. A job updates the stored price after a scheduled publication."""
    return min((variant.price for variant in variants if variant.price is not None), default=None)


def _lowest(product: ProductDetails) -> Decimal | None:
    """The lowest recent price, including the current one; ``None`` if there is no current price."""
    if product.price is None or product.lowest_price is None:
        return product.price
    return min(product.price, product.lowest_price)


def _paths(tree: categories.CategoryTree | None, category_ids: list[int]) -> list[list[categories.Node]]:
    paths = [tree.path(category_id) for category_id in category_ids] if tree is not None else []
    return [path for path in paths if path and path[-1].is_visible]
