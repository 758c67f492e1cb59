"""Validators, which may refuse an order: called with the priced draft inside the checkout transaction."""

from __future__ import annotations

from decimal import Decimal

from django.utils.translation import gettext as _
from shop_core.money import as_text

from shop_orders.exceptions import CheckoutRefused
from shop_orders.pricing import Draft


class OrderTooSmall(CheckoutRefused):
    code = "order_too_small"


def minimum_order_value(draft: Draft, *, amount: str) -> None:
    """Refuse an order whose products cost less than ``amount``."""
    if draft.subtotal < Decimal(amount):
        message = _("Order for at least %(amount)s %(currency)s.")
        raise OrderTooSmall(message % {"amount": as_text(Decimal(amount), draft.currency), "currency": draft.currency})
