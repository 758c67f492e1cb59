"""Images of products and categories: each is checked, then saved without metadata, with smaller copies.

Images of a product can also be fetched from an address by a job: ``request_fetches``.
"""

from shop_catalog.images.categories import remove_category_image, set_category_image
from shop_catalog.images.fetcher import check_address, fetch
from shop_catalog.images.fetching import (
    FetchCounts,
    WantedImage,
    count_fetches,
    fetch_images,
    request_fetches,
    try_again,
)
from shop_catalog.images.files import delete_on_commit
from shop_catalog.images.products import add, change, make_primary, remove, reorder
from shop_catalog.images.reading import open_checked
from shop_catalog.images.renditions import make_renditions

__all__ = [
    "FetchCounts",
    "WantedImage",
    "add",
    "change",
    "check_address",
    "count_fetches",
    "delete_on_commit",
    "fetch",
    "fetch_images",
    "make_primary",
    "make_renditions",
    "open_checked",
    "remove",
    "remove_category_image",
    "reorder",
    "request_fetches",
    "set_category_image",
    "try_again",
]
