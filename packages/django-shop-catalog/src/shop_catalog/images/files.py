"""The files of an image: itself and its smaller copies (renditions)."""

from __future__ import annotations

import io
import uuid
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import Storage
from django.db import transaction
from PIL import Image

from shop_catalog.models.image import RENDITION_WIDTHS, rendition_name

SUFFIXES = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}


def delete_on_commit(image: Any, *, using: str) -> None:
    """Delete an image's files, smaller copies included, after commit."""
    storage, names = image.storage, names_of(image.name) if image.name else []
    transaction.on_commit(lambda: delete_files(storage, names), using=using, robust=True)


def names_of(name: str) -> list[str]:
    """The files of an image and its smaller copies."""
    return [name, *(rendition_name(name, rendition) for rendition in RENDITION_WIDTHS)]


def write(field: Any, picture: Image.Image, kind: str) -> list[str]:
    """Write an image and its smaller copies under a new name. The image itself comes first in the list."""
    wanted = f"{field.upload_to}{uuid.uuid4().hex}.{SUFFIXES[kind]}"
    name = field.storage.save(wanted, ContentFile(encoded(picture, kind)))
    return [name, *write_renditions(field.storage, picture, kind, name=name)]


def write_renditions(storage: Storage, picture: Image.Image, kind: str, *, name: str) -> list[str]:
    written = []
    for rendition, width in RENDITION_WIDTHS.items():
        smaller = picture.copy()
        smaller.thumbnail((width, width * 2))
        target = rendition_name(name, rendition)
        if storage.exists(target):
            storage.delete(target)
        written.append(storage.save(target, ContentFile(encoded(smaller, kind))))
    return written


def encoded(picture: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    options: dict[str, dict[str, Any]] = {
        "JPEG": {"quality": 85, "optimize": True},
        "WEBP": {"quality": 85},
        "PNG": {"optimize": True},
    }
    picture.save(buffer, format=kind, **options[kind])
    return buffer.getvalue()


def delete_files(storage: Storage, names: list[str]) -> None:
    for name in names:
        storage.delete(name)
