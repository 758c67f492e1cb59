"""The settings of every package."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from typing import Any

from shop_reference.definitions import type_of
from shop_reference.markdown import table, words
from shop_reference.sources import PACKAGES


def settings() -> str:
    """Every setting of every package: name, type, default and the words of its property."""
    from django.core.exceptions import ImproperlyConfigured

    parts = []
    for package in PACKAGES:
        reader = importlib.import_module(f"{package}.conf").AppSettings
        empty = type("Empty", (reader,), {"setting": "A_SITE_WITHOUT_SETTINGS_OF_ITS_OWN"})()
        rows = []
        for name, prop in _settings_of(reader):
            try:
                default = _shown(getattr(empty, name))
            except ImproperlyConfigured:
                default = "none, required"
            rows.append((f"`{name}`", f"{words(inspect.getdoc(prop))}<br>`{type_of(prop)}`, default: {default}"))
        parts.append(f"## {reader.setting}\n\n" + table(("setting", "what it says"), rows))
    return "\n\n".join(parts)


def _settings_of(reader: type) -> Iterator[tuple[str, property]]:
    """In the order of the file."""
    lines = {name: prop for base in reversed(reader.__mro__) for name, prop in vars(base).items()}
    yield from ((name, prop) for name, prop in lines.items() if name.isupper() and isinstance(prop, property))


def _shown(value: Any) -> str:
    shown = repr(value).replace("datetime.timedelta", "timedelta")
    return f"`{shown}`"
