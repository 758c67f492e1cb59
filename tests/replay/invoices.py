"""The invoices of the Online Retail data set.

The file has one row per line: InvoiceNo, StockCode, Description, Quantity, InvoiceDate, UnitPrice, CustomerID,
Country. Source: Chen, D. (2015), Online Retail, UCI Machine Learning Repository, CC BY 4.0. Its page says: a stock
code is "a 5-digit integral number uniquely assigned to each distinct product", and an invoice's number that "starts
with the letter 'c' [...] indicates a cancellation". Variants have letters behind the digits; POST, D, M or BANK
CHARGES are no products.
"""

from __future__ import annotations

import csv
import lzma
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import IO

PRODUCT = re.compile(r"[0-9]{5}[A-Za-z]*")
PENNY = Decimal("0.01")

Key = tuple[str, Decimal]
"""Stock code and unit price, which together get one SKU."""


@dataclass(frozen=True)
class Line:
    code: str
    name: str
    quantity: int
    unit_price: Decimal

    @property
    def fault(self) -> str:
        """The reason why this line cannot be sold; "" if it can."""
        if not PRODUCT.fullmatch(self.code):
            return "not a product"
        if self.quantity <= 0:
            return "quantity not above zero"
        if self.unit_price <= 0:
            return "price not above zero"
        return "" if self.unit_price % PENNY == 0 else "price in fractions of a penny"


@dataclass(frozen=True)
class Invoice:
    """``customer`` is "" if the file has none."""

    number: str
    customer: str
    lines: tuple[Line, ...]

    @property
    def is_cancellation(self) -> bool:
        return self.number.upper().startswith("C")

    @property
    def fault(self) -> str:
        """The reason why this sale cannot be placed; "" if it can."""
        return next((line.fault for line in self.lines if line.fault), "")

    @cached_property
    def quantities(self) -> Mapping[Key, int]:
        """Units of each product; lines of one product at one price are one line. Negative in a cancellation."""
        units: Counter[Key] = Counter()
        for line in self.lines:
            units[line.code, line.unit_price] += line.quantity
        return dict(units)

    @property
    def total(self) -> Decimal:
        return sum((line.quantity * line.unit_price for line in self.lines), Decimal(0))


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
