"""Announces products whose available stock crossed a threshold or zero, after the transaction of the movement."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta

from django.db import transaction
from django.dispatch import Signal
from django.utils import timezone
from shop_core.db.transactions import connection_of

from shop_catalog import signals
from shop_catalog.managers import StockMovementQuerySet
from shop_catalog.models import Crossing, Product, StockMovement

logger = logging.getLogger(__name__)

GRACE_PERIOD = timedelta(minutes=1)
"""Crossings younger than this are left to the process that caused them. The periodic job announces older ones."""
CHUNK = 200
"""So many crossings are read at a time, and marked as announced."""

SIGNALS: Mapping[str, tuple[Signal, ...]] = {
    Crossing.LOW: (signals.stock_low,),
    Crossing.BACK: (signals.stock_back,),
    Crossing.AVAILABLE: (signals.stock_available,),
    Crossing.BOTH: (signals.stock_back, signals.stock_available),
}


def crossing_of(before: int, after: int, *, threshold: int | None) -> Crossing | str:
    """What a change of the available quantity crossed. The empty text: nothing."""
    is_available = before <= 0 < after
    if threshold is not None and before >= threshold > after:
        return Crossing.LOW
    if threshold is not None and before < threshold <= after:
        return Crossing.BOTH if is_available else Crossing.BACK
    return Crossing.AVAILABLE if is_available else ""


def announce_on_commit(event_ids: Collection[uuid.UUID], *, kind: str, reference: str) -> None:
    """Announce the crossings of one call as soon as its transaction has committed."""
    if not event_ids:
        return
    own = StockMovement.objects.unannounced().filter(kind=kind, reference=reference)
    using = connection_of(StockMovement).alias
    transaction.on_commit(lambda: _announce(own, only=event_ids), using=using, robust=True)


def announce_pending() -> int:
    """Announce the crossings that are pending after a crash or a failed receiver. Returns how many were announced."""
    return _announce(StockMovement.objects.unannounced().filter(created_at__lt=timezone.now() - GRACE_PERIOD))


def _announce(movements: StockMovementQuerySet, *, only: Collection[uuid.UUID] | None = None) -> int:
    """Send the signals of crossings, and mark those that every receiver accepted. Returns how many these are."""
    unheard = [
        str(crossing) for crossing, sent in SIGNALS.items() if not any(signal.has_listeners() for signal in sent)
    ]
    announced = movements.filter(crossing__in=unheard).update(announced_at=timezone.now()) if unheard else 0
    last = 0
    while rows := list(movements.filter(pk__gt=last).select_related("product__parent").order_by("pk")[:CHUNK]):
        last = rows[-1].pk
        done = [row.pk for row in rows if (only is None or row.event_id in only) and _send(row)]
        StockMovement.objects.filter(pk__in=done).update(announced_at=timezone.now())
        announced += len(done)
    return announced


def _send(movement: StockMovement) -> bool:
    """Send the signals of a crossing. True when every receiver returned without error."""
    received = [_received(signal, movement, event_id) for signal, event_id in signals_of(movement)]
    return all(received)


def signals_of(movement: StockMovement) -> Iterator[tuple[Signal, str]]:
    """The signals of a crossing, each with an event id of its own that never changes."""
    for signal in SIGNALS[movement.crossing]:
        is_second = signal is signals.stock_available
        yield signal, str(uuid.uuid5(movement.event_id, "stock_available") if is_second else movement.event_id)


def payload_of(movement: StockMovement) -> dict[str, object]:
    """The payload of a crossing's signals, with the stock as it is now."""
    product = movement.product
    return {
        "version": 1,
        "product": {"sku": product.sku, "name": product.name, "slug": product.listed.slug},
        "available": product.available_quantity,
        "threshold": product.low_stock_threshold,
        "notify": True,
        "recipients": {},
    }


def _received(signal: Signal, movement: StockMovement, event_id: str) -> bool:
    values = {"product": movement.product, "payload": payload_of(movement), "event_id": event_id}
    failed = [
        (receiver, error)
        for receiver, error in signal.send_robust(sender=Product, **values)
        if isinstance(error, Exception)
    ]
    for receiver, error in failed:
        logger.error("%r failed on crossing %s", receiver, event_id, exc_info=error)
    return not failed
