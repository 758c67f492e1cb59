"""Opening pictures that people send: checked before they are decoded, then upright, in sRGB and without metadata.

The rules follow OWASP's file upload cheat sheet. The limit of pixels is stricter than Pillow's own: a PNG of 20 kB can
hold 169 megapixels.
"""

from __future__ import annotations

import io
import warnings
from functools import cache
from typing import IO, Any

from django.utils.translation import gettext as _
from PIL import ExifTags, Image, ImageCms, features

from shop_catalog.exceptions import ImageTooLarge, InvalidImage

MAX_BYTES = 5 * 1024 * 1024
MAX_PIXELS = 24_499_999
"""Rounded, 24 megapixels. Photographs of 24 megapixels have a few more pixels, such as 5712 x 4284."""

MAX_SIDE = 30_000
MAX_WEBP_SIDE = 16_383

STORED_AS = {"JPEG": "JPEG", "MPO": "JPEG", "PNG": "PNG", "WEBP": "WEBP", "AVIF": "WEBP", "HEIF": "WEBP"}
"""The format in which an image is stored, by the format in which it is sent."""

STILL = frozenset({"MPO", "HEIF"})
"""Formats with several pictures that are no animation, such as the two lenses of a phone. The first is taken."""

HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The operation that turns a picture upright, by the orientation in its EXIF data."""


def open_checked(file: IO[bytes], *, max_bytes: int = MAX_BYTES) -> tuple[Image.Image, str]:
    """A decoded image, turned upright, in sRGB and without metadata, and the format in which it is stored.

    Size, format, pixels and frames are read from the header and checked before anything is decoded.

    Raises:
        ImageTooLarge, InvalidImage: as for ``add``.
    """
    content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise ImageTooLarge(_("The image is larger than %(megabytes)d MB.") % {"megabytes": max_bytes // 1024**2})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about EXIF data, and about sizes that are checked here
        picture = _opened(content)
        _check_header(picture)
        try:
            kind = STORED_AS[picture.format or ""]
            clean = _clean(picture, can_be_transparent=kind != "JPEG")
        except Exception as error:  # Pillow raises errors of many types for damaged files
            raise InvalidImage(_("The image is damaged or incomplete. Save it again, then upload it.")) from error
    return clean, kind if kind != "WEBP" or max(clean.size) <= MAX_WEBP_SIDE else "PNG"


def accepted_formats() -> str:
    """The formats that this server reads, for people."""
    names = {"JPEG": "JPEG", "PNG": "PNG", "WEBP": "WebP", "AVIF": "AVIF", "HEIF": "HEIC"}
    return ", ".join(name for kind, name in names.items() if kind in _formats())


@cache
def _formats() -> tuple[str, ...]:
    """The formats that Pillow reads here: AVIF by itself, HEIC with the extra ``heic``."""
    found = ["JPEG", "PNG", "WEBP"]
    if features.check("avif"):
        found.append("AVIF")
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return tuple(found)
    register_heif_opener()
    return (*found, "HEIF")


def _opened(content: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(content), formats=_formats())
    except Image.DecompressionBombError as error:
        raise _too_many_pixels() from error
    except Exception as error:  # Pillow raises errors of many types for damaged files
        raise InvalidImage(_reason(content)) from error


def _reason(content: bytes) -> str:
    """Why a file cannot be opened, and what to do."""
    if b"<svg" in content[:4096].lower():
        return _("SVG drawings are not accepted, because they can contain scripts. Export it as PNG.")
    if content[4:8] == b"ftyp" and content[8:12] in HEIC_BRANDS and "HEIF" not in _formats():
        return _("This shop cannot read HEIC pictures. Save it as JPEG, then upload it.")
    return _("The file is not a readable image. Accepted are %(formats)s.") % {"formats": accepted_formats()}


def _check_header(picture: Image.Image) -> None:
    if picture.width * picture.height > MAX_PIXELS:
        raise _too_many_pixels()
    if max(picture.size) > MAX_SIDE:
        raise ImageTooLarge(_("The image is more than 30,000 pixels wide or high."))
    try:
        is_animated = picture.format not in STILL and getattr(picture, "n_frames", 1) != 1
    except Exception as error:  # damaged, see above
        raise InvalidImage(_("The image is damaged or incomplete. Save it again, then upload it.")) from error
    if is_animated:
        raise InvalidImage(_("The image is animated. Save one of its frames as a still image, then upload that."))


def _too_many_pixels() -> ImageTooLarge:
    return ImageTooLarge(_("The image has more than 24 megapixels."))


def _clean(picture: Image.Image, *, can_be_transparent: bool) -> Image.Image:
    """A copy of the pixels only."""
    picture.load()
    turn, profile = UPRIGHT.get(_orientation(picture)), picture.info.get("icc_profile")
    if picture.mode.startswith("I"):  # 16 bits of grey, which Pillow would cut off at 255
        picture = picture.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    is_transparent = can_be_transparent and ("A" in picture.getbands() or "transparency" in picture.info)
    clean = picture.convert("RGBA" if is_transparent else "RGB")
    if profile:
        clean = _in_srgb(clean, picture, profile)
    if turn is not None:
        clean = clean.transpose(turn)
    clean.info = {}
    return clean


def _orientation(picture: Image.Image) -> Any:
    try:
        return picture.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # noqa: BLE001 - EXIF data that some program has damaged
        return None


def _in_srgb(clean: Image.Image, picture: Image.Image, profile: bytes) -> Image.Image:
    """``clean``, converted to sRGB from the colour profile of its picture. A damaged profile is ignored."""
    source = picture if picture.mode in ("CMYK", "L", "LAB") else clean.convert("RGB")
    try:
        given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(source, given, _srgb(), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return clean
    if converted is None:
        return clean
    if clean.mode == "RGBA":
        converted.putalpha(clean.getchannel("A"))
    return converted


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
