"""Imports of products and categories from files, in chunks with a fixed number of statements each."""

from shop_catalog.imports.categories import CategoryReport, import_categories
from shop_catalog.imports.products import import_products
from shop_catalog.imports.reports import Report, RowError
from shop_catalog.imports.row_readers import (
    CSV,
    FORMAT_BY_SUFFIX,
    FORMATS,
    JSON_ARRAY,
    JSON_LINES,
    LimitedReader,
    RawRow,
    read_rows,
)

__all__ = [
    "CSV",
    "FORMATS",
    "FORMAT_BY_SUFFIX",
    "JSON_ARRAY",
    "JSON_LINES",
    "CategoryReport",
    "LimitedReader",
    "RawRow",
    "Report",
    "RowError",
    "import_categories",
    "import_products",
    "read_rows",
]
