"""For tests of sites and plugins: in-memory backends, and contract kits (which need pytest)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shop_orders.testing.backends import MemoryPaymentProvider, MemoryProduct, MemoryProductSource

if TYPE_CHECKING:
    from shop_orders.testing.contracts import PaymentProviderContract, ProductSourceContract

__all__ = [
    "MemoryPaymentProvider",
    "MemoryProduct",
    "MemoryProductSource",
    "PaymentProviderContract",
    "ProductSourceContract",
]


def __getattr__(name: str) -> Any:
    """The kits are imported on first use: a site may use the backends without pytest."""
    if name in ("PaymentProviderContract", "ProductSourceContract"):
        from shop_orders.testing import contracts

        return getattr(contracts, name)
    raise AttributeError(name)
