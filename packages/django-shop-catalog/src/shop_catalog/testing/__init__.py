"""For tests of sites and plugins: the contract kit of search backends (which needs pytest and hypothesis)."""

from shop_catalog.testing.search_contract import SearchContract

__all__ = ["SearchContract"]
