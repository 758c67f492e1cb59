"""The protocol of product sources. A source has these methods and does not import this module."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Protocol


class SourceProduct(Protocol):
    """A product that can be bought now. Plain, read-only values."""

    @property
    def ref(self) -> str:
        """Identifies the product in carts and orders; must never change."""

    @property
    def sku(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def unit_price(self) -> Decimal:
        """With at most the currency's decimals, not negative."""

    @property
    def currency(self) -> str:
        """ISO 4217; must be the shop's CURRENCY."""

    @property
    def tax_class(self) -> str: ...

    @property
    def price_includes_tax(self) -> bool: ...

    @property
    def available(self) -> int | None:
        """Units that can be sold, None where stock is not tracked."""

    @property
    def weight(self) -> Decimal | None: ...

    @property
    def url(self) -> str: ...

    @property
    def image(self) -> str: ...


class ProductSource(Protocol):
    """Reads products and changes their stock. The methods run in the caller's transaction.

    ``reference`` is the order's number for ``reserve`` and ``release``, the shipment's number for ``ship`` and the
    refund's id for ``restock``, so it is unique for each method. A call is never repeated; a source with a ledger may
    refuse a second one.
    """

    def fetch(self, refs: Iterable[str], *, customer: object | None = None) -> Mapping[str, SourceProduct]:
        """Those products of ``refs`` that can be bought, by ref. The number of queries does not depend on that of the
        refs."""

    def reserve(self, quantities: Mapping[str, int], *, reference: str) -> Mapping[str, int]:
        """Take stock for all lines or none. Returns {} or, for each short ref, what is available."""

    def release(self, quantities: Mapping[str, int], *, reference: str) -> None:
        """Give back stock that ``reserve`` took and that was not shipped."""

    def ship(self, quantities: Mapping[str, int], *, reference: str) -> None:
        """Record that reserved goods were sent."""

    def restock(self, quantities: Mapping[str, int], *, reference: str) -> None:
        """Take shipped goods back into stock, to be sold again."""
