"""What sites and plugins use in their own tests: in-memory backends and contract kits."""

from shop_orders.testing.backends import MemoryPaymentProvider, MemoryProduct, MemoryProductSource

__all__ = ["MemoryPaymentProvider", "MemoryProduct", "MemoryProductSource"]
