"""Recognises posts from the shop's own pages by headers of the browser.

So their forms need no CSRF token, and shared caches can keep the pages.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt

View = Callable[..., HttpResponseBase]

logger = logging.getLogger("django.security.csrf")


def is_from_here(request: HttpRequest) -> bool:
    """Whether the browser says that a page of this origin sent the request. Scripts cannot set these headers.

    ``Sec-Fetch-Site`` decides if there is one (Fetch Metadata, 2.3). Browsers send it to secure origins only; for
    others, and from older browsers, ``Origin`` must be this site's.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    return request.headers.get("Origin") == f"{request.scheme}://{request.get_host()}"


def confirmed(template: str) -> Callable[[View], View]:
    """Decorate a view whose form has no CSRF token.

    A post that is neither from here nor has a valid token gets a page whose button sends the same form.
    """

    def decorate(view: View) -> View:
        @csrf_exempt
        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not is_from_here(request):
                asked: HttpResponse | None = _Check(view, template).process_view(request, view, args, kwargs)
                if asked is not None:
                    return asked
            return view(request, *args, **kwargs)

        return checked

    return decorate


class _Check(CsrfViewMiddleware):
    """Django's check of the token, with a response of its own for a refusal."""

    def __init__(self, view: View, template: str) -> None:
        super().__init__(view)
        self.template = template

    def _reject(self, request: HttpRequest, reason: str) -> HttpResponse:
        """Give a token only to browsers that do not send ``Sec-Fetch-Site``.

        Browsers send no cookies with a post from another site. So a new token would replace that of the visitor's
        other open pages, and their forms would be refused. The log gets Django's reason without the address that
        follows it, which may hold personal data.
        """
        what = reason.partition(" - ")[0]
        logger.warning("A form was not accepted without a confirmation (%s): %s", what, request.path)
        return render(request, self.template, {"needs_token": not request.headers.get("Sec-Fetch-Site")})
