"""The limits of ``THROTTLES`` for the forms about the catalogue: the same function and counts as in the API."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from shop_catalog import reviews
from shop_core.exceptions import TooManyRequests

View = Callable[..., HttpResponse]


def limited_reviews(view: View) -> View:
    """Decorate a view whose POST requests count against ``THROTTLES["reviews"]``; beyond it, the page is 429."""

    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method == "POST":
            try:
                reviews.limit(request.user)
            except TooManyRequests as error:
                return _too_many(request, error)
        return view(request, *args, **kwargs)

    return checked


def _too_many(request: HttpRequest, error: TooManyRequests) -> HttpResponse:
    response = render(request, "429.html", status=429)
    response["Retry-After"] = str(error.extra["retry_after"])
    return response
