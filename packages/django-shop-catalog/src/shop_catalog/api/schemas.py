"""Bodies of requests and responses."""

from decimal import Decimal
from typing import Literal
from uuid import UUID

from ninja import Schema
from pydantic import Field
from shop_core.api.types import In, Money, ShortText, Text, Time, When

from shop_catalog.types import UNSET, JSONObject, Sku, Slug

MoneyText = str
"""An amount with the currency's number of decimals."""

PRICE_HELP = "0 means free of charge; null means that no price is given, for a group or an inactive product."


class CategoryLink(Schema):
    slug: str
    name: str


class CategoryImage(Schema):
    url: str
    renditions: dict[str, str] = Field(description="URL of each smaller copy by its name.")


class TreeNode(Schema):
    name: str
    slug: str
    level: int
    image: CategoryImage | None
    children: list["TreeNode"]


class CategoryOut(Schema):
    slug: str
    name: str
    parent: str | None
    level: int
    image: CategoryImage | None
    is_active: bool


class CategoryDetail(CategoryOut):
    description: str
    position: int
    ancestors: list[CategoryLink] = Field(description="From the root to the parent: the breadcrumbs.")
    children: list[CategoryLink]
    product_count: int = Field(description="Sellable published products in the whole subtree, each counted once.")


class CategoryPage(Schema):
    items: list[CategoryOut]
    next: str | None = Field(description="Cursor of the next page.")


class AveragePrice(Schema):
    category: str
    currency: str
    count: int
    average: MoneyText | None
    min: MoneyText | None
    max: MoneyText | None


class CategoryIn(In):
    name: ShortText = Field(min_length=1)
    slug: Slug | None = None
    parent: Slug | None = None
    description: Text = ""
    is_active: bool = Field(default=True, strict=True)
    position: int = Field(0, strict=True, ge=0, le=2**31 - 1)


class CategoryPatch(In):
    name: ShortText = Field(UNSET, min_length=1)
    slug: Slug = UNSET
    parent: Slug | None = Field(None, description="Slug of the new parent; null makes the category a root.")
    before: Slug = Field(UNSET, description="When moving: slug of the sibling to place it before.")
    description: Text = UNSET
    is_active: bool = Field(UNSET, strict=True)
    position: int = Field(UNSET, strict=True, ge=0, le=2**31 - 1)


class ImageOut(Schema):
    id: UUID
    url: str
    alt: str
    width: int
    height: int
    is_primary: bool
    renditions: dict[str, str] = Field(description="URL of each smaller copy by its name.")


class ListImage(Schema):
    url: str = Field(description="The card-sized copy.")
    alt: str


class ProductItem(Schema):
    sku: str
    slug: str
    name: str
    kind: Literal["simple", "group"]
    price: MoneyText | None = Field(
        description="For a group, the lowest price of its variants. Null only with include_inactive: not for sale."
    )
    compare_at_price: MoneyText | None
    currency: str
    in_stock: bool
    is_featured: bool
    rating: str
    rating_count: int
    image: ListImage | None
    categories: list[CategoryLink]


class PriceBandOut(Schema):
    start: MoneyText = Field(description="The lowest price of the band.")
    below: MoneyText = Field(description="The end of the band; this price is in the next one.")
    count: int


class FacetsOut(Schema):
    count: int = Field(description="Number of matching products.")
    categories: dict[str, int] = Field(
        description="Number of matching products by slug, for the category of the filter and those directly below it, "
        "or for the roots; each category includes its subtree."
    )
    attributes: dict[str, dict[str, int]] = Field(
        description="Number of matching products by attribute and value, for the attributes that the site counts. "
        "The counts of an attribute ignore the filter by that attribute."
    )
    other: dict[str, int] = Field(
        description="For each attribute, the number of matching products with values that are not in attributes."
    )
    in_stock: int
    min_price: MoneyText | None
    max_price: MoneyText | None
    prices: list[PriceBandOut] = Field(
        description="Bands of prices that have products: 10 to 20, 20 to 50, 50 to 100."
    )
    ratings: dict[str, int] = Field(description="Number of matching products rated at least 1, 2, 3 and 4.")
    is_exact: bool = Field(description="False if more than 20,000 products match the filters: numbers are estimates.")
    is_complete: bool = Field(description="False while the values of a new attribute are counted for the first time.")


class ProductPage(Schema):
    items: list[ProductItem]
    next: str | None = Field(description="Cursor of the next page.")
    count: int | None = Field(None, description="Only with count=true; at most 1000.")
    count_is_exact: bool | None = None
    facets: FacetsOut | None = Field(None, description="Only with facets=true.")
    corrected: str = Field("", description="The text that was searched instead, if no product has the words of q.")


class VariantOut(Schema):
    sku: str
    slug: str
    name: str
    options: dict[str, object]
    price: MoneyText | None = Field(description="Null if no price is given; the variant is then not for sale.")
    compare_at_price: MoneyText | None
    available: int
    in_stock: bool
    is_active: bool


class ProductDetail(Schema):
    sku: str
    slug: str
    name: str
    kind: Literal["simple", "group", "variant"]
    group: str | None = Field(description="For a variant, the slug of its group.")
    description: str
    price: MoneyText | None = Field(
        description="Null if no price is given, or no variant of the group is on sale; it is then not for sale."
    )
    compare_at_price: MoneyText | None
    lowest_price_30_days: MoneyText | None
    currency: str
    price_includes_tax: bool
    tax_class: str
    attributes: dict[str, object]
    options: dict[str, object]
    weight: str | None = Field(description="In kg.")
    available: int
    in_stock: bool
    is_active: bool
    is_featured: bool
    publish_from: Time | None
    publish_until: Time | None
    rating: str
    rating_count: int
    images: list[ImageOut]
    variants: list[VariantOut]
    breadcrumbs: list[list[CategoryLink]] = Field(description="One path per category, from the root.")


class ProductFields(In):
    description: Text = ""
    compare_at_price: Money | None = None
    tax_class: ShortText = Field("standard", min_length=1, max_length=32)
    attributes: JSONObject = {}
    options: JSONObject = {}
    weight: Decimal | None = Field(None, ge=0, max_digits=10, decimal_places=3)
    position: int = Field(0, strict=True, ge=0, le=2**31 - 1)
    is_active: bool = Field(default=True, strict=True)
    is_featured: bool = Field(default=False, strict=True)
    publish_from: When | None = None
    publish_until: When | None = None
    low_stock_threshold: int | None = Field(None, strict=True, ge=0, le=2**31 - 1)
    categories: list[Slug] = Field([], max_length=50)


class ProductIn(ProductFields):
    sku: Sku
    name: ShortText = Field("", description="Optional for a variant, which then takes its group's name.")
    slug: Slug | None = None
    kind: Literal["simple", "group", "variant"] = "simple"
    parent: Sku | None = Field(None, description="For a variant, the SKU of its group.")
    tax_class: ShortText = Field(
        "standard", min_length=1, max_length=32, description="Optional for a variant, which then takes its group's."
    )
    price: Money | None = Field(None, description=PRICE_HELP)
    stock_quantity: int | None = Field(
        None, strict=True, ge=1, le=2**31 - 1, description="Initial stock, recorded as a stock movement."
    )


class ProductPatch(ProductFields):
    """Fields that are not sent keep their values."""

    name: ShortText = Field(UNSET, min_length=1)
    slug: Slug = UNSET
    price: Money | None = Field(None, description=PRICE_HELP)


class MovementOut(Schema):
    kind: str
    stock_change: int
    reserved_change: int
    reference: str
    reason: str
    created_at: Time


class StockOut(Schema):
    sku: str
    on_hand: int
    reserved: int
    available: int
    low_stock_threshold: int | None
    movements: list[MovementOut] = Field(description="Newest first.")
    next: str | None = Field(description="Cursor of older movements.")


class StockIn(In):
    kind: Literal["receive", "adjust"]
    quantity: int = Field(
        strict=True,
        ge=-(2**31) + 1,
        le=2**31 - 1,
        description="The quantity received, or the difference to adjust by, which may be negative.",
    )
    reason: ShortText = Field("", description="Required to adjust.")
    reference: str = Field(
        "", max_length=100, pattern=r"^[\x20-\x7e]*$", description="For example the number of a delivery note."
    )
