"""Announces products that crossed their low-stock threshold, after the transaction of the stock movement."""

from __future__ import annotations

import logging
import uuid
from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from shop_core.db.transactions import connection_of

from shop_catalog import signals
from shop_catalog.models import Product, StockMovement

logger = logging.getLogger(__name__)

GRACE_PERIOD = timedelta(minutes=1)
"""Crossings younger than this are left to the process that caused them. The periodic job announces older ones."""


def announce_on_commit(event_id: uuid.UUID) -> None:
    """Announce a crossing as soon as the transaction has committed."""
    using = connection_of(StockMovement).alias
    transaction.on_commit(lambda: _announce_event(event_id), using=using, robust=True)


def announce_pending() -> int:
    """Announce the crossings that are pending after a crash or a failed receiver. Returns how many were announced."""
    waiting = StockMovement.objects.unannounced().filter(created_at__lt=timezone.now() - GRACE_PERIOD)
    return sum(_announce(movement_id) for movement_id in waiting.order_by("id").values_list("id", flat=True))


def _announce_event(event_id: uuid.UUID) -> None:
    movement_id = StockMovement.objects.filter(event_id=event_id).values_list("id", flat=True).first()
    if movement_id is not None:
        _announce(movement_id)


def _announce(movement_id: int) -> bool:
    """Send the signal of a crossing if it is still pending. True when every receiver returned without error."""
    movement = StockMovement.objects.select_related("product").filter(pk=movement_id).unannounced().first()
    if movement is None:
        return True
    product = movement.product
    payload = {
        "version": 1,
        "product": {"sku": product.sku, "name": product.name, "slug": product.listed.slug},
        "available": product.available_quantity,
        "threshold": product.low_stock_threshold,
        "notify": True,
        "recipients": {},
    }
    signal = signals.stock_low if movement.crossing == "low" else signals.stock_back
    results = signal.send_robust(sender=Product, product=product, payload=payload, event_id=str(movement.event_id))
    for receiver, error in results:
        if isinstance(error, Exception):
            logger.error("%r failed on crossing %s", receiver, movement.event_id, exc_info=error)
            return False
    StockMovement.objects.filter(pk=movement.pk).update(announced_at=timezone.now())
    return True
