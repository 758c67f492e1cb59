"""The router of the catalogue, to which the other modules of this package add their operations."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response, patch_vary_headers
from ninja import Router
from shop_core.api.auth import GUEST
from shop_core.api.views import make_non_atomic, make_private

from shop_catalog.api.codes import MEANINGS
from shop_catalog.api.problems import PROBLEMS


def conditional(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Give a response that was read an ETag, and return 304 if the client has it already (RFC 9110, 13.1.2).

    The ETag is computed from the body, so it changes with the caller, the currency and everything else that does.
    """
    if request.method not in ("GET", "HEAD") or response.status_code != 200 or not isinstance(response, HttpResponse):
        return response
    if "ETag" not in response:
        response["ETag"] = f'"{hashlib.blake2b(response.content, digest_size=12).hexdigest()}"'
    if "If-Match" in request.headers or "If-None-Match" not in request.headers:
        return response
    return get_conditional_response(request, etag=response["ETag"], response=response) or response


def limit_caching(run: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Decorate the views of the router: only responses to guests may be stored in caches.

    Other responses may contain the caller's own review, or data that only staff may see. A ``Cache-Control`` that the
    view has set is kept.
    """

    @functools.wraps(run)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = conditional(request, run(request, *args, **kwargs))
        is_public = getattr(request, "auth", None) == GUEST and request.method in ("GET", "HEAD")
        if not is_public and "Cache-Control" not in response:
            return make_private(response)
        patch_vary_headers(response, ("Authorization", "Cookie"))
        return response

    return wrapped


router = Router(tags=["catalog"])
PROBLEMS.install(router, codes=MEANINGS)
router.add_decorator(limit_caching, mode="view")

# These write files to a storage or read a long upload, which must not happen in the transaction of a request.
make_non_atomic(router, "/products/{slug}/images/", "/categories/{slug}/image/", "/products/bulk_create/")
