"""Product sources: the protocol, a source for any model, whose fields are named in the settings, and one that joins
several."""

from __future__ import annotations

from typing import cast

from django.utils.module_loading import import_string

from shop_orders.conf import app_settings
from shop_orders.product_sources.base import DetailedProduct, ProductSource, SourceProduct
from shop_orders.product_sources.chooser import SourceChooser
from shop_orders.product_sources.model import ModelProductSource

__all__ = [
    "DetailedProduct",
    "ModelProductSource",
    "ProductSource",
    "SourceChooser",
    "SourceProduct",
    "product_source",
]


def product_source() -> ProductSource:
    """The site's source, as PRODUCT_SOURCE configures it."""
    config = app_settings.PRODUCT_SOURCE
    return cast("ProductSource", import_string(config["BACKEND"])(**config.get("OPTIONS", {})))
