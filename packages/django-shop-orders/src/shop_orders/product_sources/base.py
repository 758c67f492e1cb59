"""What orders needs to know of products. A source has this shape and need not import it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Protocol


class SourceProduct(Protocol):
    """A product that can be bought now. Plain, read-only values."""

    @property
    def ref(self) -> str:
        """What names the product in carts and orders, for ever."""

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
        """Units that can be sold, None where nobody counts."""

    @property
    def weight(self) -> Decimal | None: ...

    @property
    def url(self) -> str: ...

    @property
    def image(self) -> str: ...


class ProductSource(Protocol):
    """Reads products and moves their stock. The verbs run in the caller's transaction.

    ``reference`` is unique for each call of its kind: the order's number for reserve and release, the shipment's for
    ship, the return's for restock. Orders never makes the same call twice; a source with a ledger may refuse one.
    """

    def fetch(self, refs: Iterable[str], *, customer: object | None = None) -> Mapping[str, SourceProduct]:
        """The products on sale among ``refs``, by ref, in a fixed number of queries, without what cannot be bought."""

    def reserve(self, quantities: Mapping[str, int], *, reference: str) -> Mapping[str, int]:
        """Take stock for all lines or none. Returns {} or, for each short ref, what is available."""

    def release(self, quantities: Mapping[str, int], *, reference: str) -> None:
        """Give back what ``reserve`` took and nobody shipped."""

    def ship(self, quantities: Mapping[str, int], *, reference: str) -> None:
        """What was reserved has left the house."""

    def restock(self, quantities: Mapping[str, int], *, reference: str) -> None:
        """What was shipped has come back and can be sold again."""
