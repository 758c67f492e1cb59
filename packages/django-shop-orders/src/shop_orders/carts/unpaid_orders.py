"""Limits the unpaid orders of one buyer and the units in them, so that nobody can reserve all stock without paying."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from shop_orders.carts.queries import UnpaidCounts
from shop_orders.conf import app_settings
from shop_orders.exceptions import TooManyUnpaidOrders
from shop_orders.pricing import Draft


class Buyer(NamedTuple):
    """The values that identify a buyer. A customer's orders are counted by ``customer``, a guest's by the contact.

    Somebody else who orders with a customer's address does not use up that customer's limit.
    """

    customer: int | None
    email: str
    phone: str
    visitor: str

    def counted_fields(self) -> tuple[str, ...]:
        """The fields by which open orders are counted."""
        own = ("customer",) if self.customer is not None else ("email", "phone")
        return tuple(name for name in (*own, "visitor") if getattr(self, name))

    def lock_keys(self) -> list[int]:
        """Numbers to lock, in ascending order, so that parallel checkouts of one buyer wait for each other."""
        known = [f"{name}:{value}" for name, value in self._asdict().items() if value]
        digests = (hashlib.sha256(f"shop_orders.unpaid:{text}".encode()).digest() for text in known)
        return sorted(int.from_bytes(digest[:8], signed=True) for digest in digests)


def check(unpaid: UnpaidCounts, draft: Draft) -> None:
    """Refuse an order that would exceed the limits of the buyer or of the visitor.

    Raises:
        TooManyUnpaidOrders: there would be more orders than MAX_UNPAID_ORDERS, or more units than MAX_UNPAID_UNITS.
    """
    orders, units = app_settings.MAX_UNPAID_ORDERS, app_settings.MAX_UNPAID_UNITS
    ordered = sum(line.quantity for line in draft.lines)
    if max(unpaid.own_orders, unpaid.visitor_orders) >= orders:
        raise TooManyUnpaidOrders(max_orders=orders, max_units=units)
    if max(unpaid.own_units, unpaid.visitor_units) + ordered > units:
        raise TooManyUnpaidOrders(max_orders=orders, max_units=units, are_units=True)
