"""Hooks: callables of the site, named in settings by their dotted paths."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from django.utils.module_loading import import_string


def load_hook(entry: str | Mapping[str, Any]) -> Callable[..., Any]:
    """Import a callable from its path, or from ``{"BACKEND": path, "OPTIONS": {keywords of each call}}``.

    Raises:
        ImportError: there is nothing at the path.
    """
    if isinstance(entry, str):
        hook: Callable[..., Any] = import_string(entry)
        return hook
    return partial(import_string(entry["BACKEND"]), **entry.get("OPTIONS", {}))
