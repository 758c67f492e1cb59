"""Images of products."""

from __future__ import annotations

import uuid
from functools import lru_cache
from typing import Any

from django.core.files.storage import FileSystemStorage
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from shop_catalog.models.product import Product

RENDITION_WIDTHS = {"thumb": 240, "card": 480, "large": 1200}
"""Name and width in pixels of the smaller copies of every image."""

MAX_URLS = 16_384
"""The number of URLs that each process caches, about 4 MB."""


class ProductImage(models.Model):
    """An image, re-encoded by ``images.add``. Its smaller copies (renditions) are beside the file."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    product = models.ForeignKey(Product, models.CASCADE, related_name="images", verbose_name=_("product"))
    file = models.ImageField(_("file"), upload_to="shop_catalog/products/", width_field="width", height_field="height")
    alt = models.CharField(_("alternative text"), max_length=200, blank=True)
    position = models.PositiveIntegerField(_("position"), default=0)
    is_primary = models.BooleanField(_("primary"), default=False)
    width = models.PositiveIntegerField(editable=False, default=0)
    height = models.PositiveIntegerField(editable=False, default=0)
    has_renditions = models.BooleanField(default=False, editable=False)

    product_id: int

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
        return image_url(self.file.name or "", rendition if self.has_renditions else "")


def image_url(name: str, rendition: str = "") -> str:
    """URL of an image or of its smaller copy, from its name alone: no file is opened."""
    storage = _storage()
    if storage.__class__.url is not FileSystemStorage.url:  # other storages may return signed URLs, which expire
        return str(storage.url(rendition_name(name, rendition) if rendition else name))
    url = _cached_url(storage.base_url, name)
    return rendition_name(url, rendition) if rendition else url


@lru_cache(maxsize=MAX_URLS)
def _cached_url(_base_url: str, file: str) -> str:
    url: str = _storage().url(file)
    return url


def _storage() -> Any:
    return ProductImage._meta.get_field("file").storage


def rendition_name(name: str, rendition: str) -> str:
    """``a/b.webp`` and ``thumb`` make ``a/b.thumb.webp``."""
    stem, _dot, suffix = name.rpartition(".")
    return f"{stem}.{rendition}.{suffix}"
