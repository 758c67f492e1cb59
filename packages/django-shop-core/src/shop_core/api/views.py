"""Paths whose view ``ATOMIC_REQUESTS`` must not wrap in a transaction, because their operations use the network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ninja import Router
from ninja.operation import PathView

from shop_core.db.transactions import non_atomic


def make_non_atomic(router: Router, *paths: str) -> None:
    """Mark the views of a router's paths as ``non_atomic``. Call it before operations are added to the paths.

    A decorator on an operation cannot do this: Django reads the mark from the view of the URL, which ninja makes.
    """
    for path in paths:
        if path in router.path_operations:
            raise ValueError(f"{path} has an operation already.")
        router.path_operations[path] = _NonAtomicPathView()


class _NonAtomicPathView(PathView):
    """A path whose view is marked, on each NinjaAPI on which its router is mounted."""

    def clone(self) -> PathView:
        cloned = _NonAtomicPathView()
        vars(cloned).update(vars(super().clone()))
        return cloned

    def get_view(self) -> Callable[..., Any]:
        return non_atomic(super().get_view())
