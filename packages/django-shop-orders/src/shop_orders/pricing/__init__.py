"""Pricing: hooks add charges to an order, one after the other. Each charge is rounded half up to the currency's
decimals.

A hook is a pure function ``(draft) -> Iterable[Charge]``. It sees the lines, the address and the charges so far.
"""

from shop_orders.pricing.drafts import Charge, Contact, Draft, DraftLine, InvalidCharge, Taxed
from shop_orders.pricing.hooks import flat_rate_shipping, flat_rate_tax, tax_at
from shop_orders.pricing.totals import price
from shop_orders.pricing.values import Kind

__all__ = [
    "Charge",
    "Contact",
    "Draft",
    "DraftLine",
    "InvalidCharge",
    "Kind",
    "Taxed",
    "flat_rate_shipping",
    "flat_rate_tax",
    "price",
    "tax_at",
]
