"""A function that stores known rows as prefetched."""

from __future__ import annotations

from typing import Any

from django.db.models import Model, QuerySet

from shop_orders.models import Order


def set_prefetched(order: Order, **related: list[Any]) -> None:
    """Let ``order.lines.all()`` return the rows that were just written, as after ``prefetch_related``."""
    known: dict[str, QuerySet[Model]] = {}
    for name, rows in related.items():
        known[name] = getattr(order, name).all()
        known[name]._result_cache = rows  # noqa: SLF001 - Django has no public way to prefetch known rows
    order._prefetched_objects_cache = known  # type: ignore[attr-defined]  # noqa: SLF001
