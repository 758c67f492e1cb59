"""The delivery options: their choices at checkout, their prices, and a validator that refuses others.

``SHOP_ORDERS["VALIDATORS"]`` names the validator, so an order by the API pays for its delivery like one by the pages.

The options are defined by the setting ``SHOP_DELIVERY``: ``{alias: {"label", "hint", "price", "free_from",
"needs_address"}}``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext as _
from shop_orders.exceptions import CheckoutRefused
from shop_orders.pricing import Charge, Draft


@dataclass(frozen=True, kw_only=True)
class Delivery:
    alias: str
    label: Any
    hint: Any = ""
    price: Decimal
    free_from: Decimal | None = None
    needs_address: bool = True

    def price_for(self, subtotal: Decimal) -> Decimal:
        is_free = self.free_from is not None and subtotal >= self.free_from
        return Decimal(0) if is_free else self.price


def choices() -> dict[str, Delivery]:
    """The delivery options in the order of the setting."""
    configured: Mapping[str, Mapping[str, Any]] = settings.SHOP_DELIVERY
    return {alias: _delivery(alias, **options) for alias, options in configured.items()}


def charge(draft: Draft) -> Iterable[Charge]:
    """A pricing hook: the price of the chosen delivery option. Nothing is added before one is chosen."""
    chosen = choices().get(draft.delivery)
    if chosen is None:
        return
    amount = chosen.price_for(draft.subtotal)
    if amount:
        yield Charge(kind="shipping", label=str(chosen.label), amount=amount)


def refuse_unknown(draft: Draft) -> None:
    """A validator: an order needs a known delivery option, and an address unless it is collected.

    Raises:
        CheckoutRefused: one of them is missing.
    """
    chosen = choices().get(draft.delivery)
    if chosen is None:
        known = ", ".join(choices())
        raise CheckoutRefused(_("Choose a delivery option: one of %(known)s.") % {"known": known})
    if chosen.needs_address and not draft.shipping_address:
        raise CheckoutRefused(_("This delivery option needs an address."))


def _delivery(alias: str, *, price: str | None = None, free_from: str | None = None, **options: Any) -> Delivery:
    if price is None:
        raise ImproperlyConfigured(f'SHOP_DELIVERY["{alias}"] has no "price". Write "0" if it is free of charge.')
    return Delivery(alias=alias, price=Decimal(price), free_from=Decimal(free_from) if free_from else None, **options)
