"""The files of an image: itself and its smaller copies (renditions)."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterable
from typing import Any, NamedTuple

from django.core.files.base import ContentFile
from django.core.files.storage import Storage
from django.db import transaction
from PIL import Image

from shop_catalog.conf import app_settings
from shop_catalog.models.image import rendition_name

RUN_SECONDS = 25.0
"""A run of a job starts no image after this time, since other jobs wait, and queues may end tasks after a minute."""

SUFFIXES = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}


class Written(NamedTuple):
    """The files of an image that were written: their names, the image first; the widths of the copies; its size."""

    names: list[str]
    renditions: str
    size: tuple[int, int]


def delete_on_commit(image: Any, renditions: str, *, using: str) -> None:
    """Delete an image's files, smaller copies included, after commit."""
    storage, names = image.storage, names_of(image.name, renditions) if image.name else []
    transaction.on_commit(lambda: delete_files(storage, names), using=using, robust=True)


def names_of(name: str, renditions: str) -> list[str]:
    """The files of an image and its smaller copies."""
    return [name, *(rendition_name(name, int(width)) for width in renditions.split())]


def widths_wanted() -> list[int]:
    """The widths of ``SHOP_CATALOG["RENDITION_WIDTHS"]``, the smallest first."""
    return sorted(set(app_settings.RENDITION_WIDTHS.values()))


def as_text(widths: Iterable[int]) -> str:
    return " ".join(map(str, widths))


def write(field: Any, picture: Image.Image, kind: str) -> Written:
    """Write an image and its smaller copies under a new name. If one cannot be written, none is kept."""
    wanted = f"{field.upload_to}{uuid.uuid4().hex}.{SUFFIXES[kind]}"
    name = field.storage.save(wanted, ContentFile(encoded(picture, kind)))
    try:
        return write_renditions(field.storage, picture, name=name)
    except BaseException:
        delete_files(field.storage, [name])
        raise


def write_renditions(storage: Storage, picture: Image.Image, *, name: str) -> Written:
    """Write the smaller copies of an image as WebP. One that is narrower than wanted has its own width, once."""
    sizes = sorted({_size(width, picture) for width in widths_wanted()})
    widths = [width for width, _height in sizes]
    written = Written(names_of(name, as_text(widths)), as_text(widths), picture.size)
    try:
        for target, size in zip(written.names[1:], sizes, strict=True):
            smaller = picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
            if storage.exists(target):
                storage.delete(target)
            storage.save(target, ContentFile(encoded(smaller, "WEBP")))
    except BaseException:
        delete_files(storage, written.names[1:])
        raise
    return written


def _size(width: int, picture: Image.Image) -> tuple[int, int]:
    """The size of a copy: not larger than the picture, and at most twice as high as its wanted width."""
    found = max(1, min(width, picture.width, 2 * width * picture.width // picture.height))
    return found, max(1, min(round(picture.height * found / picture.width), 2 * width))


def encoded(picture: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    options: dict[str, dict[str, Any]] = {
        "JPEG": {"quality": 85, "optimize": True},
        "WEBP": {"quality": 82},
        "PNG": {"optimize": True},
    }
    picture.save(buffer, format=kind, **options[kind])
    return buffer.getvalue()


def delete_files(storage: Storage, names: list[str]) -> None:
    for name in names:
        storage.delete(name)
