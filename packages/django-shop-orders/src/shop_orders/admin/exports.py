"""Export of orders as CSV, safe to open in a spreadsheet (https://owasp.org/www-community/attacks/CSV_Injection)."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from datetime import UTC
from decimal import Decimal
from typing import Any

from shop_core.money import as_text

from shop_orders.managers import OrderQuerySet
from shop_orders.pricing.amounts import percent_text

COLUMNS = (
    "number",
    "placed_at",
    "status",
    "payment_status",
    "payment_provider",
    "name",
    "email",
    "phone",
    "city",
    "country",
    "products",
    "options",
    "products_not_sent",
    "currency",
    "subtotal",
    "net_total",
    "tax_total",
    "tax_lines",
    "total",
    "paid_amount",
    "refunded_amount",
    "credited_amount",
    "amount_due",
    "refund_due",
)
DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The first characters of formulas. Some spreadsheets also accept their full-width forms."""


class _Echo:
    """A file that returns each line instead of writing it."""

    def write(self, value: str) -> str:
        return value


def orders_csv(orders: OrderQuerySet) -> Iterator[str]:
    """A header and a row for each order, one at a time, so that a long export does not fill the memory."""
    writer = csv.writer(_Echo())
    yield writer.writerow(COLUMNS)
    for order in orders.with_account().prefetch_related("lines", "charges").iterator(chunk_size=500):
        yield writer.writerow([_cell(value) for value in _row(order)])


def _row(order: Any) -> list[str]:
    currency = order.currency
    lines = order.lines.all()
    return [
        order.number,
        order.placed_at.astimezone(UTC).isoformat(),
        order.status,
        order.payment_status,
        order.payment_provider,
        order.contact_name,
        order.email,
        order.phone,
        order.shipping_address.get("city", ""),
        order.shipping_address.get("country", ""),
        _units((line, line.quantity) for line in lines),
        " | ".join(f"{line.sku or line.product_ref}: {line.options_text}" for line in lines if line.options),
        _units((line, line.cancelled_quantity) for line in lines),
        currency,
        as_text(order.subtotal, currency),
        as_text(order.net_total, currency),
        as_text(order.tax_total, currency),
        "; ".join(_tax_text(charge, currency) for charge in order.tax_lines),
        *(as_text(amount, currency) for amount in _account(order)),
    ]


def _units(counts: Iterable[tuple[Any, int]]) -> str:
    """Units of products, such as ``2 x TREE-1; 1 x TREE-2``."""
    return "; ".join(f"{count} x {line.sku or line.product_ref}" for line, count in counts if count)


def _account(order: Any) -> tuple[Decimal, ...]:
    amounts = (order.total, order.paid_amount, order.refunded_amount)
    return (*amounts, order.credited_amount, order.amount_due, order.refund_due)


def _tax_text(charge: Any, currency: str) -> str:
    """A tax line, such as ``VAT 16%: 160.00 of 1000.00``."""
    rate = "" if charge.tax_rate is None else f" {percent_text(charge.tax_rate)}%"
    base = "" if charge.base is None else f" of {as_text(charge.base, currency)}"
    return f"{charge.label}{rate}: {as_text(charge.amount, currency)}{base}"


def _cell(value: str) -> str:
    """Put an apostrophe before text that a spreadsheet would execute as a formula. Numbers are not changed."""
    is_number = value.isascii() and value.removeprefix("-").replace(".", "", 1).isdigit()
    return f"'{value}" if value.startswith(DANGEROUS) and not is_number else value
