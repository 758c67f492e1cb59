"""Exports of products and their stock as CSV or XLSX, in the columns that imports read."""

from shop_catalog.exports.files import CSV, FORMATS, MAPS, XLSX, csv_lines, export_products, write_xlsx

__all__ = ["CSV", "FORMATS", "MAPS", "XLSX", "csv_lines", "export_products", "write_xlsx"]
