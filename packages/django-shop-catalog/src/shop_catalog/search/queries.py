"""The statement of search that the ORM cannot write."""

from __future__ import annotations

from django.db import connections, router

from shop_catalog.models import Product


def is_known(query: str) -> bool:
    """Whether some product has all the words of a ``tsquery``, by the function of migration 0002. PostgreSQL only."""
    with connections[router.db_for_read(Product)].cursor() as cursor:
        cursor.execute("SELECT shop_catalog_known(%s)", [query])
        [found] = cursor.fetchone()
    return bool(found)
