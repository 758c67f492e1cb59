"""The offers of a product page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from shop_catalog.browsing import ProductPage
from shop_catalog.models import ProductKind

from storefront import cards, pictures, queries

FEW_LEFT = 5
"""At or below this number the page shows how many are left."""


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A simple product or a variant."""

    sku: str
    label: str
    price: cards.PriceTag
    available: int

    @property
    def is_few(self) -> bool:
        return 0 < self.available <= FEW_LEFT


class Bar(NamedTuple):
    """The number and the percentage of the reviews with this many stars."""

    stars: int
    number: int
    percent: int


def of_product(view: ProductPage) -> list[Offer]:
    """One offer for a simple product, one for each variant of a group. A product without a price is not for sale."""
    if view.product.kind == ProductKind.GROUP:
        return [
            Offer(
                sku=variant.sku,
                label=" / ".join(str(value) for value in variant.options.values()) or variant.name or variant.sku,
                price=price,
                available=max(variant.available, 0),
            )
            for variant in view.variants
            if (price := cards.price_tag(variant.price, variant.compare_at_price)) is not None
        ]
    own_price = cards.price_tag(view.product.price, view.product.compare_at_price)
    if own_price is None:
        return []
    return [Offer(sku=view.product.sku, label=view.product.name, price=own_price, available=max(view.available, 0))]


def option_names(view: ProductPage) -> str:
    """The options in which the variants differ: ``size``, or ``size / colour``."""
    return " / ".join(dict.fromkeys(name for variant in view.variants for name in variant.options))


def chosen(offers: list[Offer], sku: str) -> Offer | None:
    """The offer of a SKU if it is available, else the first available one; None if all are sold out."""
    buyable = [offer for offer in offers if offer.available]
    return next((offer for offer in buyable if offer.sku == sku), buyable[0] if buyable else None)


def pictures_of(view: ProductPage) -> list[pictures.Picture]:
    return [pictures.of_image(image, alt=view.product.name) for image in view.images]


def rating_bars(product_id: int) -> tuple[Bar, ...]:
    """The bars of a product's ratings, from five stars down to one."""
    counts = queries.rating_counts(product_id)
    total = sum(counts.values()) or 1
    return tuple(
        Bar(stars=stars, number=counts.get(stars, 0), percent=round(100 * counts.get(stars, 0) / total))
        for stars in (5, 4, 3, 2, 1)
    )


def facts(view: ProductPage) -> list[tuple[str, str]]:
    """Attributes, weight and SKU as texts. A group's SKU is left out."""
    found = [
        (name.replace("_", " ").capitalize(), ", ".join(map(str, value)) if isinstance(value, list) else str(value))
        for name, value in view.product.attributes.items()
    ]
    if view.product.weight:
        weight = number_format(view.product.weight.normalize(), use_l10n=True)
        found.append((_("Weight"), _("%(weight)s kg") % {"weight": weight}))
    if view.product.kind != ProductKind.GROUP:
        found.append((_("Article number"), view.product.sku))
    return found
