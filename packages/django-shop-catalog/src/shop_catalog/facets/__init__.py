"""Counts of listed products by attribute, price band, rating and stock, stored for each category's subtree.

Each listed product has a row of ``ProductTerms``, written in the transaction of its changes: numbers that filters look
for, and numbers that are counted. Each change also writes a ``FacetChange`` row. A periodic job folds these rows into
the stored counts, and a read adds the rows that are not folded yet. Reads are always exact.
"""

from shop_catalog.facets import terms
from shop_catalog.facets.folding import delete_unused, fold, rebuild, recount_all
from shop_catalog.facets.queries import EVERYTHING, FacetName, Version, names, version
from shop_catalog.facets.reading import current_counts, current_totals, subtree_terms
from shop_catalog.facets.terms import are_in_one_band
from shop_catalog.facets.values import counted_names
from shop_catalog.facets.writing import mark_changed, refresh

__all__ = [
    "EVERYTHING",
    "FacetName",
    "Version",
    "are_in_one_band",
    "counted_names",
    "current_counts",
    "current_totals",
    "delete_unused",
    "fold",
    "mark_changed",
    "names",
    "rebuild",
    "recount_all",
    "refresh",
    "subtree_terms",
    "terms",
    "version",
]
