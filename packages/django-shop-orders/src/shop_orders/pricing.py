"""Pricing: hooks add charges to an order, one after the other. Each charge is rounded half up to the currency's
decimals.

A hook is a pure function ``(draft) -> Iterable[Charge]``. It sees the lines, the address and the charges so far.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Literal

from django.utils.translation import gettext as _
from shop_core.hooks import load_hook
from shop_core.money import MAX_AMOUNT, quantise

from shop_orders.conf import app_settings
from shop_orders.exceptions import AmountTooLarge

Kind = Literal["tax", "shipping", "discount", "fee"]


@dataclass(frozen=True, kw_only=True, slots=True)
class DraftLine:
    """A line as it would be ordered now."""

    product_ref: str
    sku: str
    name: str
    quantity: int
    unit_price: Decimal
    tax_class: str = ""
    price_includes_tax: bool = False
    weight: Decimal | None = None

    @property
    def line_total(self) -> Decimal:
        return self.unit_price * self.quantity


@dataclass(frozen=True, kw_only=True, slots=True)
class Charge:
    """A charge that a hook adds. A discount is negative; ``is_included`` is for tax that prices include already."""

    kind: Kind
    label: str
    amount: Decimal
    is_included: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """An order before it is placed. ``customer`` is a Customer or None; ``shipping_address`` is {} if unknown."""

    lines: Sequence[DraftLine]
    currency: str
    customer: object | None = None
    shipping_address: Mapping[str, Any] = field(default_factory=dict)
    delivery: str = ""
    payment_provider: str = ""
    charges: Sequence[Charge] = ()

    @property
    def subtotal(self) -> Decimal:
        return sum((line.line_total for line in self.lines), quantise(Decimal(0), self.currency))

    @property
    def charges_total(self) -> Decimal:
        return _sum(self, (charge.amount for charge in self.charges if not charge.is_included))

    @property
    def tax_total(self) -> Decimal:
        return _sum(self, (charge.amount for charge in self.charges if charge.kind == "tax"))

    @property
    def total(self) -> Decimal:
        return self.subtotal + self.charges_total

    @property
    def net_total(self) -> Decimal:
        return self.total - self.tax_total

    @property
    def prices_include_tax(self) -> bool:
        return bool(self.lines) and all(line.price_includes_tax for line in self.lines)


def price(draft: Draft) -> Draft:
    """The draft with the charges of all PRICING hooks.

    Raises:
        AmountTooLarge: the columns cannot hold the total.
    """
    for entry in app_settings.PRICING:
        charges = [
            replace(charge, amount=quantise(charge.amount, draft.currency)) for charge in load_hook(entry)(draft)
        ]
        draft = replace(draft, charges=(*draft.charges, *(charge for charge in charges if charge.amount)))
    if draft.total < 0:
        draft = replace(draft, charges=(*draft.charges, _floor(draft)))
    if draft.total > MAX_AMOUNT or draft.subtotal > MAX_AMOUNT:
        raise AmountTooLarge
    return draft


def flat_rate_shipping(
    draft: Draft,
    *,
    amount: str,
    free_from: str = "",
    label: str = "",
    countries: Mapping[str, str] | None = None,
) -> Iterable[Charge]:
    """Shipping at one price per order: ``amount``, or the amount for the country in ``countries``. It is free if the
    subtotal is at least ``free_from``."""
    if free_from and draft.subtotal >= Decimal(free_from):
        return
    country = str(draft.shipping_address.get("country", ""))
    yield Charge(kind="shipping", label=label or _("Shipping"), amount=Decimal((countries or {}).get(country, amount)))


def flat_rate_tax(
    draft: Draft, *, rate: str, rates: Mapping[str, str] | None = None, label: str = ""
) -> Iterable[Charge]:
    """Tax at ``rate`` (``"0.16"``), or at the rate of the tax class in ``rates``, rounded for each line and each
    earlier charge. Whether a price includes tax is known for each line. Earlier charges are taxed at the standard
    ``rate``, and include tax if all lines do.
    """
    added, included = Decimal(0), Decimal(0)
    for line in draft.lines:
        line_rate = Decimal((rates or {}).get(line.tax_class, rate))
        if line.price_includes_tax:
            included += quantise(line.line_total * line_rate / (1 + line_rate), draft.currency)
        else:
            added += quantise(line.line_total * line_rate, draft.currency)
    for charge in draft.charges:
        if charge.kind == "tax":
            continue
        if draft.prices_include_tax:
            included += quantise(charge.amount * Decimal(rate) / (1 + Decimal(rate)), draft.currency)
        else:
            added += quantise(charge.amount * Decimal(rate), draft.currency)
    if included:
        yield Charge(kind="tax", label=label or _("Tax, included"), amount=included, is_included=True)
    if added:
        yield Charge(kind="tax", label=label or _("Tax"), amount=added)


def _sum(draft: Draft, amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, quantise(Decimal(0), draft.currency))


def _floor(draft: Draft) -> Charge:
    """The correction that keeps a total from being negative."""
    return Charge(kind="discount", label=_("Discount limited to the total"), amount=-draft.total)
