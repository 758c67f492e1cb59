"""What the shop adds to its prices."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from shop_orders.pricing import Charge, Draft


def quantity_discount(draft: Draft) -> Iterable[Charge]:
    """A third off from four units on, so that shares of a discount are seldom round."""
    if sum(line.quantity for line in draft.lines) >= 4:
        yield Charge(kind="discount", label="A third off", amount=-draft.subtotal / 3)


def courier_fee(draft: Draft) -> Iterable[Charge]:
    """For paying at the door."""
    if draft.payment_provider == "door":
        yield Charge(kind="fee", label="Courier", amount=Decimal("1.05"))


def line_options(sku: str) -> list[str]:
    """Everything can be engraved, so that carts and orders have several lines of one product."""
    return ["Engraving"]
