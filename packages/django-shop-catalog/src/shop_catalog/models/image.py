"""Images of products."""

from __future__ import annotations

import uuid
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.core.files.storage import FileSystemStorage
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from shop_catalog.conf import app_settings
from shop_catalog.models.product import Product

if TYPE_CHECKING:
    from shop_catalog.models.image_fetch import ImageFetch

MAX_URLS = 16_384
"""The number of URLs that each process caches, about 4 MB."""


class ProductImage(models.Model):
    """An image, re-encoded by ``images.add``. Its smaller copies (renditions) are beside the file.

    ``renditions`` has their widths (``"240 480 1200"``), ``renditions_for`` those that the setting wanted when they
    were made. If only ``renditions_for`` has a value, the image could not be read.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    product = models.ForeignKey(Product, models.CASCADE, related_name="images", verbose_name=_("product"))
    file = models.ImageField(_("file"), upload_to="shop_catalog/products/", width_field="width", height_field="height")
    alt = models.CharField(_("alternative text"), max_length=200, blank=True)
    position = models.PositiveIntegerField(_("position"), default=0)
    is_primary = models.BooleanField(_("primary"), default=False)
    width = models.PositiveIntegerField(editable=False, default=0)
    height = models.PositiveIntegerField(editable=False, default=0)
    renditions = models.CharField(max_length=100, blank=True, default="", editable=False)
    renditions_for = models.CharField(max_length=100, blank=True, default="", editable=False)

    product_id: int
    fetch: ImageFetch

    class Meta:
        verbose_name = _("product image")
        verbose_name_plural = _("product images")
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["product"], condition=Q(is_primary=True), name="shop_catalog_one_primary_image"
            ),
        ]

    def __str__(self) -> str:
        return self.alt or str(self.public_id)

    @property
    def url(self) -> str:
        return self.file.url

    def rendition_url(self, rendition: str) -> str:
        """URL of a smaller copy, or of the image itself if there is none yet."""
        return image_url(self.file.name or "", rendition, made=self.renditions)

    @property
    def srcset(self) -> str:
        """The URLs of all copies with their widths, for the attribute ``srcset`` of HTML; empty if there is none."""
        return image_srcset(self.file.name or "", made=self.renditions)


def image_url(name: str, rendition: str = "", *, made: str = "") -> str:
    """URL of an image or of its smaller copy, from its name alone: no file is opened.

    ``made`` has the widths of its copies. The smallest that is wide enough is used, else the widest.
    """
    width = _width(app_settings.RENDITION_WIDTHS[rendition], made) if rendition and made else 0
    storage = _storage()
    if storage.__class__.url is not FileSystemStorage.url:  # other storages may return signed URLs, which expire
        return str(storage.url(rendition_name(name, width) if width else name))
    url = _cached_url(storage.base_url, name)
    return rendition_name(url, width) if width else url


def image_srcset(name: str, *, made: str) -> str:
    """The URLs of an image's copies with their widths, for the attribute ``srcset`` of HTML."""
    storage = _storage()
    if storage.__class__.url is not FileSystemStorage.url:
        return ", ".join(f"{storage.url(rendition_name(name, width))} {width}w" for width in map(int, made.split()))
    url = _cached_url(storage.base_url, name)
    return ", ".join(f"{rendition_name(url, width)} {width}w" for width in map(int, made.split()))


@lru_cache(maxsize=1024)
def _width(wanted: int, made: str) -> int:
    widths = sorted(map(int, made.split()))
    return next((width for width in widths if width >= wanted), widths[-1])


@lru_cache(maxsize=MAX_URLS)
def _cached_url(_base_url: str, file: str) -> str:
    url: str = _storage().url(file)
    return url


def _storage() -> Any:
    return ProductImage._meta.get_field("file").storage


def rendition_name(name: str, width: int) -> str:
    """``a/b.png`` and 240 make ``a/b.png.240.webp``."""
    return f"{name}.{width}.webp"
