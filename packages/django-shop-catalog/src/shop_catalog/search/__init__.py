"""Search backends, for the parameter ``q`` of lists."""

from shop_catalog.search.base import SearchBackend, backend, simplify
from shop_catalog.search.database import DatabaseSearch

__all__ = ["DatabaseSearch", "SearchBackend", "backend", "simplify"]
