"""The columns of a product file, and the values that they accept."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Annotated, Any, Literal

from django.utils.translation import gettext as _
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from shop_core.api.types import Money, ShortText, Text, When

from shop_catalog.types import JSONObject, Sku, Slug

PRODUCT_COLUMNS = (
    "slug",
    "name",
    "description",
    "price",
    "compare_at_price",
    "tax_class",
    "attributes",
    "options",
    "position",
    "weight",
    "is_active",
    "is_featured",
    "publish_from",
    "publish_until",
    "low_stock_threshold",
)
"""Columns of a file that are columns of a product."""


def _parse_integer(value: Any) -> Any:
    """Convert the text of a CSV cell to a number."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


def _parse_flag(value: Any) -> Any:
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    return words.get(value.lower(), value) if isinstance(value, str) else value


def _parse_object(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise ValueError(_("Write a JSON object."))


def _split_categories(value: Any) -> Any:
    return [part.strip() for part in value.split("|") if part.strip()] if isinstance(value, str) else value


Whole = Annotated[int, Field(strict=True, ge=0, le=2**31 - 1), BeforeValidator(_parse_integer)]
Flag = Annotated[bool, Field(strict=True), BeforeValidator(_parse_flag)]
Object = Annotated[JSONObject, BeforeValidator(_parse_object)]


class ProductRow(BaseModel):
    """The columns of an import. Those that are not given keep their values.

    A new product needs a name. An active one needs a price, unless it is a group; zero means free of charge.
    """

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    sku: Sku
    name: Annotated[ShortText, Field(min_length=1)] = ""
    slug: Slug = ""
    kind: Literal["simple", "group", "variant"] | None = None
    parent: Sku | None = None
    description: Text = ""
    price: Money | None = None
    compare_at_price: Money | None = None
    tax_class: Annotated[ShortText, Field(min_length=1, max_length=32)] = "standard"
    attributes: Object = {}
    options: Object = {}
    position: Whole = 0
    weight: Annotated[Decimal, Field(ge=0, max_digits=10, decimal_places=3)] | None = None
    is_active: Flag = True
    is_featured: Flag = False
    publish_from: When | None = None
    publish_until: When | None = None
    low_stock_threshold: Whole | None = None
    categories: Annotated[list[Text], BeforeValidator(_split_categories), Field(max_length=50)] = []
    stock_quantity: Whole | None = None
