"""Column maps: what the columns of Shopify's, WooCommerce's and the catalogue's own files mean."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from django.utils.translation import gettext as _

from shop_catalog.conf import app_settings
from shop_catalog.exceptions import UnreadableFile
from shop_catalog.imports.maps.base import ColumnMap, Record
from shop_catalog.imports.maps.own import FileMap, OwnMap
from shop_catalog.imports.maps.shopify import ShopifyMap
from shop_catalog.imports.maps.woocommerce import WooCommerceMap

SHIPPED: tuple[type[ColumnMap], ...] = (ShopifyMap, WooCommerceMap, OwnMap)

__all__ = ["ColumnMap", "Record", "choose", "guess", "names", "shipped"]


def shipped() -> list[ColumnMap]:
    """The maps that come with the catalogue, the most specific first."""
    return [kind() for kind in SHIPPED]


def names() -> list[str]:
    """The maps that can be chosen: the shipped ones, and those of the setting ``IMPORT_MAPS``."""
    return [*(kind.name for kind in SHIPPED), *app_settings.IMPORT_MAPS]


def choose(name: str) -> ColumnMap:
    """The map with this name.

    Raises:
        UnreadableFile: there is none, or its file is wrong.
    """
    for kind in SHIPPED:
        if kind.name == name:
            return kind()
    path = app_settings.IMPORT_MAPS.get(name)
    if path is None:
        message = _("There is no column map %(name)s. Choose one of: %(known)s.")
        raise UnreadableFile(message % {"name": name, "known": ", ".join(names())})
    return load(path)


def load(path: str | Path) -> ColumnMap:
    """A map of one's own from its JSON file.

    Raises:
        UnreadableFile: the file is wrong.
    """
    return FileMap(path)


def guess(headers: Collection[str]) -> ColumnMap:
    """The map whose required columns are all there; otherwise the catalogue's own."""
    return next((found for found in shipped() if found.fits(headers)), OwnMap())
