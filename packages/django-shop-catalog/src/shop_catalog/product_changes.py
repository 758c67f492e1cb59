"""Telling receivers which products changed, after commit and once for each transaction."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from django.db import transaction
from shop_core.db.rows import chunks
from shop_core.db.transactions import connection_of

from shop_catalog import money, signals
from shop_catalog.models import PriceChange, Product

MOST_PRODUCTS = 1000
"""The maximum number of products in one signal."""


class _Announcement:
    """Waits for the commit. All that wait in one transaction share ``changed``, and the first that runs sends it.

    If a savepoint is rolled back, Django drops what was registered in it. The products of the savepoint may then be
    sent although they did not change, which is harmless: receivers read them again.
    """

    def __init__(self, changed: dict[int, str]) -> None:
        self.changed = changed
        self.is_sent = False

    def send(self) -> None:
        self.is_sent = True
        found = list(self.changed.items())
        self.changed.clear()
        for part in chunks(found, MOST_PRODUCTS):
            payload = {"version": 1, "products": [{"id": pk, "sku": sku} for pk, sku in part], "recipients": {}}
            signals.product_changed.send_robust(sender=Product, payload=payload, event_id=str(uuid.uuid4()))


def record(listed: Iterable[Product]) -> None:
    """Send ``product_changed`` for these products after the commit. Call it in the transaction of the change."""
    new = {product.pk: product.sku for product in listed}
    if not new:
        return
    connection = connection_of(Product)
    registered = [(entry[0], getattr(entry[1], "__self__", None)) for entry in connection.run_on_commit]
    waiting = [(ids, other) for ids, other in registered if isinstance(other, _Announcement) and not other.is_sent]
    changed = waiting[0][1].changed if waiting else {}
    changed |= new
    if not any(savepoints <= set(connection.savepoint_ids) for savepoints, _announcement in waiting):
        transaction.on_commit(_Announcement(changed).send, using=connection.alias, robust=True)


def price_payload(product: Product, change: PriceChange) -> dict[str, object]:
    """The payload of ``price_changed``."""
    return {
        "version": 1,
        "product": {"sku": product.sku, "name": product.name, "slug": product.listed.slug},
        "old_price": money.as_text(change.old_price),
        "new_price": money.as_text(change.new_price),
        "currency": product.currency,
        "notify": True,
        "recipients": {},
    }
