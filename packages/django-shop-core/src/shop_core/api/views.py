"""For the views of a router: exempt them from ATOMIC_REQUESTS, and keep their responses out of caches."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from ninja import Router
from ninja.operation import PathView

from shop_core.db.transactions import non_atomic


def make_non_atomic(router: Router, *paths: str) -> None:
    """Mark the views of a router's paths as ``non_atomic``. Call it before they have operations (ValueError)."""
    for path in paths:
        if path in router.path_operations:
            raise ValueError(f"{path} has an operation already.")
        router.path_operations[path] = _NonAtomicPathView()


class _NonAtomicPathView(PathView):
    """A path that marks its views as ``non_atomic``. Ninja copies it and creates one view for each NinjaAPI."""

    def clone(self) -> PathView:
        cloned = _NonAtomicPathView()
        vars(cloned).update(vars(super().clone()))
        return cloned

    def get_view(self) -> Callable[..., Any]:
        return non_atomic(super().get_view())


class ReadMethods(list[str]):
    """The methods of an operation, in which GET includes HEAD (RFC 9110, 9.3.2), but not in the OpenAPI document."""

    def __contains__(self, method: object) -> bool:
        return super().__contains__("GET" if method == "HEAD" else method)


def keep_private(run: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Decorate the views of a router whose responses hold tokens or personal data: no cache may keep them."""

    @functools.wraps(run)
    def wrapped(*args: Any, **kwargs: Any) -> HttpResponseBase:
        return make_private(run(*args, **kwargs))

    return wrapped


def make_private(response: HttpResponseBase) -> HttpResponseBase:
    """Keep a response out of every cache (RFC 9111, 5.2.2.5), and name the headers on which it depends."""
    response["Cache-Control"] = "no-store"
    patch_vary_headers(response, ("Authorization", "Cookie"))
    return response
