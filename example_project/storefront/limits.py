"""The limits of ``THROTTLES`` for the forms of the storefront: the same function and counts as in the API."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from shop_catalog import reviews
from shop_core.exceptions import TooManyRequests
from shop_orders import visitors

View = Callable[..., HttpResponse]


def limited(kind: str) -> Callable[[View], View]:
    """Decorate a view whose POST requests count against ``THROTTLES[kind]``; beyond it, the page is 429."""

    def decorate(view: View) -> View:
        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if request.method != "POST":
                return view(request, *args, **kwargs)
            try:
                if kind in reviews.THROTTLED:
                    reviews.limit(request.user)
                else:
                    visitors.limit(request, kind)
            except TooManyRequests as error:
                return _too_many(request, error)
            return view(request, *args, **kwargs)

        return checked

    return decorate


def _too_many(request: HttpRequest, error: TooManyRequests) -> HttpResponse:
    response = render(request, "429.html", status=429)
    response["Retry-After"] = str(error.extra["retry_after"])
    return response
