"""Images of products."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import IO, Any, TypeVar

from django.db.models import F, Max
from django.utils import timezone
from shop_core.db.transactions import in_transaction

from shop_catalog import product_changes
from shop_catalog.images import files
from shop_catalog.images.reading import MAX_BYTES, open_checked
from shop_catalog.models import ImageFetch, Product, ProductImage, texts

_Stored = TypeVar("_Stored", bound="ProductImage | None")


def add(product: Product, *, file: IO[bytes], alt: str = "", is_primary: bool = False) -> ProductImage:
    """Add an image to a product; the first one is primary.

    Raises:
        ImageTooLarge: too many bytes or pixels.
        InvalidImage: not a JPEG, PNG, WebP or AVIF image (or HEIC, with the extra), damaged, or animated.
    """
    texts.check(ProductImage, alt=alt)
    return _store(file, lambda written: _insert(product, written, alt=alt, is_primary=is_primary))


def add_fetched(fetch: ImageFetch, *, file: IO[bytes], max_bytes: int) -> ProductImage | None:
    """Add an image that was fetched, and record that. Returns ``None`` if another process has done it already.

    It becomes primary if the primary image is a later one of the same import.

    Raises:
        ImageTooLarge, InvalidImage: as for ``add``.
    """
    return _store(file, lambda written: _insert_fetched(fetch, written), max_bytes=max_bytes)


def _store(file: IO[bytes], insert: Callable[[files.Written], _Stored], *, max_bytes: int = MAX_BYTES) -> _Stored:
    """Write the files of an image, then its row. The files are deleted if no row was written."""
    picture, kind = open_checked(file, max_bytes=max_bytes)
    field: Any = ProductImage._meta.get_field("file")
    written = files.write(field, picture, kind)
    image = None
    try:
        image = insert(written)
    finally:
        if image is None:
            files.delete_files(field.storage, written.names)
    return image


@in_transaction(ProductImage)
def _insert(
    product: Product, written: files.Written, *, alt: str, is_primary: bool, position: int | None = None
) -> ProductImage:
    """Insert the row of an image whose files have been saved."""
    _lock(product.pk)
    others = ProductImage.objects.filter(product=product)
    if position is None:
        last = others.aggregate(last=Max("position"))["last"]
        position = 0 if last is None else last + 1
    image = ProductImage(product=product, alt=alt, position=position)
    image.renditions, image.renditions_for = written.renditions, files.as_text(files.widths_wanted())
    image.is_primary = is_primary or not others.filter(is_primary=True).exists()
    if image.is_primary:
        others.update(is_primary=False)
    image.width, image.height = written.size
    image.file.name = written.names[0]
    image.save()
    return image


@in_transaction(ProductImage)
def _insert_fetched(fetch: ImageFetch, written: files.Written) -> ProductImage | None:
    _lock(fetch.product_id)
    waiting = ImageFetch.objects.filter(pk=fetch.pk, fetched_at=None)
    if not waiting.exists():
        return None
    following = ImageFetch.objects.filter(product=fetch.product_id, import_id=fetch.import_id)
    is_first = following.filter(position__gt=fetch.position, image__is_primary=True).exists()
    image = _insert(fetch.product, written, alt=fetch.alt, is_primary=is_first, position=fetch.position)
    waiting.update(fetched_at=timezone.now(), next_try_at=None, last_error="", image=image)
    return image


@in_transaction(ProductImage)
def change(image: ProductImage, *, alt: str | None = None, position: int | None = None) -> None:
    """Change the given values of an image. Images of a product are shown by position, the primary one first.

    Raises:
        InvalidText: the text is too long, or has a character that cannot be stored.
    """
    given = {"alt": alt, "position": position}
    values = {name: value for name, value in given.items() if value is not None}
    texts.check(ProductImage, **values)
    _lock(image.product_id)
    if values:
        ProductImage.objects.filter(pk=image.pk).update(**values)


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


def _lock(product_id: int) -> None:
    """Lock the product, so that its images are changed one at a time, and record that they change."""
    product = Product.objects.select_for_update().filter(pk=product_id).first()
    if product is not None:
        product_changes.record([product.listed])
