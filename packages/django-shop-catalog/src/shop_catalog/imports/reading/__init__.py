"""From bytes to rows of cells: the format, the encoding and the delimiter of a file."""

from shop_catalog.imports.reading.source import (
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

__all__ = [
    "CSV",
    "FORMATS",
    "FORMAT_BY_SUFFIX",
    "JSON_ARRAY",
    "JSON_LINES",
    "ODS",
    "XLSX",
    "ImportFile",
    "LimitedReader",
]
