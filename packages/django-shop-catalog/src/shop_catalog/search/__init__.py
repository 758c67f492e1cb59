"""Search backends, for the parameter ``q`` of lists, and the words that the shipped ones keep."""

from shop_catalog.search.base import Group, Prepared, SearchBackend, backend
from shop_catalog.search.upkeep import check, fix, fold, fold_all, record, searchable_text

__all__ = [
    "Group",
    "Prepared",
    "SearchBackend",
    "backend",
    "check",
    "fix",
    "fold",
    "fold_all",
    "record",
    "searchable_text",
]
