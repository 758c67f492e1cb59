"""Images. Each is checked before decoding, then saved without metadata under a new name, with smaller copies.

The rules follow OWASP's file upload cheat sheet. The limit of pixels is stricter than Pillow's own: a PNG of 20 kB can
hold 169 megapixels.
"""

from __future__ import annotations

import io
import logging
import uuid
import warnings
from typing import IO, Any

from django.core.files.base import ContentFile
from django.core.files.storage import Storage
from django.db import transaction
from django.db.models import F, Max
from django.utils.translation import gettext as _
from PIL import Image, ImageOps, UnidentifiedImageError
from shop_core.db.transactions import connection_of, in_transaction

from shop_catalog import product_changes
from shop_catalog.exceptions import ImageTooLarge, InvalidImage, UnknownCategory
from shop_catalog.models import Category, Product, ProductImage, texts, write_gate
from shop_catalog.models.image import RENDITION_WIDTHS, rendition_name

MAX_BYTES = 5 * 1024 * 1024
MAX_PIXELS = 24_000_000
FORMATS = ("JPEG", "PNG", "WEBP")
SUFFIXES = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}

logger = logging.getLogger(__name__)


def add(product: Product, *, file: IO[bytes], alt: str = "", is_primary: bool = False) -> ProductImage:
    """Add an image to a product; the first one is primary.

    Raises:
        ImageTooLarge: too many bytes or pixels.
        InvalidImage: not a JPEG, PNG or WebP image, damaged, or with more than one frame.
    """
    texts.check(ProductImage, alt=alt)
    picture, kind = open_checked(file)
    field: Any = ProductImage._meta.get_field("file")
    written = _write(field, picture, kind)
    try:
        return _insert(product, name=written[0], size=picture.size, alt=alt, is_primary=is_primary)
    except BaseException:
        _delete_files(field.storage, written)
        raise


@in_transaction(ProductImage)
def _insert(product: Product, *, name: str, size: tuple[int, int], alt: str, is_primary: bool) -> ProductImage:
    """Insert the row of an image whose files have been saved."""
    _lock(product.pk)
    others = ProductImage.objects.filter(product=product)
    last = others.aggregate(last=Max("position"))["last"]
    image = ProductImage(product=product, alt=alt, has_renditions=True)
    image.position = 0 if last is None else last + 1
    image.is_primary = is_primary or not others.filter(is_primary=True).exists()
    if image.is_primary:
        others.update(is_primary=False)
    image.width, image.height = size
    image.file.name = name
    image.save()
    return image


@in_transaction(ProductImage)
def make_primary(image: ProductImage) -> None:
    """Show this image first."""
    _lock(image.product_id)
    ProductImage.objects.filter(product=image.product_id).update(is_primary=False)
    ProductImage.objects.filter(pk=image.pk).update(is_primary=True)
    image.is_primary = True


@in_transaction(ProductImage)
def remove(image: ProductImage) -> None:
    """Delete an image and, after commit, its files. If it was the primary one, the next image becomes primary."""
    _lock(image.product_id)
    ProductImage.objects.filter(pk=image.pk).delete()
    following = ProductImage.objects.filter(product=image.product_id).order_by("position", "pk").first()
    if image.is_primary and following is not None:
        ProductImage.objects.filter(pk=following.pk).update(is_primary=True)


@in_transaction(ProductImage)
def reorder(product: Product, *, public_ids: list[uuid.UUID]) -> None:
    """Put images into this order. Images that are not listed follow."""
    _lock(product.pk)
    ProductImage.objects.filter(product=product).update(position=F("position") + len(public_ids))
    for position, public_id in enumerate(public_ids):
        ProductImage.objects.filter(product=product, public_id=public_id).update(position=position)


def set_category_image(category: Category, *, file: IO[bytes]) -> Category:
    """Set the image of a category. The files of the previous image are deleted after commit.

    Raises:
        ImageTooLarge, InvalidImage: as for ``add``.
        UnknownCategory: it was deleted in the meantime.
    """
    picture, kind = open_checked(file)
    field = Category._meta.get_field("image")
    written = _write(field, picture, kind)
    try:
        return _replace_category_image(category, written[0])
    except BaseException:
        _delete_files(field.storage, written)
        raise


def remove_category_image(category: Category) -> Category:
    """Remove the image of a category. Does nothing if there is none.

    Raises:
        UnknownCategory: it was deleted in the meantime.
    """
    return _replace_category_image(category, "")


def delete_on_commit(image: Any, *, using: str) -> None:
    """Delete an image's files, smaller copies included, after commit."""
    storage, names = image.storage, _names(image.name) if image.name else []
    transaction.on_commit(lambda: _delete_files(storage, names), using=using, robust=True)


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


def open_checked(file: IO[bytes]) -> tuple[Image.Image, str]:
    """A decoded image, turned upright and without metadata, and its format.

    Size, format, pixels and frames are read from the header and checked before anything is decoded.

    Raises:
        ImageTooLarge, InvalidImage: as for ``add``.
    """
    content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ImageTooLarge(_("The image is larger than 5 MB."))
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


def _lock(product_id: int) -> None:
    """Lock the product, so that its images are changed one at a time, and record that they change."""
    product = Product.objects.select_for_update().filter(pk=product_id).first()
    if product is not None:
        product_changes.record([product.listed])


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


@write_gate()
def _replace_category_image(category: Category, name: str) -> Category:
    category = _reload(category)
    delete_on_commit(category.image, using=connection_of(Category).alias)
    category.image = name
    category.has_renditions = bool(name)
    category.save(update_fields=["image", "has_renditions"])
    return category


def _reload(category: Category) -> Category:
    found: Category | None = Category.objects.filter(pk=category.pk).first()
    if found is None:
        raise UnknownCategory(_("The category was deleted in the meantime."))
    return found


def _names(name: str) -> list[str]:
    """The files of an image and its smaller copies."""
    return [name, *(rendition_name(name, rendition) for rendition in RENDITION_WIDTHS)]


def _write(field: Any, picture: Image.Image, kind: str) -> list[str]:
    """Write an image and its smaller copies under a new name. The image itself comes first in the list."""
    wanted = f"{field.upload_to}{uuid.uuid4().hex}.{SUFFIXES[kind]}"
    name = field.storage.save(wanted, ContentFile(_encoded(picture, kind)))
    return [name, *_write_renditions(field.storage, picture, kind, name=name)]


def _make_renditions(image: Any) -> tuple[int, int] | None:
    """The size of an image whose smaller copies were made, ``None`` for one that cannot be read."""
    try:
        with image.open() as file:
            picture, kind = open_checked(file)
    except (InvalidImage, OSError):
        logger.exception("The image %s has no smaller copies: it cannot be read", image.name)
        return None
    _write_renditions(image.storage, picture, kind, name=image.name)
    return picture.size


def _write_renditions(storage: Storage, picture: Image.Image, kind: str, *, name: str) -> list[str]:
    written = []
    for rendition, width in RENDITION_WIDTHS.items():
        smaller = picture.copy()
        smaller.thumbnail((width, width * 2))
        target = rendition_name(name, rendition)
        if storage.exists(target):
            storage.delete(target)
        written.append(storage.save(target, ContentFile(_encoded(smaller, kind))))
    return written


def _encoded(picture: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    options: dict[str, dict[str, Any]] = {
        "JPEG": {"quality": 85, "optimize": True},
        "WEBP": {"quality": 85},
        "PNG": {"optimize": True},
    }
    picture.save(buffer, format=kind, **options[kind])
    return buffer.getvalue()


def _delete_files(storage: Storage, names: list[str]) -> None:
    for name in names:
        storage.delete(name)
