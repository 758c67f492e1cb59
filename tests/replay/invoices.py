"""The invoices of the Online Retail data set, and the catalogue that they imply.

The file has one row a line: InvoiceNo, StockCode, Description, Quantity, InvoiceDate, UnitPrice, CustomerID, Country.
Source: Chen, D. (2015), Online Retail, UCI Machine Learning Repository, CC BY 4.0.
"""

from __future__ import annotations

import csv
import lzma
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import IO

PENNY = Decimal("0.01")
"""Four lines of the file cost a tenth of a penny, which no shop can charge."""


@dataclass(frozen=True)
class Line:
    sku: str
    name: str
    quantity: int
    unit_price: Decimal

    @property
    def total(self) -> Decimal:
        return self.quantity * self.unit_price


@dataclass(frozen=True)
class Invoice:
    number: str
    customer: str
    lines: tuple[Line, ...]

    @property
    def total(self) -> Decimal:
        return sum((line.total for line in self.lines), Decimal(0))

    @property
    def is_plain_sale(self) -> bool:
        """A known customer, and only lines with a positive quantity and price."""
        return bool(self.customer) and all(line.quantity > 0 and line.unit_price > 0 for line in self.lines)

    def merged(self) -> dict[str, Line]:
        """SKU: line. Lines of one product at one price are one line; a second price is sold under a SKU of its own."""
        prices: dict[str, dict[Decimal, int]] = defaultdict(dict)
        merged: dict[str, Line] = {}
        for line in self.lines:
            place = prices[line.sku].setdefault(line.unit_price, len(prices[line.sku]) + 1)
            sku = line.sku if place == 1 else f"{line.sku}-{place}"
            before = merged[sku].quantity if sku in merged else 0
            merged[sku] = Line(sku, line.name, before + line.quantity, line.unit_price)
        return merged


def read(path: Path) -> Iterator[Invoice]:
    """The invoices in the order of the file. ``path`` is the CSV file, packed by xz or not."""
    lines: dict[str, list[Line]] = {}
    customers: dict[str, str] = {}
    with _opened(path) as file:
        for row in csv.DictReader(file):
            number = row["InvoiceNo"]
            line = Line(row["StockCode"], row["Description"].strip(), int(row["Quantity"]), Decimal(row["UnitPrice"]))
            lines.setdefault(number, []).append(line)
            customers[number] = row["CustomerID"]
    for number, found in lines.items():
        yield Invoice(number, customers[number], tuple(found))


def _opened(path: Path) -> IO[str]:
    return lzma.open(path, "rt", encoding="utf-8") if path.suffix == ".xz" else path.open(encoding="utf-8")


def catalogue(invoices: Iterable[Invoice]) -> Iterator[dict[str, str]]:
    """Rows for ``import_products``, one a stock code: most frequent description and price, stock for every sale."""
    names: dict[str, Counter[str]] = defaultdict(Counter)
    prices: dict[str, Counter[Decimal]] = defaultdict(Counter)
    sold: Counter[str] = Counter()
    for invoice in invoices:
        for line in invoice.lines if not invoice.is_plain_sale else invoice.merged().values():
            names[line.sku][line.name] += bool(line.name)
            if line.unit_price > 0:
                prices[line.sku][line.unit_price] += 1
            sold[line.sku] += max(line.quantity, 0)
    for sku in prices:
        yield {
            "sku": sku,
            "name": names[sku].most_common(1)[0][0] or sku,
            "price": str(prices[sku].most_common(1)[0][0].quantize(PENNY, ROUND_HALF_UP)),
            "stock_quantity": str(sold[sku]),
        }
