"""Rows of products as CSV, one line at a time, or as an XLSX file."""

from __future__ import annotations

import csv
import importlib
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import IO, Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from shop_catalog.exceptions import FileTooLarge, UnreadableFile
from shop_catalog.exports import own, shopify
from shop_catalog.models import Product

CSV, XLSX = "csv", "xlsx"
FORMATS = (CSV, XLSX)
MAPS = ("own", "shopify")

MOST_ROWS = 1_048_576
MOST_CHARACTERS = 32_767
"""What a sheet and a cell of Excel can hold."""

UNSAFE = re.compile("_(?=x[0-9A-Fa-f]{4}_)|[\x00-\x08\x0b-\x1f]")
"""What XML changes or refuses, and what would be read as if it stood for such a character."""


class _Echo:
    """A file that returns each line instead of writing it."""

    def write(self, value: str) -> str:
        return value


def csv_lines(
    products: QuerySet[Product] | None = None, *, column_map: str = "own", base_url: str = ""
) -> Iterator[str]:
    """The lines of a CSV file, one at a time, after a byte order mark. Write them as UTF-8."""
    writer = csv.writer(_Echo())
    yield "\ufeff"
    for row in _rows(products, column_map, base_url):
        yield writer.writerow(row)


def write_xlsx(
    out: IO[bytes], products: QuerySet[Product] | None = None, *, column_map: str = "own", base_url: str = ""
) -> int:
    """Write an XLSX file, and return the number of its rows below the header. Numbers are numbers.

    Raises:
        UnreadableFile: openpyxl is not installed.
        FileTooLarge: there are more rows, or longer texts, than Excel can hold.
    """
    try:
        openpyxl = importlib.import_module("openpyxl")
    except ImportError:
        message = _("Export as CSV, or install `pip install django-shop-catalogue[spreadsheets]`.")
        raise UnreadableFile(message) from None
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Products")
    count = -1
    try:
        for count, row in enumerate(_rows(products, column_map, base_url)):
            if count >= MOST_ROWS:
                raise FileTooLarge(_("A sheet of Excel cannot hold that many rows. Export as CSV."))
            sheet.append([_xlsx_cell(value) for value in row])
    finally:
        sheet.close()
    book.save(out)
    return count


def export_products(path: Path, *, column_map: str = "own", file_format: str = CSV, base_url: str = "") -> int:
    """Write all products to a file, and return the number of its rows below the header.

    The file gets its name when it is whole: until then it has the ending ``.part``.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        if file_format == XLSX:
            with part.open("wb") as out:
                count = write_xlsx(out, column_map=column_map, base_url=base_url)
        else:
            with part.open("w", encoding="utf-8", newline="") as text:
                count = -2
                for line in csv_lines(column_map=column_map, base_url=base_url):
                    text.write(line)
                    count += 1
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return count


def _rows(products: QuerySet[Product] | None, column_map: str, base_url: str) -> Iterable[Sequence[Any]]:
    chosen = Product.objects.all() if products is None else products
    match column_map:
        case "own":
            return chain([own.COLUMNS], own.rows(chosen))
        case "shopify":
            return chain([shopify.COLUMNS], shopify.rows(chosen, base_url=base_url))
    raise UnreadableFile(_("There is no column map %(name)s.") % {"name": column_map})


def _xlsx_cell(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = UNSAFE.sub(lambda found: f"_x{ord(found[0]):04X}_", value)
    if len(text) > MOST_CHARACTERS:
        raise FileTooLarge(_("A text is longer than a cell of Excel can hold. Export as CSV."))
    return text or None
