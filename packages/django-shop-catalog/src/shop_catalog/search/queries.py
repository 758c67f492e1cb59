"""The statement of search that the ORM cannot write."""

from __future__ import annotations

from django.db import connections, router

from shop_catalog.models import Product


def has_match(query: str) -> bool:
    """Whether any product matches a ``tsquery``. Calls a function that migration 0002 creates, on PostgreSQL only."""
    with connections[router.db_for_read(Product)].cursor() as cursor:
        cursor.execute("SELECT shop_catalog_has_match(%s)", [query])
        [found] = cursor.fetchone()
    return bool(found)
