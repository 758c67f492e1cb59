"""The protocol of product sources. A source has these methods and does not import this module."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Protocol


class SourceProduct(Protocol):
    """A product that can be bought now. Plain, read-only values."""

    @property
    def ref(self) -> str:
        """Identifies the product in carts and orders; must never change. At most 200 characters. Must not be ``#`` and
        a number, such as ``#2``: that names a line of an order."""

    @property
    def sku(self) -> str:
        """Shown to staff and copied to the order; "" if there is none."""

    @property
    def name(self) -> str:
        """In the language that is active, and copied to the order."""

    @property
    def unit_price(self) -> Decimal:
        """Not negative, and with no more decimals than the currency has."""

    @property
    def currency(self) -> str:
        """ISO 4217; must be the shop's CURRENCY."""

    @property
    def tax_class(self) -> str:
        """Selects the rate in the tax hook, such as ``reduced``; "" is the standard rate."""

    @property
    def price_includes_tax(self) -> bool:
        """Whether ``unit_price`` is with tax."""

    @property
    def available(self) -> int | None:
        """Units that can be sold, None where stock is not tracked."""

    @property
    def weight(self) -> Decimal | None:
        """Of one unit, in the unit that the site's shipping hook expects; None if it is unknown."""

    @property
    def url(self) -> str:
        """The URL of the product's page; "" if it has none."""

    @property
    def image(self) -> str:
        """The URL of a picture; "" if there is none."""


class DetailedProduct(SourceProduct, Protocol):
    """Optional attributes of a product. If one is missing, its default applies."""

    @property
    def line_options(self) -> Sequence[str]:
        """The names of the options that a buyer may fill in, such as ``["Engraving"]``. Default: none."""

    @property
    def max_quantity(self) -> int | None:
        """The most units in one order, of all lines together. Default: None, only MAX_QUANTITY applies."""

    @property
    def groups(self) -> Sequence[str]:
        """Groups that pricing hooks and validators look at, such as ``["fragile"]``. Default: none."""

    @property
    def needs_delivery(self) -> bool:
        """Whether it is sent or picked up; False for a download. Default: True."""

    @property
    def stock_ref(self) -> str:
        """Products with the same text share one stock. If it is short, only one of them is named. Default: the ref."""


class ProductSource(Protocol):
    """Reads products and changes their stock. The methods run in the caller's transaction.

    ``reference`` is the order's number for ``reserve`` and ``release``, the shipment's number for ``ship`` and an id
    of the refund or return for ``restock``. After an order was cancelled and reinstated once, it is ``NUMBER#2``; for
    units of it that are released before the others, ``NUMBER#cancelled-1``. So it is unique for each method. A call is
    never repeated: a source that has a ledger may refuse a second call with the same reference.

    A source with products that take options may have a method ``refuses_options(ref, options)``. It gets the options
    that a buyer has filled in, with names of ``line_options``, and returns what the buyer has to correct; "" accepts.

    A source whose stock is in a model names it in an optional attribute ``stock_model``. A check then reports if that
    is in another database than the orders.
    """

    def fetch(self, refs: Iterable[str], *, customer: object | None = None) -> Mapping[str, SourceProduct]:
        """The products that can be bought, as ``{ref: product}``. The number of queries must not grow with that of
        ``refs``.

        ``customer`` is the Customer who owns the cart; None for a guest, and for calls without a cart. Its ``user`` is
        the user of the site, so a source can have different prices for some users.
        """

    def reserve(self, quantities: Mapping[str, int], *, reference: str) -> Mapping[str, int]:
        """Reserve stock for all lines or none. Returns {}, or the available units of each ref that has too few."""

    def release(self, quantities: Mapping[str, int], *, reference: str) -> None:
        """Release reserved stock that was not shipped. An order may be released in parts."""

    def ship(self, quantities: Mapping[str, int], *, reference: str) -> None:
        """Record that reserved goods were sent."""

    def restock(self, quantities: Mapping[str, int], *, reference: str) -> None:
        """Take shipped goods back into stock, to be sold again."""
