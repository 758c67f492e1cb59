"""Slugs from names."""

from __future__ import annotations

from collections.abc import Container

from anyascii import anyascii
from django.db import models
from django.utils.crypto import get_random_string
from django.utils.text import slugify

MAX_LENGTH = 100


def slug_of(name: str) -> str:
    """The slug of a name in any script: ``Straße`` is ``strasse``, ``茶`` is ``cha``. Empty if it has no letter."""
    return slugify(anyascii(name))


def free_slug(model: type[models.Model], name: str) -> str:
    """Make a slug from a name that no row of the model uses."""
    stem = slug_of(name)[: MAX_LENGTH - 10] or "item"
    taken = set(model._default_manager.filter(slug__startswith=stem).values_list("slug", flat=True))
    return unused_slug(stem, taken)


def unused_slug(stem: str, taken: Container[str]) -> str:
    """``stem``, or ``stem-2``, ``stem-3`` ...: the first that is not taken; with a random suffix if all are."""
    if stem not in taken:
        return stem
    for number in range(2, 100):
        if f"{stem}-{number}" not in taken:
            return f"{stem}-{number}"
    return f"{stem}-{get_random_string(8).lower()}"
