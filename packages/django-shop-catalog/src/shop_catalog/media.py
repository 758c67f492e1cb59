"""A view that serves the catalogue's images, for sites in which no web server or bucket serves them.

    path("media/<path:path>", shop_catalog.media.serve)

An uploaded image has a name that is never used again, so browsers and proxies cache it for a year. Images that
were not uploaded, such as those of a fixture, are cached for an hour.
"""

from __future__ import annotations

import re
from typing import Any

from django.core.files.storage import Storage
from django.http import FileResponse, Http404, HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _
from django.views.decorators.http import condition, require_safe
from shop_core.db.transactions import non_atomic

from shop_catalog.models import ProductImage

CONTENT_TYPES = {"jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
FOREVER = "public, max-age=31536000, immutable"
SHORTLY = "public, max-age=3600"

PICTURE = re.compile(r"shop_catalog/(products|categories)/[-\w.]+\.(?P<suffix>jpg|jpeg|png|webp)", re.ASCII)
UNIQUE = re.compile(r"[a-z_/]+/[0-9a-f]{32}(\.[a-z]+\.[0-9]+)?\.[a-z]+", re.ASCII)


def _last_modified(_request: HttpRequest, path: str) -> Any:
    try:
        return _storage().get_modified_time(path) if PICTURE.fullmatch(path) else None
    except (OSError, NotImplementedError):
        return None


@non_atomic
@require_safe
@condition(last_modified_func=_last_modified)
def serve(_request: HttpRequest, path: str) -> HttpResponseBase:
    """Serve an image of a product or a category from the storage, and no other file.

    Raises:
        Http404: the path is not one of an image, or the storage has no such file.
    """
    picture = PICTURE.fullmatch(path)
    if picture is None:
        raise Http404(_("There is no such image."))
    try:
        file = _storage().open(path)
    except OSError:
        raise Http404(_("There is no such image."))
    response = FileResponse(file, content_type=CONTENT_TYPES[picture["suffix"]])
    response["Cache-Control"] = FOREVER if UNIQUE.fullmatch(path) else SHORTLY
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


def _storage() -> Storage:
    storage: Storage = ProductImage._meta.get_field("file").storage
    return storage
