"""Opening pictures that people send: checked before they are decoded, then upright, in sRGB and without metadata.

The rules follow OWASP's file upload cheat sheet. The limit of pixels is stricter than Pillow's own: a PNG of 20 kB can
hold 169 megapixels.
"""

from __future__ import annotations

import io
import warnings
from typing import IO

from django.utils.translation import gettext as _
from PIL import Image, ImageOps, UnidentifiedImageError

from shop_catalog.exceptions import ImageTooLarge, InvalidImage

MAX_BYTES = 5 * 1024 * 1024
MAX_PIXELS = 24_000_000
FORMATS = ("JPEG", "PNG", "WEBP")


def open_checked(file: IO[bytes], *, max_bytes: int = MAX_BYTES) -> tuple[Image.Image, str]:
    """A decoded image, turned upright and without metadata, and its format.

    Size, format, pixels and frames are read from the header and checked before anything is decoded.

    Raises:
        ImageTooLarge, InvalidImage: as for ``add``.
    """
    content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise ImageTooLarge(_("The image is larger than %(megabytes)d MB.") % {"megabytes": max_bytes // 1024**2})
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(content), formats=FORMATS)
            _check_header(picture)
            picture.load()
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise ImageTooLarge(_("The image has more than 24 megapixels."))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError):
        raise InvalidImage(_("The file is not a readable JPEG, PNG or WebP image."))
    kind = picture.format or "JPEG"
    return _without_metadata(ImageOps.exif_transpose(picture), kind), kind


def _check_header(picture: Image.Image) -> None:
    if picture.width * picture.height > MAX_PIXELS:
        raise ImageTooLarge(_("The image has more than 24 megapixels."))
    if getattr(picture, "n_frames", 1) != 1:
        raise InvalidImage(_("The image is animated. Send one with a single frame."))


def _without_metadata(picture: Image.Image, kind: str) -> Image.Image:
    """A copy of the pixels only."""
    has_alpha = kind != "JPEG" and ("A" in picture.getbands() or "transparency" in picture.info)
    converted = picture.convert("RGBA" if has_alpha else "RGB")
    converted.info = {}
    return converted
