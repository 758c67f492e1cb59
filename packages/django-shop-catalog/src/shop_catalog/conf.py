"""Settings of the catalog app: one dict, ``SHOP_CATALOG``, one typed property per setting, read at each access."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shop_core.conf import BaseSettings


class AppSettings(BaseSettings):
    setting = "SHOP_CATALOG"

    @property
    def CURRENCY(self) -> str:
        """ISO 4217 code of every price in the catalogue. Required; changing it does not convert stored amounts."""
        return str(self.require("CURRENCY"))

    @property
    def PRICES_INCLUDE_TAX(self) -> bool:
        """Whether prices are entered and shown with tax. ``CatalogProduct`` returns it with the price."""
        return bool(self.get("PRICES_INCLUDE_TAX", True))

    @property
    def SEARCH(self) -> Mapping[str, Any]:
        """The search backend: ``{"BACKEND": dotted path, "OPTIONS": {...}}``.

        Without it, PostgreSQL and SQLite search the stored words by their full-text indexes.
        """
        value: Mapping[str, Any] = self.get("SEARCH", {})
        return value

    @property
    def API_AUTH(self) -> str | list[str]:
        """Dotted path of the API's authentication, or a list of paths that are tried in turn."""
        value: str | list[str] = self.get("API_AUTH", "ninja.security.django_auth")
        return value

    @property
    def STAFF_API_AUTH(self) -> str | list[str]:
        """As ``API_AUTH``, for staff operations, which also check model permissions."""
        value: str | list[str] = self.get("STAFF_API_AUTH", "ninja.security.django_auth")
        return value

    @property
    def PROBLEM_TYPE_BASE(self) -> str:
        """URL prefix of problem types: ``/problems/`` makes ``/problems/not_found/``. Empty: ``about:blank``."""
        return str(self.get("PROBLEM_TYPE_BASE", ""))

    @property
    def PRODUCT_URL(self) -> str:
        """Name of the URL pattern of a product's page, reversed with ``slug``. Empty: products have no page."""
        return str(self.get("PRODUCT_URL", ""))

    @property
    def BULK_MAX_BYTES(self) -> int:
        """The largest bulk upload, in bytes."""
        return int(self.get("BULK_MAX_BYTES", 20 * 1024 * 1024))

    @property
    def BULK_MAX_ROWS(self) -> int:
        """The maximum number of rows in one bulk upload."""
        return int(self.get("BULK_MAX_ROWS", 10_000))

    @property
    def IMPORT_MAPS(self) -> Mapping[str, str]:
        """Column maps of one's own: ``{name: path of a JSON file}``, beside ``shopify``, ``woocommerce``, ``own``."""
        value: Mapping[str, str] = self.get("IMPORT_MAPS", {})
        return value

    @property
    def MODERATE_REVIEWS(self) -> bool:
        """Whether staff must approve a review before it is published."""
        return bool(self.get("MODERATE_REVIEWS", True))

    @property
    def FACETS(self) -> Sequence[str]:
        """Names of the attributes whose values are counted in lists of products, at most 20: ``["colour", "size"]``.

        Any attribute can be filtered by. After a change of this setting, a job counts all products again.
        """
        value: Sequence[str] = self.get("FACETS", ())
        return value

    @property
    def THROTTLES(self) -> Mapping[str, str]:
        """How often a customer may do something: ``{"reviews": "20/h"}``; unit s, m, h or d. Default: no limit."""
        value: Mapping[str, str] = self.get("THROTTLES", {})
        return value

    @property
    def RENDITION_WIDTHS(self) -> Mapping[str, int]:
        """Name and width in pixels of the smaller copies of each image. ``thumb``, ``card`` and ``large`` are needed.

        After a change, the job ``make_renditions`` makes the copies of all images again.
        """
        value: Mapping[str, int] = self.get("RENDITION_WIDTHS", {"thumb": 240, "card": 480, "large": 1200})
        return value

    @property
    def IMAGE_FETCHER(self) -> str:
        """Dotted path of a callable ``(url) -> bytes`` that fetches the images of imports, in a job.

        It raises ``ImageNotFetched``; after any other error, the image is tried again later. The default only
        connects to public addresses.
        """
        return str(self.get("IMAGE_FETCHER", "shop_catalog.images.fetch"))

    @property
    def VERIFIED_PURCHASE(self) -> str:
        """Dotted path of a callable ``(user, refs) -> bool``: whether the user has bought one of the products."""
        return str(self.get("VERIFIED_PURCHASE", ""))


app_settings = AppSettings()
