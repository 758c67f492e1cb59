"""The catalogue's API. A site mounts it: ``api.add_router("/products/", "shop_catalog.api.router")``."""

# The order is the order of the URLs: bulk_create/ and featured/ come before {slug}/.
from shop_catalog.api import bulk, categories, products, images, reviews, stock  # isort: skip
from shop_catalog.api.routers import router

__all__ = ["bulk", "categories", "images", "products", "reviews", "router", "stock"]
