"""Errors of the catalogue. Each message is a sentence that can be shown to users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from shop_core.exceptions import ShopError, TooManyRequests


class ShopCatalogError(ShopError):
    """Base of the catalogue's errors. ``code`` is stable; ``extra`` has plain values for API clients."""

    code = "catalog_error"
    problems = "shop_catalog.api.problems.PROBLEMS"

    @classmethod
    def default_message(cls) -> str:
        return _("The catalogue could not do this.")


class TooManyReviews(ShopCatalogError, TooManyRequests):
    """The customer has written or changed as many reviews as ``THROTTLES["reviews"]`` allows."""

    code = "too_many_requests"

    @classmethod
    def default_message(cls) -> str:
        return _("You have done this too often. Wait a moment, then try again.")


class InvalidCursor(ShopCatalogError):
    """The cursor was not created by this shop, or it is for another list or sort order."""

    code = "invalid_cursor"


class UnknownCategory(ShopCatalogError):
    code = "unknown_category"


class CategoryCycle(ShopCatalogError):
    """A category cannot be moved below itself."""

    code = "category_cycle"


class CategoryNotEmpty(ShopCatalogError):
    """A category with children cannot be deleted, unless they are moved up."""

    code = "category_not_empty"


class UnknownProduct(ShopCatalogError):
    code = "unknown_product"


class InvalidProduct(ShopCatalogError):
    """The values of a product do not fit together, such as a variant without a group. ``field`` is the one to fix."""

    code = "invalid_product"

    def __init__(self, message: str, *, field: str, extra: Mapping[str, Any] | None = None) -> None:
        super().__init__(message, field=field, extra=extra)


class InvalidPrice(InvalidProduct):
    code = "invalid_price"


class InvalidText(InvalidProduct):
    """A text is too long for its column, or has a character that cannot be stored. ``field`` names it."""

    code = "invalid_text"


class DuplicateValue(ShopCatalogError):
    """A SKU or a slug is already used."""

    code = "duplicate_value"


class InsufficientStock(ShopCatalogError):
    """There is not enough stock. ``extra["available"]`` is ``{sku: available}`` for each product without enough."""

    code = "insufficient_stock"


class MovementConflict(ShopCatalogError):
    """The ledger has a movement of this product, kind and reference with a different quantity."""

    code = "movement_conflict"


class InvalidImage(ShopCatalogError):
    code = "invalid_image"


class ImageTooLarge(InvalidImage):
    code = "image_too_large"


class ImageNotFetched(ShopCatalogError):
    """An image could not be fetched from its address.

    ``is_final``: another try would not help. ``is_unreachable``: no image of this host can be fetched at the moment.
    """

    code = "image_not_fetched"

    def __init__(self, message: str, *, is_final: bool = False, is_unreachable: bool = False) -> None:
        super().__init__(message)
        self.is_final = is_final
        self.is_unreachable = is_unreachable


class UnknownReview(ShopCatalogError):
    code = "unknown_review"


class ReviewExists(ShopCatalogError):
    """One review per customer and product."""

    code = "review_exists"


class UnreadableFile(ShopCatalogError):
    """An import file does not have the stated format."""

    code = "unreadable_file"


class FileTooLarge(UnreadableFile):
    code = "file_too_large"
