"""Product sources: the protocol, and a source for any model, whose fields are named in the settings."""

from __future__ import annotations

from typing import cast

from django.utils.module_loading import import_string

from shop_orders.conf import app_settings
from shop_orders.product_sources.base import ProductSource, SourceProduct
from shop_orders.product_sources.model import ModelProductSource

__all__ = ["ModelProductSource", "ProductSource", "SourceProduct", "product_source"]


def product_source() -> ProductSource:
    """The site's source, as PRODUCT_SOURCE configures it."""
    config = app_settings.PRODUCT_SOURCE
    return cast("ProductSource", import_string(config["BACKEND"])(**config.get("OPTIONS", {})))
