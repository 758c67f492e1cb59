"""Hooks: callables of the site, named in settings by their dotted paths."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from django.utils.module_loading import import_string


def load_hook(entry: str | Mapping[str, Any]) -> Callable[..., Any]:
    """Import a callable from a path or ``{"BACKEND": path, "OPTIONS": {keywords of each call}}``, or ImportError."""
    if isinstance(entry, str):
        hook: Callable[..., Any] = import_string(entry)
        return hook
    return partial(import_string(entry["BACKEND"]), **entry.get("OPTIONS", {}))
