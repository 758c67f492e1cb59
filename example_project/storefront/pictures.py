"""Product pictures for templates: a URL for each existing size."""

from __future__ import annotations

from dataclasses import dataclass

from shop_catalog.browsing import Image
from shop_catalog.models import ProductImage
from shop_catalog.models.image import image_srcset, image_url


@dataclass(frozen=True, kw_only=True)
class Picture:
    """``srcset`` has the smaller copies with their widths; it is empty if there is none yet."""

    thumb: str
    card: str
    large: str
    alt: str
    srcset: str = ""
    width: int = 900
    height: int = 900


def of_file(name: str | None, *, alt: str, renditions: str) -> Picture | None:
    """The picture of a file in the storage; None for None."""
    if not name:
        return None
    thumb, card, large = (image_url(name, size, made=renditions) for size in ("thumb", "card", "large"))
    return Picture(thumb=thumb, card=card, large=large, alt=alt, srcset=image_srcset(name, made=renditions))


def of_image(image: ProductImage | Image, *, alt: str) -> Picture:
    """``alt`` is used if the picture has no text of its own."""
    return Picture(
        thumb=image.rendition_url("thumb"),
        card=image.rendition_url("card"),
        large=image.rendition_url("large"),
        srcset=image.srcset,
        alt=image.alt or alt,
        width=image.width or 900,
        height=image.height or 900,
    )
