"""Errors of the catalogue. Each message is a sentence that can be shown to people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from shop_core.exceptions import ShopError


class ShopCatalogError(ShopError):
    """Base of the catalogue's errors. ``code`` is stable; ``extra`` holds plain values for a program."""

    code = "catalog_error"
    problems = "shop_catalog.api.problems.PROBLEMS"

    @classmethod
    def default_message(cls) -> str:
        return _("The catalogue could not do this.")


class InvalidCursor(ShopCatalogError):
    """A cursor that was made up, or created for another list or sort order."""

    code = "invalid_cursor"


class UnknownCategory(ShopCatalogError):
    code = "unknown_category"


class CategoryCycle(ShopCatalogError):
    """A category cannot be moved below itself."""

    code = "category_cycle"


class CategoryNotEmpty(ShopCatalogError):
    """A category with children is deleted only if they are to move up."""

    code = "category_not_empty"


class UnknownProduct(ShopCatalogError):
    code = "unknown_product"


class InvalidProduct(ShopCatalogError):
    """The values of a product do not fit together, as in a variant without a group. ``field`` names the wrong one."""

    code = "invalid_product"

    def __init__(self, message: str, *, field: str, extra: Mapping[str, Any] | None = None) -> None:
        super().__init__(message, field=field, extra=extra)


class InvalidPrice(InvalidProduct):
    code = "invalid_price"


class DuplicateValue(ShopCatalogError):
    """A SKU or a slug is already used."""

    code = "duplicate_value"


class InsufficientStock(ShopCatalogError):
    """``extra["available"]`` is ``{sku: available}`` for what is short."""

    code = "insufficient_stock"


class MovementConflict(ShopCatalogError):
    """The ledger has the same product, kind and reference with another quantity."""

    code = "movement_conflict"


class InvalidImage(ShopCatalogError):
    code = "invalid_image"


class ImageTooLarge(InvalidImage):
    code = "image_too_large"


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
