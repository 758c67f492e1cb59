"""Which pages a shared cache, such as that of a CDN, may keep."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers
from shop_orders import pages

SHARED = "public, max-age=0, s-maxage=60"
"""Shared caches may keep a page for 60 seconds. Browsers ask again, since a log-in or a cart changes the page."""

View = Callable[..., HttpResponse]


def is_anonymous(request: HttpRequest) -> bool:
    """Whether the request has no cookie on which a page could depend: session, cart, message or language."""
    cookies = (settings.SESSION_COOKIE_NAME, pages.COOKIE, CookieStorage.cookie_name, settings.LANGUAGE_COOKIE_NAME)
    return not any(name in request.COOKIES for name in cookies)


def shared(view: View) -> View:
    """Decorate a view whose page is the same for all anonymous visitors, who share it.

    No shared cache keeps the page for any other visitor.
    """

    @wraps(view)
    def with_header(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = view(request, *args, **kwargs)
        if not is_anonymous(request):
            response["Cache-Control"] = "private, no-cache"
            patch_vary_headers(response, ("Cookie",))
        elif response.status_code == 200:
            response["Cache-Control"] = SHARED
        return response

    return with_header
