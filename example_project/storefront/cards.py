"""Products as cards in lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Prefetch, prefetch_related_objects
from django.urls import reverse
from shop_catalog import browsing
from shop_catalog.models import Product, ProductImage, ProductKind

from storefront import pictures


@dataclass(frozen=True, kw_only=True)
class PriceTag:
    """The prices of a card. ``before`` is None unless the price was reduced."""

    amount: Decimal
    before: Decimal | None = None
    is_from: bool = False

    @property
    def percent_off(self) -> int:
        return int(100 * (1 - self.amount / self.before)) if self.before else 0


@dataclass(frozen=True, kw_only=True)
class Card:
    name: str
    url: str
    price: PriceTag | None
    picture: pictures.Picture | None
    rating: Decimal = Decimal(0)
    review_count: int = 0
    in_stock: bool = True


def price_tag(amount: Decimal | None, compare_at: Decimal | None, *, is_from: bool = False) -> PriceTag | None:
    """The prices to show; None for a product that is not for sale."""
    if amount is None:
        return None
    before = compare_at if compare_at is not None and compare_at > amount else None
    return PriceTag(amount=amount, before=before, is_from=is_from)


def of_rows(rows: Iterable[browsing.ListedProduct]) -> list[Card]:
    return [
        Card(
            name=row.name,
            url=reverse("storefront:product", kwargs={"slug": row.slug}),
            price=price_tag(row.price, row.compare_at_price, is_from=row.kind == ProductKind.GROUP),
            picture=pictures.of_file(row.image, alt=row.image_alt or row.name, renditions=row.image_renditions or ""),
            rating=row.rating_average,
            review_count=row.rating_count,
            in_stock=row.in_stock,
        )
        for row in rows
    ]


def of_products(products: Sequence[Product]) -> list[Card]:
    """Small cards for suggestions: name, picture and price."""
    prefetch_related_objects(products, Prefetch("images", ProductImage.objects.filter(is_primary=True)))
    found = []
    for product in products:
        images = list(product.images.all())
        found.append(
            Card(
                name=product.name,
                url=product.get_absolute_url(),
                price=price_tag(product.price, None, is_from=product.kind == ProductKind.GROUP),
                picture=pictures.of_image(images[0], alt=product.name) if images else None,
            )
        )
    return found
