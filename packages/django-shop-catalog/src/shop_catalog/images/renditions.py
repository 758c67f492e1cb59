"""Making the smaller copies of images that have none."""

from __future__ import annotations

import logging
from typing import Any

from shop_catalog.exceptions import InvalidImage
from shop_catalog.images import files
from shop_catalog.images.reading import open_checked
from shop_catalog.models import Category, ProductImage

logger = logging.getLogger(__name__)


def make_renditions() -> int:
    """Make the smaller copies of images that have none, such as those of a fixture. Returns the number of images.

    An image that cannot be read is logged and skipped.
    """
    made = 0
    for image in ProductImage.objects.filter(has_renditions=False).order_by("pk"):
        size = _make_renditions(image.file)
        if size is not None:
            rows = ProductImage.objects.filter(pk=image.pk)
            made += rows.update(has_renditions=True, width=size[0], height=size[1])
    for category in Category.objects.filter(has_renditions=False).exclude(image=""):
        if _make_renditions(category.image) is not None:
            made += Category.objects.filter(pk=category.pk, image=category.image.name).update(has_renditions=True)
    return made


def _make_renditions(image: Any) -> tuple[int, int] | None:
    """The size of an image whose smaller copies were made, ``None`` for one that cannot be read."""
    try:
        with image.open() as file:
            picture, kind = open_checked(file)
    except (InvalidImage, OSError):
        logger.exception("The image %s has no smaller copies: it cannot be read", image.name)
        return None
    files.write_renditions(image.storage, picture, kind, name=image.name)
    return picture.size
