"""The catalogue's API. A site mounts it: ``api.add_router("/products/", "shop_catalog.api.router")``."""

from shop_catalog.api import categories, products, stock
from shop_catalog.api.routing import router

__all__ = ["categories", "products", "router", "stock"]
