"""Stock: every change is a movement in the ledger, made once.

All functions work on many products at a time, ``{sku: quantity}``, in the caller's transaction or one of their own.
Rows are locked in primary-key order, so that two calls never wait for each other. A movement that the ledger already
holds under the same product, kind and reference is not made again; another quantity under it is refused.
"""

from shop_catalog.inventory.announcements import announce_pending
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
    "announce_pending",
    "count",
    "differences",
    "receive",
    "release",
    "reserve",
    "restock",
    "ship",
]
