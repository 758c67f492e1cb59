"""A draft: an order that is not placed yet, as pricing hooks and validators see it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any, NamedTuple

from shop_core.money import quantise

from shop_orders.pricing.amounts import ZERO
from shop_orders.pricing.values import Kind, problem_of


class Taxed(NamedTuple):
    """The net amount and the tax of a line, of shipping or of a fee, after discounts.

    ``discount`` is its share of the discounts, not positive. ``net`` is the amount without tax, ``tax`` the tax on it,
    added or included; both are None where a hook does not divide its tax. ``tax_rate`` is the sum of the rates that
    apply; None without tax, with several rates, and if a rate is not known.
    """

    discount: Decimal
    tax_rate: Decimal | None
    net: Decimal | None
    tax: Decimal | None


@dataclass(frozen=True, kw_only=True)
class Contact:
    """How the shop reaches the buyer about the order. At checkout, empty fields are taken from the customer."""

    name: str = ""
    email: str = ""
    phone: str = ""


@dataclass(frozen=True, kw_only=True)
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
    number: str = ""
    """``#2`` for the second line where several lines have its product; otherwise ""."""
    options: Mapping[str, str] = field(default_factory=dict)
    """The texts that the buyer typed, by their names."""
    groups: Sequence[str] = ()
    """The groups that the product source names."""
    needs_delivery: bool = True

    @property
    def key(self) -> str:
        """Names the line in ``Charge.lines``: its product_ref, or its number where several lines have that product."""
        return self.number or self.product_ref

    @cached_property
    def line_total(self) -> Decimal:
        """The price of all units, before discounts and charges."""
        return self.unit_price * self.quantity


class InvalidCharge(ValueError):
    """A Charge has a value that is not possible."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Charge:
    """A charge that a hook adds. A discount is zero or negative, the others are not negative.

    A value that is not possible raises InvalidCharge, which names it.

    Only tax has ``is_included``, ``rate``, ``base`` and ``charges``. ``is_included``: the prices include it already.
    ``rate``: ``Decimal("0.16")`` for 16 %; tax without a rate is shown as an amount and never divided. ``base``: the
    net amount that is taxed. ``charges``: its part on earlier charges, by their position in ``draft.charges``.

    ``lines`` says which part of the amount belongs to which line: ``{line.key: amount}``. An amount for a product_ref
    that several lines have is divided among them, in proportion. Without ``lines``, a discount lowers all products in
    proportion, shipping and fees are taxed at the rates of all products, in proportion, and a tax is not divided.
    ``tax_class``: shipping or a fee is taxed like products of this class, a discount lowers products of this class.
    """

    kind: Kind
    """``tax``; ``shipping``; ``discount``; ``fee`` for everything else, such as a deposit or a gift wrapping."""
    label: str
    amount: Decimal
    """Rounded half up to the currency's decimals when the order is priced."""
    is_included: bool = False
    rate: Decimal | None = None
    base: Decimal | None = None
    tax_class: str | None = None
    lines: Mapping[str, Decimal] = field(default_factory=dict)
    charges: Mapping[int, Decimal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if problem := problem_of(self):
            raise InvalidCharge(problem)


@dataclass(frozen=True, kw_only=True)
class Draft:
    """An order that is not placed yet. ``customer`` is a Customer or None; an unknown ``shipping_address`` is {}, an
    unknown ``contact`` None.

    ``taxed_lines`` and ``taxed_charges`` are set when all hooks have run, one for each line and charge.
    """

    lines: Sequence[DraftLine]
    currency: str
    customer: object | None = None
    contact: Contact | None = None
    shipping_address: Mapping[str, Any] = field(default_factory=dict)
    delivery: str = ""
    payment_provider: str = ""
    charges: Sequence[Charge] = ()
    taxed_lines: Sequence[Taxed] = ()
    taxed_charges: Sequence[Taxed] = ()

    @cached_property
    def subtotal(self) -> Decimal:
        """The sum of the lines, without any charge."""
        return sum((line.line_total for line in self.lines), quantise(ZERO, self.currency))

    @cached_property
    def charges_total(self) -> Decimal:
        """The sum of the charges so far that are added to the prices; a discount lowers it."""
        return self._sum(charge.amount for charge in self.charges if not charge.is_included)

    @cached_property
    def tax_total(self) -> Decimal:
        """The sum of the taxes, included in the prices or added to them."""
        return self._sum(charge.amount for charge in self.charges if charge.kind == "tax")

    @cached_property
    def tax_lines(self) -> Sequence[Charge]:
        """The taxes, one for each rate."""
        return [charge for charge in self.charges if charge.kind == "tax"]

    @cached_property
    def total(self) -> Decimal:
        """What the customer pays: the lines and the charges so far."""
        return self.subtotal + self.charges_total

    @cached_property
    def net_total(self) -> Decimal:
        """What the customer pays, without any tax."""
        return self.total - self.tax_total

    @cached_property
    def needs_delivery(self) -> bool:
        """Whether any line is sent or picked up. True without lines."""
        return not self.lines or any(line.needs_delivery for line in self.lines)

    @cached_property
    def prices_include_tax(self) -> bool:
        """Whether the price of every line includes tax. False without lines."""
        return bool(self.lines) and all(line.price_includes_tax for line in self.lines)

    def with_taxed(self, lines: Sequence[Taxed], charges: Sequence[Taxed] = ()) -> Draft:
        """The draft with ``taxed_lines`` and ``taxed_charges``. It keeps the sums, which these do not change."""
        taxed = object.__new__(type(self))
        vars(taxed).update(vars(self), taxed_lines=lines, taxed_charges=charges)
        return taxed

    def _sum(self, amounts: Iterable[Decimal]) -> Decimal:
        return sum(amounts, quantise(ZERO, self.currency))
