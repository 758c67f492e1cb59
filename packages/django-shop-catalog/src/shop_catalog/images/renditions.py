"""Making the smaller copies of images that have none, or copies of other sizes than the setting."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any

from shop_catalog.exceptions import InvalidImage
from shop_catalog.images import files
from shop_catalog.images.reading import open_checked
from shop_catalog.models import Category, ProductImage

MAX_STORED_BYTES = 100 * 1024 * 1024
"""A stored PNG may be larger than the file that was uploaded."""

logger = logging.getLogger(__name__)


def make_renditions(*, seconds: float = files.RUN_SECONDS) -> int:
    """Make the smaller copies of images that have none, such as those of a fixture, or copies of other sizes.

    Starts no image after ``seconds``. Returns the number of images. One that cannot be read is logged and marked, and
    is not tried again until the sizes change. After any other failure, such as one of the storage, it is tried by the
    next run.
    """
    wanted, until = files.as_text(files.widths_wanted()), time.monotonic() + seconds
    made = 0
    for field in (ProductImage._meta.get_field("file"), Category._meta.get_field("image")):
        for row in _outdated(field, wanted):
            if time.monotonic() >= until:
                return made
            try:
                made += _make(row, field, wanted)
            except Exception:
                logger.exception("The smaller copies of the image %s could not be made", getattr(row, field.name).name)
    return made


def _outdated(field: Any, wanted: str) -> Iterator[Any]:
    """The rows whose image has other copies than those wanted, read one at a time."""
    rows = field.model._default_manager.exclude(renditions_for=wanted).exclude(**{field.name: ""}).order_by("pk")
    last = 0
    while (row := rows.filter(pk__gt=last).first()) is not None:
        yield row
        last = row.pk


def _make(row: Any, field: Any, wanted: str) -> bool:
    image = getattr(row, field.name)
    same = field.model._default_manager.filter(pk=row.pk, **{field.name: image.name})
    try:
        with image.open() as file:
            picture, _kind = open_checked(file, max_bytes=MAX_STORED_BYTES)
    except (InvalidImage, FileNotFoundError):
        logger.exception("The image %s has no smaller copies: it cannot be read", image.name)
        same.update(renditions_for=wanted)
        return False
    written = files.write_renditions(image.storage, picture, name=image.name)
    values: dict[str, Any] = {"renditions": written.renditions, "renditions_for": wanted}
    if field.model is ProductImage:
        values["width"], values["height"] = written.size
    old = {*files.names_of(image.name, row.renditions)[1:]}
    is_made = bool(same.update(**values))  # not if the image was deleted or replaced in the meantime
    new = {*written.names[1:]}
    files.delete_files(image.storage, sorted(old - new if is_made else new))
    return is_made
