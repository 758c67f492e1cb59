"""Slugs from names."""

from __future__ import annotations

from collections.abc import Container, Mapping

from anyascii import anyascii
from django.db import models
from django.utils.crypto import get_random_string
from django.utils.text import slugify
from django.utils.translation import gettext as _

from shop_catalog.exceptions import DuplicateValue

MAX_LENGTH = 100

RESERVED: Mapping[str, frozenset[str]] = {
    "product": frozenset({"bulk_create", "featured"}),
    "category": frozenset({"tree"}),
}
"""Parts of the API's paths, by model: a product or category with such a slug could not be reached."""


def refuse_reserved(model: type[models.Model], slug: str) -> None:
    """Refuse a slug that somebody typed and that is a part of the API's paths.

    Raises:
        DuplicateValue: it is one.
    """
    if slug in RESERVED[model._meta.model_name or ""]:
        message = _("The slug %(slug)s is used by the shop itself. Choose another, such as %(slug)s-2.")
        raise DuplicateValue(message % {"slug": slug}, field="slug")


def unreserved(model: type[models.Model], stem: str) -> str:
    """``stem``, or ``stem-2`` if it is a part of the API's paths."""
    return f"{stem}-2" if stem in RESERVED[model._meta.model_name or ""] else stem


def slug_of(name: str) -> str:
    """The slug of a name in any script: ``Straße`` is ``strasse``, ``茶`` is ``cha``. Empty if it has no letter."""
    return slugify(anyascii(name))


def free_slug(model: type[models.Model], name: str) -> str:
    """Make a slug from a name that no row of the model uses."""
    stem = slug_of(name)[: MAX_LENGTH - 10] or "item"
    taken = set(model._default_manager.filter(slug__startswith=stem).values_list("slug", flat=True))
    return unused_slug(stem, taken | RESERVED[model._meta.model_name or ""])


def unused_slug(stem: str, taken: Container[str]) -> str:
    """``stem``, or ``stem-2``, ``stem-3`` ...: the first that is not taken; with a random suffix if all are."""
    if stem not in taken:
        return stem
    for number in range(2, 100):
        if f"{stem}-{number}" not in taken:
            return f"{stem}-{number}"
    return f"{stem}-{get_random_string(8).lower()}"
