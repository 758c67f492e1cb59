"""Runs a periodic job row by row: an error in one row is logged and does not stop the others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

from shop_orders.exceptions import ShopOrdersError

logger = logging.getLogger(__name__)
Row = TypeVar("Row")


def run(work: Callable[[Row], bool], items: Iterable[Row]) -> int:
    """Do the work for each row, and count those for which it returns True. ``work`` schedules the next attempt for its
    row first."""
    return sum(_run_one(work, item) for item in items)


def _run_one(work: Callable[[Row], bool], item: Row) -> bool:
    try:
        return work(item)
    except ShopOrdersError as error:
        logger.warning("A periodic job could not finish a row and will try it again: %s", error.code)
    except Exception:
        logger.exception("A periodic job failed for one row and will try it again")
    return False
