"""Stock: every change is recorded once as a movement in the ledger.

All functions work on many products at a time, ``{sku: quantity}``, in the caller's transaction or in their own.
Rows are locked in primary-key order, so that two calls do not deadlock. A movement is identified by product, kind and
reference: a repeated call changes nothing, and one with a different quantity is refused.
"""

from shop_catalog.inventory.announcements import (
    announce_on_commit,
    announce_pending,
    crossing_of,
    payload_of,
    signals_of,
)
from shop_catalog.inventory.movements import (
    Difference,
    adjust,
    count,
    differences,
    receive,
    release,
    reserve,
    restock,
    ship,
)

__all__ = [
    "Difference",
    "adjust",
    "announce_on_commit",
    "announce_pending",
    "count",
    "crossing_of",
    "differences",
    "payload_of",
    "receive",
    "release",
    "reserve",
    "restock",
    "ship",
    "signals_of",
]
