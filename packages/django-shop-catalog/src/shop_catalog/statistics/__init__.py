"""Count, average, lowest and highest price of the products in a category's subtree, each product counted once.

Count and sum are stored. A change of a product writes one ``StatisticsChange`` row in its own transaction, a periodic
job folds these rows into the stored figures, and a read adds the rows that are not folded yet. Reads are always exact.

* When a price or a publication changes, the row has the difference, for all categories above the product.
* When a product is put into other categories, or a category is moved, the row names a category to count again. Until
  the job has done so, each read counts that category itself, which is exact but slower.
* A product with a publication time in the future (``is_scheduled``) is not in the stored figures; each read adds it.
"""

from shop_catalog.statistics.changes import (
    ancestors_of,
    contribution,
    contributions,
    record,
    record_many,
    recount,
    recount_all,
)
from shop_catalog.statistics.figures import Figures, count_category
from shop_catalog.statistics.folding import fold
from shop_catalog.statistics.prices import PriceStatistics, for_category

__all__ = [
    "Figures",
    "PriceStatistics",
    "ancestors_of",
    "contribution",
    "contributions",
    "count_category",
    "fold",
    "for_category",
    "record",
    "record_many",
    "recount",
    "recount_all",
]
