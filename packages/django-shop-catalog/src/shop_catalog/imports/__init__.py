"""Imports of products and categories from files.

The data takes this path: bytes become rows of cells (``reading``), these become a table whose numbers and dates
are understood (``tables``, ``understanding``), a column map makes products of its rows (``maps``), these wait in a
temporary store (``queries``), they are compared with the catalogue (``preparing``), and then they are written in
chunks with a fixed number of statements each (``batches``).
"""

from shop_catalog.imports.categories import CategoryReport, import_categories
from shop_catalog.imports.files import import_file, read_rows
from shop_catalog.imports.products import import_products
from shop_catalog.imports.reading import (
    CSV,
    FORMAT_BY_SUFFIX,
    FORMATS,
    JSON_ARRAY,
    JSON_LINES,
    ODS,
    XLSX,
    ImportFile,
    LimitedReader,
)
from shop_catalog.imports.reports import Report, RowError
from shop_catalog.imports.rows import Fault, Picture, RawRow
from shop_catalog.imports.tables import Choices, Table, understand
from shop_catalog.imports.wording import describe, warnings

__all__ = [
    "CSV",
    "FORMATS",
    "FORMAT_BY_SUFFIX",
    "JSON_ARRAY",
    "JSON_LINES",
    "ODS",
    "XLSX",
    "CategoryReport",
    "Choices",
    "Fault",
    "ImportFile",
    "LimitedReader",
    "Picture",
    "RawRow",
    "Report",
    "RowError",
    "Table",
    "describe",
    "import_categories",
    "import_file",
    "import_products",
    "read_rows",
    "understand",
    "warnings",
]
