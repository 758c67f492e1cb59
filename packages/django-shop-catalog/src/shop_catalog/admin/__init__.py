"""The catalogue in Django's admin. Every write calls the same functions as the API."""

from shop_catalog.admin.categories import CategoryAdmin
from shop_catalog.admin.image_fetches import ImageFetchAdmin
from shop_catalog.admin.ledger import JobRunAdmin, StockMovementAdmin
from shop_catalog.admin.products import ProductAdmin
from shop_catalog.admin.reviews import ReviewAdmin

__all__ = [
    "CategoryAdmin",
    "ImageFetchAdmin",
    "JobRunAdmin",
    "ProductAdmin",
    "ReviewAdmin",
    "StockMovementAdmin",
]
