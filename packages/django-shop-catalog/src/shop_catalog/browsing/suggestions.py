"""Suggestions for a search box while somebody types."""

from __future__ import annotations

from typing import NamedTuple

from shop_catalog import categories
from shop_catalog.models import Product, texts
from shop_catalog.search import backend
from shop_catalog.wording import simplify


class Suggestions(NamedTuple):
    products: list[Product]
    categories: list[categories.Node]


def suggest(text: str, *, limit: int = 5) -> Suggestions:
    """Listed products and visible categories for a partial text; none for a single letter."""
    words = simplify(text).split()
    if len("".join(words)) < 2 or not texts.is_storable(text):
        return Suggestions([], [])
    products = backend(Product).suggest(Product.objects.listed().published(), text, limit=limit)
    nodes = [
        node
        for node in categories.current_tree().walk()
        if node.is_visible and all(word in simplify(node.name) for word in words)
    ]
    return Suggestions(products, nodes[:limit])
