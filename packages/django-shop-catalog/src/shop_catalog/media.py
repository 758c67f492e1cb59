"""The catalogue's pictures over HTTP, for sites without a web server or a bucket in front that does it.

    path("media/<path:path>", shop_catalog.media.serve)

A picture that was uploaded has a name of its own that is never used again, so browsers and proxies keep it for a year
without asking. Files that came by another way, such as a fixture's, are asked for again.
"""

from __future__ import annotations

import re
from typing import Any

from django.core.files.storage import Storage
from django.http import FileResponse, Http404, HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _
from django.views.decorators.http import condition, require_safe

from shop_catalog.models import ProductImage

CONTENT_TYPES = {"jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
FOREVER = "public, max-age=31536000, immutable"
SHORTLY = "public, max-age=3600"

PICTURE = re.compile(r"shop_catalog/(products|categories)/[-\w.]+\.(?P<suffix>jpg|jpeg|png|webp)", re.ASCII)
UNIQUE = re.compile(r"[a-z_/]+/[0-9a-f]{32}(\.[a-z]+)?\.[a-z]+", re.ASCII)


def _last_modified(_request: HttpRequest, path: str) -> Any:
    try:
        return _storage().get_modified_time(path) if PICTURE.fullmatch(path) else None
    except (OSError, NotImplementedError):
        return None


@require_safe
@condition(last_modified_func=_last_modified)
def serve(_request: HttpRequest, path: str) -> HttpResponseBase:
    """One picture of a product or a category from the storage; nothing else that lies there."""
    picture = PICTURE.fullmatch(path)
    if picture is None:
        raise Http404(_("There is no such picture."))
    try:
        file = _storage().open(path)
    except OSError:
        raise Http404(_("There is no such picture."))
    response = FileResponse(file, content_type=CONTENT_TYPES[picture["suffix"]])
    response["Cache-Control"] = FOREVER if UNIQUE.fullmatch(path) else SHORTLY
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


def _storage() -> Storage:
    storage: Storage = ProductImage._meta.get_field("file").storage
    return storage
